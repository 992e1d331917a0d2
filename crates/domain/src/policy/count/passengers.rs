//! Passengers of a journey.

use jiff::civil::Date;

use super::super::fields::Grade;
use super::super::view::View;
use super::{LeftOut, Selected, Unit};

/// Counts each passenger.
pub(super) fn count(view: &View<'_>) -> Selected {
    let Some(journey) = view.seen.journey else {
        let text = "there is no journey".to_owned();
        let left_out = vec![LeftOut { excluded: "NO_JOURNEY", text }];
        return Selected { units: Vec::new(), left_out };
    };
    let units = (1..=journey.passengers)
        .map(|index| Unit { index, ..Unit::of_day(Date::default(), Grade::Total, 0) });
    Selected { units: units.collect(), left_out: Vec::new() }
}
