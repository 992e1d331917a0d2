//! Days by which the start of the service was late.
//!
//! Ofcom's automatic compensation: the promised day counts, the day of the activation does not.

use super::super::fields::Grade;
use super::super::view::View;
use super::{LeftOut, Selected, Unit};

/// The most days that are counted, ten years.
const DAYS_LIMIT: usize = 3_660;

/// Counts from the promised day to the one before the activation.
pub(super) fn count(view: &View<'_>) -> Selected {
    let nothing = |excluded, text: &str| {
        let left_out = vec![LeftOut { excluded, text: text.to_owned() }];
        Selected { units: Vec::new(), left_out }
    };
    let Some((promised, done)) = view.seen.activation else {
        return nothing("NO_ACTIVATION", "no start of the service was promised");
    };
    let Some(done) = done else {
        let text = "the service has not started yet; its delay is counted once it has";
        return nothing("NOT_ACTIVATED", text);
    };
    let days = promised.series(jiff::ToSpan::days(1)).take_while(|day| *day < done);
    let units: Vec<Unit> =
        days.take(DAYS_LIMIT).map(|day| Unit::of_day(day, Grade::Total, 0)).collect();
    if units.is_empty() {
        return nothing("STARTED_IN_TIME", "the service started when it was promised");
    }
    Selected { units, left_out: Vec::new() }
}
