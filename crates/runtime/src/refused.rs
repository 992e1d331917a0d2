//! Commands that did not take effect, as statuses.

use std::fmt::Display;

use ristoro_proto::ops::v1::ErrorReason;
use tonic::{Code, Status};

use crate::command::{CommandError, CommandFailure};
use crate::status::{internal, log, refuse};

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
            let message = "this request_id was used for something else: use a new one";
            refuse(Code::InvalidArgument, ErrorReason::RequestIdReused, message, &[])
        }
        CommandError::Failure(CommandFailure::Log(error)) => log(&error),
        CommandError::Failure(CommandFailure::Journal(error)) => internal(&error),
    }
}
