//! Commands that did not take effect, as statuses.

use std::fmt::Display;

use ristoro_proto::ops::v1::ErrorReason;
use tonic::{Code, Status};

use crate::command::{CommandError, CommandFailure};
use crate::journal::JournalError;
use crate::status::{database, internal, invalid_reason, log, refuse};

/// What a decider's rejection is on the wire; its text is the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// FAILED_PRECONDITION for most; INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED or ABORTED for some.
    pub code: Code,
    /// The reason for programs.
    pub reason: ErrorReason,
    /// The figures that explain it.
    pub metadata: Vec<(&'static str, String)>,
}

impl Refused {
    /// Makes a FAILED_PRECONDITION without figures.
    #[must_use]
    pub fn precondition(reason: ErrorReason) -> Self {
        Self { code: Code::FailedPrecondition, reason, metadata: Vec::new() }
    }

    /// Makes a refusal without figures.
    #[must_use]
    pub fn new(code: Code, reason: ErrorReason) -> Self {
        Self { code, reason, metadata: Vec::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.metadata.push((key, value.to_string()));
        self
    }
}

/// Says why a command did not take effect; `refused` says what each rejection of the decider is on the wire.
#[must_use]
pub fn command_status<R: Display>(
    error: CommandError<R>,
    refused: impl Fn(&R) -> Refused,
) -> Status {
    match error {
        CommandError::Rejected(rejection) => {
            let Refused { code, reason, metadata } = refused(&rejection);
            refuse(code, reason, rejection.to_string(), &metadata)
        }
        CommandError::Conflict { version } => {
            let message = format!("somebody else was first: the etag is {version} now, read again");
            let metadata = [("etag", version.to_string())];
            refuse(Code::Aborted, ErrorReason::VersionConflict, message, &metadata)
        }
        CommandError::Unknown(problem) => {
            tracing::warn!(problem, "the outcome of a command is not known");
            let message = "whether it took effect is not known: retry with the same request_id";
            refuse(Code::Unavailable, ErrorReason::OutcomeUnknown, message, &[])
        }
        CommandError::RequestIdReused => {
            let problem = "was used for something else: make a new one for every command";
            invalid_reason("request_id", problem, ErrorReason::RequestIdReused)
        }
        CommandError::Failure(CommandFailure::Log(error)) => log(&error),
        CommandError::Failure(CommandFailure::Journal(JournalError::Database(error))) => {
            database(&error)
        }
        CommandError::Failure(CommandFailure::Journal(
            error @ (JournalError::Payload { .. }
            | JournalError::Envelope(_)
            | JournalError::NotJournaled { .. }),
        )) => internal(&error),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    fn told(error: CommandError<&'static str>) -> (Code, String) {
        let refused =
            |_: &&str| Refused::precondition(ErrorReason::WrongState).with("resource", "a");
        let status = command_status(error, refused);
        (status.code(), status.get_details_error_info().unwrap().reason)
    }

    #[test]
    fn every_failure_of_a_command_has_its_code_and_reason() {
        let check = |error, code, reason: &str| assert_eq!(told(error), (code, reason.to_owned()));
        let database = |error| CommandError::Failure(CommandFailure::from(error));
        check(CommandError::Rejected("no"), Code::FailedPrecondition, "WRONG_STATE");
        check(CommandError::Conflict { version: 3 }, Code::Aborted, "VERSION_CONFLICT");
        check(CommandError::Unknown(String::new()), Code::Unavailable, "OUTCOME_UNKNOWN");
        check(CommandError::RequestIdReused, Code::InvalidArgument, "REQUEST_ID_REUSED");
        check(database(sqlx::Error::PoolTimedOut), Code::Unavailable, "DATABASE_UNAVAILABLE");
        check(database(sqlx::Error::RowNotFound), Code::Internal, "INTERNAL");
    }

    #[test]
    fn an_invalid_argument_names_its_field() {
        let refused = |_: &&str| {
            Refused::new(Code::InvalidArgument, ErrorReason::InvalidField).with("field", "cap")
        };
        let status = command_status(CommandError::Rejected("too small"), refused);
        let violation = &status.get_details_bad_request().unwrap().field_violations[0];
        assert_eq!(
            (violation.field.as_str(), violation.description.as_str()),
            ("cap", "too small")
        );
    }
}
