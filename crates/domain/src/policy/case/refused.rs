//! Why a case has no decision.

use super::super::error::Refusal;
use crate::time::TimeError;

/// A refusal by its name, with what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refused {
    /// The reason in UPPER_SNAKE.
    pub reason: &'static str,
    /// What is wrong, where, and what to write instead.
    pub message: String,
}

impl Refused {
    pub(super) fn invalid(field: &str, what: &str) -> Refused {
        Refused { reason: "INVALID_CASE", message: format!("{field}: {what}") }
    }

    pub(super) fn time(field: &str, error: &TimeError) -> Refused {
        let reason = match error {
            TimeError::AmbiguousLocalTime { .. } => "AMBIGUOUS_LOCAL_TIME",
            TimeError::AbsentLocalTime { .. } => "ABSENT_LOCAL_TIME",
            TimeError::NotATime { .. }
            | TimeError::UnknownZone { .. }
            | TimeError::EndsBeforeItBegins { .. } => "INVALID_CASE",
        };
        Refused { reason, message: format!("{field}: {error}") }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused { reason: refusal.reason(), message: refusal.to_string() }
    }
}
