//! What every command's request carries besides its content.

use ristoro_domain::time::Instant;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::command::CommandRequest;
use crate::edge;
use crate::grpc::auth::Principal;
use crate::grpc::content::digest_of;
use crate::status::invalid;
use crate::telemetry::request_traceparent;

/// Reads what makes a message a command: who asks, under which id, on which version, in which trace.
///
/// The time of what happens is now; a command whose business time is another one says so in a field of its own.
///
/// # Errors
/// INVALID_ARGUMENT for a `request_id` that is no UUID and an `etag` that is no version.
pub fn command_request(
    principal: &Principal,
    request_id: &str,
    validate_only: bool,
    etag: &str,
    metadata: &MetadataMap,
) -> Result<CommandRequest, Status> {
    let header = metadata.get("traceparent").and_then(|value| value.to_str().ok());
    Ok(CommandRequest {
        request_id: edge::uuid("request_id", request_id)?,
        actor: principal.name.clone(),
        traceparent: request_traceparent(header),
        occurred_at: Instant::now(),
        expected_version: version(etag)?,
        validate_only,
        content: digest_of(metadata),
    })
}

/// Reads the version that the caller saw; none where it does not care.
fn version(etag: &str) -> Result<Option<u64>, Status> {
    if etag.is_empty() {
        return Ok(None);
    }
    match etag.parse() {
        Ok(version) if etag.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Some(version)),
        Ok(_) | Err(_) => {
            Err(invalid("etag", "is none of ours: send the one that the resource was read with"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::telemetry::{is_traceparent, trace_id};

    const ID: &str = "6f9619ff-8b86-4011-b42d-00c04fc964ff";

    fn read(request_id: &str, etag: &str, traceparent: &str) -> Result<CommandRequest, Status> {
        let principal = Principal { name: "anna".to_owned(), roles: BTreeSet::new() };
        let mut metadata = MetadataMap::new();
        metadata.insert("traceparent", traceparent.parse().unwrap());
        command_request(&principal, request_id, false, etag, &metadata)
    }

    #[test]
    fn a_command_brings_its_caller_its_id_its_version_and_its_trace() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = read(ID, "7", trace).unwrap();
        assert_eq!(request.actor, "anna");
        assert_eq!(request.request_id.to_string(), ID);
        assert_eq!(request.expected_version, Some(7));
        assert_eq!(trace_id(&request.traceparent), trace_id(trace));
        assert_eq!(read(ID, "", trace).unwrap().expected_version, None);
        assert!(is_traceparent(&read(ID, "", "nonsense").unwrap().traceparent));
    }

    #[test]
    fn a_missing_id_and_a_foreign_etag_are_refused() {
        assert!(read("", "", "").unwrap_err().message().starts_with("request_id: is missing"));
        for etag in ["x", "-1", "+1", "1.0", "99999999999999999999"] {
            assert!(read(ID, etag, "").unwrap_err().message().starts_with("etag: "), "{etag}");
        }
    }
}
