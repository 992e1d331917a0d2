//! The one place that turns what went wrong into a gRPC status, always with an `ErrorInfo`.
//!
//! Callers read the reason, people the message. What is internal is logged here, once, and not told.

use std::collections::HashMap;
use std::time::Duration;

use ristoro_log::LogError;
use ristoro_proto::ops::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::telemetry::current_traceparent;

/// The domain that all reasons belong to.
pub const DOMAIN: &str = "ristoro.dev";

/// Gives the reason as it stands in `ErrorInfo`, such as `VERSION_CONFLICT`.
#[must_use]
pub fn reason_text(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// Refuses a call: an `ErrorInfo` always, and what else the code asks for.
///
/// A FAILED_PRECONDITION carries a violation with the reason as its type and the metadata's `resource` as
/// its subject, an INVALID_ARGUMENT one of the metadata's `field`; ABORTED, UNAVAILABLE and RESOURCE_EXHAUSTED say how long to wait before the next attempt.
pub fn refuse(
    code: Code,
    reason: ErrorReason,
    message: impl Into<String>,
    metadata: &[(&str, String)],
) -> Status {
    let message = message.into();
    let mut details = information(reason, metadata);
    if code == Code::FailedPrecondition {
        let subject = figure(metadata, "resource").unwrap_or_default();
        details.add_precondition_failure_violation(reason_text(reason), subject, &message);
    }
    if let Some(delay) = retry_delay(code) {
        details.set_retry_info(Some(delay));
    }
    if code == Code::InvalidArgument
        && let Some(field) = figure(metadata, "field")
    {
        details.add_bad_request_violation(field, &message);
    }
    Status::with_error_details(code, message, details)
}

fn figure<'a>(metadata: &'a [(&str, String)], key: &str) -> Option<&'a str> {
    metadata.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
}

/// Refuses a request whose field has a value that it cannot have. `field` is the path in the request.
pub fn invalid(field: &str, problem: impl Into<String>) -> Status {
    invalid_fields(vec![(field.to_owned(), problem.into())])
}

/// Refuses a request with everything that is wrong with it at once; at least one violation.
#[must_use]
pub fn invalid_fields(violations: Vec<(String, String)>) -> Status {
    violated(violations, ErrorReason::InvalidField)
}

/// As `invalid`, for a field whose fault has a reason of its own.
#[must_use]
pub fn invalid_reason(field: &str, problem: &str, reason: ErrorReason) -> Status {
    violated(vec![(field.to_owned(), problem.to_owned())], reason)
}

fn violated(violations: Vec<(String, String)>, reason: ErrorReason) -> Status {
    let named = |(field, problem): &(String, String)| format!("{field}: {problem}");
    let message = violations.iter().map(named).collect::<Vec<_>>().join("; ");
    let field = violations.first().map(|(field, _)| field.clone()).unwrap_or_default();
    let mut details = information(reason, &[("field", field)]);
    for (field, problem) in violations {
        details.add_bad_request_violation(field, problem);
    }
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// Answers that nothing has this name. `resource_type` is such as `ristoro.dev/Outage`.
#[must_use]
pub fn not_found(resource_type: &str, name: &str) -> Status {
    let message = format!("there is no {name}: check the name, or list what there is");
    let metadata = [("resource", name.to_owned())];
    let mut details = information(ErrorReason::ResourceNotFound, &metadata);
    details.set_resource_info(resource_type, name, "", "nothing has this name");
    Status::with_error_details(Code::NotFound, message, details)
}

/// Answers that the name is taken by something else.
#[must_use]
pub fn already_exists(resource_type: &str, name: &str) -> Status {
    let message = format!("{name} is there already, with other contents: choose another name");
    let mut details = information(ErrorReason::ResourceExists, &[("resource", name.to_owned())]);
    details.set_resource_info(resource_type, name, "", "the name is taken");
    Status::with_error_details(Code::AlreadyExists, message, details)
}

/// Answers for a fault of ours. It is logged here with all its sources; the caller gets the trace to ask about.
pub fn internal(error: &dyn std::error::Error) -> Status {
    let trace = current_traceparent();
    tracing::error!(error = %chain(error), %trace, "a call failed on an internal error");
    let message = format!("internal error; the server's log has it under {trace:?}");
    refuse(Code::Internal, ErrorReason::Internal, message, &[("traceparent", trace.clone())])
}

/// Answers for a failed query: UNAVAILABLE where the database cannot be reached, else an internal error.
pub fn database(error: &sqlx::Error) -> Status {
    let unreachable =
        matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed);
    if !unreachable {
        return internal(error);
    }
    tracing::warn!(error = %chain(error), "the database cannot be reached");
    let message = "the database cannot be reached at the moment: try again";
    refuse(Code::Unavailable, ErrorReason::DatabaseUnavailable, message, &[])
}

/// Answers for a log that failed: UNAVAILABLE where it cannot be reached, else an internal error.
pub fn log(error: &LogError) -> Status {
    match error {
        LogError::Unavailable(_) => {
            tracing::warn!(error = %chain(error), "the log cannot be reached");
            let message =
                "the log cannot be reached at the moment: try again with the same request_id";
            refuse(Code::Unavailable, ErrorReason::LogUnavailable, message, &[])
        }
        LogError::Missing { .. } | LogError::Foreign(_) | LogError::TooLarge { .. } => {
            internal(error)
        }
    }
}

/// Answers a call that the server's end cut off.
#[must_use]
pub fn shutting_down() -> Status {
    let message = "shutting down: call again, another replica answers";
    refuse(Code::Unavailable, ErrorReason::ShuttingDown, message, &[])
}

fn information(reason: ErrorReason, metadata: &[(&str, String)]) -> ErrorDetails {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    ErrorDetails::with_error_info(reason_text(reason), DOMAIN, metadata)
}

fn retry_delay(code: Code) -> Option<Duration> {
    if code == Code::Aborted {
        return Some(Duration::from_millis(100));
    }
    let later = code == Code::Unavailable || code == Code::ResourceExhausted;
    later.then(|| Duration::from_secs(1))
}

/// Writes an error with all its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_line_in_the_list_of_errors() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let document = std::fs::read_to_string(path).unwrap();
        let mut missing = Vec::new();
        for number in 1.. {
            let Ok(reason) = ErrorReason::try_from(number) else { break };
            if !document.contains(&format!("| `{}` |", reason_text(reason))) {
                missing.push(reason_text(reason));
            }
        }
        assert!(missing.is_empty(), "docs/errors.md lacks a line for {missing:?}");
    }

    #[test]
    fn the_numbers_of_the_reasons_have_no_hole() {
        // The test above stops at the first number that is no reason.
        let descriptors: prost_types::FileDescriptorSet =
            prost::Message::decode(ristoro_proto::DESCRIPTORS).unwrap();
        let file =
            descriptors.file.iter().find(|file| file.name().ends_with("ops/v1/errors.proto"));
        let mut numbers: Vec<i32> =
            file.unwrap().enum_type[0].value.iter().map(|value| value.number()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..i32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    }

    #[test]
    fn a_refusal_carries_reason_domain_metadata_and_what_its_code_asks_for() {
        let metadata = [("resource", "outages/a".to_owned())];
        let status =
            refuse(Code::FailedPrecondition, ErrorReason::PayoutsStopped, "stopped", &metadata);
        let details = status.get_error_details();
        let information = details.error_info().unwrap();
        assert_eq!(information.reason, "PAYOUTS_STOPPED");
        assert_eq!(information.domain, "ristoro.dev");
        assert_eq!(information.metadata["resource"], "outages/a");
        let violation = &details.precondition_failure().unwrap().violations[0];
        assert_eq!(
            (violation.r#type.as_str(), violation.subject.as_str()),
            ("PAYOUTS_STOPPED", "outages/a")
        );

        let conflict = refuse(Code::Aborted, ErrorReason::VersionConflict, "changed", &[]);
        assert!(conflict.get_details_retry_info().unwrap().retry_delay.is_some());
    }

    #[test]
    fn an_invalid_request_names_all_its_fields() {
        let status = invalid_fields(vec![
            ("fee.units".to_owned(), "must not be negative".to_owned()),
            ("plan".to_owned(), "is missing".to_owned()),
        ]);
        assert_eq!(status.message(), "fee.units: must not be negative; plan: is missing");
        let bad_request = status.get_details_bad_request().unwrap();
        assert_eq!(bad_request.field_violations.len(), 2);
        assert_eq!(bad_request.field_violations[1].field, "plan");
    }

    #[test]
    fn an_internal_error_leaks_nothing() {
        let error = sqlx::Error::Protocol("password hunter2 refused".to_owned());
        let status = database(&error);
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("hunter2"));
        assert_eq!(database(&sqlx::Error::PoolTimedOut).code(), Code::Unavailable);
    }
}
