//! The content of a call that does not stream: read whole, up to a limit, and its digest, which a request_id is bound to.

use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use ristoro_proto::ops::v1::ErrorReason;
use sha2::{Digest, Sha256};
use tonic::body::Body;
use tonic::codegen::http::Request;
use tonic::codegen::http::header::{HeaderName, HeaderValue};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::edge::{digest, hex};
use crate::grpc::auth::Principal;
use crate::status::refuse;

/// How large a request may be, in bytes: what the generated servers take.
const MAXIMUM_MESSAGE: usize = 4 << 20;
/// What gRPC puts before a message: a flag and its length.
const PREFIX: usize = 5;
/// Carries the digest from here to the service. What a caller sends under this name is taken off.
const HEADER: HeaderName = HeaderName::from_static("ristoro-content-digest");

/// A digest of who asks what of which method.
pub type ContentDigest = [u8; 32];

/// Takes off what only the server may say of a request.
pub(super) fn strip(request: &mut Request<Body>) {
    request.headers_mut().remove(HEADER);
}

/// Reads the request whole and puts its digest where [`digest_of`] finds it.
///
/// The bytes count as they are sent: a retry of the same call has the same ones.
///
/// # Errors
/// OUT_OF_RANGE for more than 4 MiB, CANCELLED where the caller goes away before the end.
pub(super) async fn read(request: Request<Body>) -> Result<Request<Body>, Status> {
    let (mut parts, body) = request.into_parts();
    let bytes = whole(body).await?;
    let mut hasher = Sha256::new();
    hasher.update(parts.uri.path());
    if let Some(principal) = parts.extensions.get::<Principal>() {
        hasher.update(format!("\n{}\n", principal.name));
    }
    hasher.update(&bytes);
    let text = hex(&hasher.finalize());
    let value = HeaderValue::from_str(&text).expect("hexadecimal digits can stand in a header");
    parts.headers.insert(HEADER, value);
    Ok(Request::from_parts(parts, Body::new(Whole(Some(bytes)))))
}

/// Gives the digest of the request that this metadata came with; none where it streams.
pub(super) fn digest_of(metadata: &MetadataMap) -> Option<ContentDigest> {
    digest("content", metadata.get(HEADER.as_str())?.to_str().ok()?).ok()
}

async fn whole(body: Body) -> Result<Bytes, Status> {
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > MAXIMUM_MESSAGE + PREFIX {
            return Err(too_large());
        }
    }
    Ok(bytes.freeze())
}

/// Refuses a message over the limit.
pub(super) fn too_large() -> Status {
    let message = format!(
        "the request has more than {MAXIMUM_MESSAGE} bytes: send less at once, in several requests"
    );
    let limit = [("limit_bytes", MAXIMUM_MESSAGE.to_string())];
    refuse(Code::OutOfRange, ErrorReason::RequestTooLarge, message, &limit)
}

/// A body that is there already.
struct Whole(Option<Bytes>);

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        let taken = self.0.take().map(|bytes| Ok(http_body::Frame::data(bytes)));
        std::task::Poll::Ready(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    async fn digest_for(path: &str, name: &str, content: &'static str) -> ContentDigest {
        let principal = Principal { name: name.to_owned(), roles: BTreeSet::new() };
        let body = Body::new(Whole(Some(Bytes::from_static(content.as_bytes()))));
        let mut request = Request::post(path).body(body).unwrap();
        request.headers_mut().insert(HEADER, HeaderValue::from_static("a caller's own"));
        request.extensions_mut().insert(principal);
        strip(&mut request);
        let read = read(request).await.unwrap();
        let metadata = MetadataMap::from_headers(read.headers().clone());
        digest_of(&metadata).unwrap()
    }

    #[tokio::test]
    async fn another_content_method_or_person_is_another_digest() {
        let known = digest_for("/s/Declare", "anna", "a").await;
        assert_eq!(digest_for("/s/Declare", "anna", "a").await, known);
        assert_ne!(digest_for("/s/Declare", "anna", "b").await, known);
        assert_ne!(digest_for("/s/Amend", "anna", "a").await, known);
        assert_ne!(digest_for("/s/Declare", "bo", "a").await, known);
    }

    #[tokio::test]
    async fn what_is_over_the_limit_is_not_read_to_its_end() {
        let bytes = Bytes::from(vec![0; MAXIMUM_MESSAGE + PREFIX + 1]);
        let status = whole(Body::new(Whole(Some(bytes)))).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange);
    }
}
