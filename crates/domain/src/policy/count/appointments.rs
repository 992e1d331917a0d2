//! Appointments of a technician that were missed, or cancelled at short notice.

use super::super::fields::Grade;
use super::super::view::View;
use super::{LeftOut, Selected, Unit};

/// Counts each of them once, on its day.
pub(super) fn count(view: &View<'_>) -> Selected {
    let days = &view.seen.appointments;
    if days.is_empty() {
        let text = "no appointment was missed or cancelled at short notice".to_owned();
        let left_out = vec![LeftOut { excluded: "NO_MISSED_APPOINTMENT", text }];
        return Selected { units: Vec::new(), left_out };
    }
    let units = days.iter().map(|day| Unit::of_day(*day, Grade::Total, 0));
    Selected { units: units.collect(), left_out: Vec::new() }
}
