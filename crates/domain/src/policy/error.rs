//! What can be wrong with a policy file, and why a decision is refused.

use std::fmt;

use jiff::civil::Date;

use crate::rounding::OutOfRange;
use crate::time::Instant;

/// One fault of a policy file, with its place and its cure.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PolicyError {
    /// The file's name as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, what, fix } = self;
        write!(formatter, "{file}:{line}:{column}: {what}; {fix}")
    }
}

impl std::error::Error for PolicyError {}

/// Why a policy cannot decide. It is no zero: once the facts are complete, the same person gets a decision.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Something that hits the subscription has no end yet.
    #[error(
        "{component} has been down since {from} without an end for this subscription: restore the impact, its cohort or this mailbox first"
    )]
    OutageStillOpen {
        /// The component that is still down.
        component: String,
        /// Since when.
        from: Instant,
    },
    /// More storage is owed, but nobody knows more than what.
    #[error(
        "the storage of plan {plan:?} of {service} is not known: give the subscription's quota_bytes, or a base in the policy's rule {rule:?}"
    )]
    QuotaUnknown {
        /// The rule that grants storage.
        rule: String,
        /// The subscription's service.
        service: String,
        /// The subscription's plan.
        plan: String,
    },
    /// An amount of another currency than the policy's has to be counted in.
    #[error("{what} is in {found}, but the policy counts in {wanted}: convert it first")]
    OtherCurrency {
        /// What was found.
        what: String,
        /// Its currency.
        found: String,
        /// The policy's currency.
        wanted: String,
    },
    /// A figure left the range of exact arithmetic.
    #[error(
        "a figure of the rule {rule:?} is out of range: check its rates and the length of the outage"
    )]
    OutOfRange {
        /// The rule that calculates it.
        rule: String,
    },
    /// A window is longer than anything that is counted day by day.
    #[error("{component} was down from {from} for more than {limit_days} days: check its end")]
    OutageTooLong {
        /// The component.
        component: String,
        /// Its start.
        from: Instant,
        /// The limit.
        limit_days: i64,
    },
    /// No rate holds on a day.
    #[error("rule {rule:?} has no rate for {day}: add one to its table, or end the policy before")]
    NoRate {
        /// The rule.
        rule: String,
        /// The day.
        day: Date,
    },
    /// A day is outside the years of a calendar of working days.
    #[error("the calendar {calendar:?} does not know the days around {day}: add its holidays")]
    CalendarEnds {
        /// The calendar.
        calendar: String,
        /// The day.
        day: Date,
    },
    /// The outage's impacts are more than are decided at once.
    #[error("the outage has more than {limit} impacts: split it")]
    TooManyImpacts {
        /// The limit.
        limit: usize,
    },
}

impl Refusal {
    /// Gives the reason's name in UPPER_SNAKE.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::OutageStillOpen { .. } => "OUTAGE_STILL_OPEN",
            Refusal::QuotaUnknown { .. } => "QUOTA_UNKNOWN",
            Refusal::OtherCurrency { .. } => "OTHER_CURRENCY",
            Refusal::OutOfRange { .. } => "OUT_OF_RANGE",
            Refusal::OutageTooLong { .. } => "OUTAGE_TOO_LONG",
            Refusal::NoRate { .. } => "NO_RATE",
            Refusal::CalendarEnds { .. } => "CALENDAR_ENDS",
            Refusal::TooManyImpacts { .. } => "TOO_MANY_IMPACTS",
        }
    }

    /// Says that a calendar ends.
    pub(crate) fn calendar_ends(calendar: &str, day: Date) -> Refusal {
        Refusal::CalendarEnds { calendar: calendar.to_owned(), day }
    }

    /// Says which rule left the range.
    pub(crate) fn out_of_range(rule: &str) -> impl Fn(OutOfRange) -> Refusal {
        move |_| Refusal::OutOfRange { rule: rule.to_owned() }
    }
}
