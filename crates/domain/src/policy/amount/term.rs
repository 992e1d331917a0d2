//! A longer term of the contract.
//!
//! Italiaonline, January 2023: Mail Plus subscriptions run six months longer. A month that has no such day ends the
//! term on its last day.

use jiff::civil::Date;

use super::{Draft, Given, Value};
use crate::policy::reader::Section;
use crate::remedy::Grant;

/// Months, then days, added to the term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    months: u32,
    days: u32,
}

impl Term {
    /// Makes a term of days alone.
    pub(super) fn of_days(days: u32) -> Term {
        Term { months: 0, days }
    }

    pub(super) fn read(section: &Section<'_, '_>) -> Option<Term> {
        let months = section.optional_whole("months", "6").unwrap_or(0);
        let days = section.optional_whole("days", "15").unwrap_or(0);
        let small = |value: u64| u32::try_from(value).ok().filter(|value| *value <= 3_660);
        let (Some(months), Some(days), true) = (small(months), small(days), months + days > 0)
        else {
            let what = "the term needs months or days, up to 3660 each";
            section.fault("formula", what, "write months = 6");
            return None;
        };
        Some(Term { months, days })
    }

    pub(super) fn drafts(&self, given: &Given<'_>) -> Vec<Draft> {
        if given.units.is_empty() {
            return Vec::new();
        }
        let Term { months, days } = *self;
        let (new_end, text) = extended_text(given, *self);
        vec![Draft {
            text,
            quantity: String::new(),
            unit: "",
            rate: String::new(),
            grade: None,
            value: Value::Grant(Grant::Term { months, days, new_end }),
        }]
    }
}

/// Gives the new end, where the old one is known, and what the trace says of it.
pub(super) fn extended_text(given: &Given<'_>, by: Term) -> (Option<Date>, String) {
    let Term { months, days } = by;
    let new_end = given.view.term_end.and_then(|end| extended(end, months, days));
    let length = match (months, days) {
        (months, 0) => format!("{months} months"),
        (0, days) => format!("{days} days"),
        (months, days) => format!("{months} months and {days} days"),
    };
    let text = match (given.view.term_end, new_end) {
        (Some(end), Some(new_end)) => {
            format!("the term runs {length} longer, from {end} to {new_end}")
        }
        (Some(_) | None, _) => {
            format!("the term runs {length} longer; its end is not known here")
        }
    };
    (new_end, text)
}

/// Adds calendar months with end-of-month clamp, then days; none beyond the calendar.
fn extended(end: Date, months: u32, days: u32) -> Option<Date> {
    let months = jiff::Span::new().try_months(months).ok()?;
    let days = jiff::Span::new().try_days(days).ok()?;
    end.checked_add(months).ok()?.checked_add(days).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(end: &str, months: u32, days: u32, expected: &str) {
        let new_end = extended(end.parse().unwrap(), months, days);
        assert_eq!(new_end.map(|date| date.to_string()).as_deref(), Some(expected));
    }

    /// Worked examples L2 and S6.
    #[test]
    fn months_are_clamped_to_the_end_of_the_month() {
        check("2023-08-31", 6, 0, "2024-02-29");
        check("2023-08-29", 6, 0, "2024-02-29");
        check("2023-03-15", 6, 0, "2023-09-15");
        check("2023-02-20", 0, 15, "2023-03-07");
        assert_eq!(extended(Date::MAX, 6, 0), None);
    }
}
