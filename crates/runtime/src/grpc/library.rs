//! Refusals of the gRPC library, before a method saw its request: they get a reason and a cure as ours have.

use ristoro_proto::ops::v1::ErrorReason;
use tonic::body::Body;
use tonic::codegen::http::Response;
use tonic::{Code, Status};

use crate::grpc::content::too_large;
use crate::status::refuse;

/// Gives the answer, or in place of a refusal that has no reason one that has.
pub(super) fn with_reason(response: Response<Body>, method: &str) -> Response<Body> {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    // All of ours carry an `ErrorInfo`, so what carries nothing is the library's.
    if !status.details().is_empty() {
        return response;
    }
    match explained(&status, method) {
        Some(ours) => ours.into_http(),
        None => response,
    }
}

fn explained(status: &Status, method: &str) -> Option<Status> {
    match status.code() {
        Code::Internal => {
            let message = format!(
                "the request is no message of {method} ({}): make the client's code from this version's protos",
                status.message()
            );
            let reason = ErrorReason::MalformedRequest;
            Some(refuse(Code::InvalidArgument, reason, message, &[("method", method.to_owned())]))
        }
        Code::Unimplemented => {
            let why = match status.message() {
                "" => "no method of this address has this name",
                given => given,
            };
            let message = format!("{method}: {why}: see by reflection what is served here");
            let reason = ErrorReason::MethodUnknown;
            Some(refuse(Code::Unimplemented, reason, message, &[("method", method.to_owned())]))
        }
        Code::OutOfRange => Some(too_large()),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => None,
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    fn reason(status: Status) -> Option<(Code, String)> {
        let answer = with_reason(status.into_http(), "/s/M");
        let status = Status::from_header_map(answer.headers())?;
        Some((status.code(), status.get_details_error_info()?.reason))
    }

    #[test]
    fn what_the_library_refuses_has_a_reason() {
        let check = |status, code, expected: &str| {
            assert_eq!(reason(status), Some((code, expected.to_owned())));
        };
        let undecodable = Status::internal("failed to decode Protobuf message");
        check(undecodable, Code::InvalidArgument, "MALFORMED_REQUEST");
        check(Status::unimplemented(""), Code::Unimplemented, "METHOD_UNKNOWN");
        check(Status::out_of_range("too long"), Code::OutOfRange, "REQUEST_TOO_LARGE");
    }

    #[test]
    fn what_has_a_reason_keeps_it() {
        let ours = refuse(Code::Internal, ErrorReason::Internal, "a fault of ours", &[]);
        assert_eq!(reason(ours), Some((Code::Internal, "INTERNAL".to_owned())));
    }
}
