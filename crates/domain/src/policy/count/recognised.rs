//! Claims whose damages were proven and recognised.

use super::super::fields::Grade;
use super::super::view::View;
use super::{LeftOut, Selected, Unit};

/// Counts each such claim; its place among all claims is the unit's index.
pub(super) fn count(view: &View<'_>) -> Selected {
    let mut selected = Selected::default();
    for (index, claim) in (1..).zip(&view.seen.claims) {
        if claim.recognised.is_some() {
            selected.units.push(Unit { index, ..Unit::of_day(claim.received, Grade::Total, 0) });
        }
    }
    if selected.units.is_empty() {
        let text = "no damages were recognised".to_owned();
        selected.left_out.push(LeftOut { excluded: "NO_RECOGNISED_DAMAGES", text });
    }
    selected
}
