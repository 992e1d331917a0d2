//! What happens to every call before and after its service sees it: trace, token, room, deadline, count.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ristoro_proto::ops::v1::ErrorReason;
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument;

use crate::grpc::body::{CallBody, CallRecord, code_of};
use crate::grpc::content;
use crate::grpc::library::with_reason;
use crate::grpc::method::{Methods, is_open};
use crate::grpc::principals::Principals;
use crate::metrics::Metrics;
use crate::status::refuse;
use crate::telemetry::parent_from;

/// What all calls of a server share.
#[derive(Debug)]
pub(super) struct CallSettings {
    pub(super) principals: Principals,
    pub(super) methods: Methods,
    pub(super) metrics: Metrics,
    /// The bound for a call that does not stream.
    pub(super) deadline: Duration,
    pub(super) room: Arc<Semaphore>,
    pub(super) shutdown: CancellationToken,
}

/// Puts `Calls` around the routes.
#[derive(Clone, Debug)]
pub(super) struct CallLayer(pub(super) Arc<CallSettings>);

/// The service that every call goes through.
#[derive(Clone, Debug)]
pub(super) struct Calls<S> {
    inner: S,
    settings: Arc<CallSettings>,
}

impl<S> Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls { inner, settings: Arc::clone(&self.0) }
    }
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S> Service<Request<Body>> for Calls<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The clone that was polled ready makes the call; its copy stays behind for the next.
        let copy = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, copy);
        let settings = Arc::clone(&self.settings);
        let path = request.uri().path().to_owned();
        if is_open(&path) {
            let mut inner = inner;
            return Box::pin(inner.call(request));
        }
        let method = settings.methods.metric_name(&path);
        let span = tracing::info_span!(
            "grpc",
            otel.name = %method,
            otel.kind = "server",
            rpc.system = "grpc",
            rpc.grpc.status_code = tracing::field::Empty,
        );
        if let Some(traceparent) = text_header(request.headers(), "traceparent") {
            parent_from(&span, traceparent);
        }
        let mut record = CallRecord {
            metrics: settings.metrics.clone(),
            method,
            span: span.clone(),
            took: Duration::ZERO,
            code: None,
            in_work: None,
        };
        content::strip(&mut request);
        if let Err(status) = admit(&settings, &mut request, &mut record) {
            record.code = Some(status.code());
            return Box::pin(std::future::ready(Ok(status.into_http())));
        }
        // The clock starts here, before the one of the transport, whose answer would carry no reason.
        let bound = bound(&settings, &path, request.headers());
        let deadline = bound.map(|bound| Box::pin(tokio::time::sleep(bound)));
        Box::pin(answer(inner, request, settings, record, deadline).instrument(span))
    }
}

/// Finds out who calls and whether there is room.
fn admit(
    settings: &CallSettings,
    request: &mut Request<Body>,
    record: &mut CallRecord,
) -> Result<(), Status> {
    let principal = settings.principals.authenticate(request.headers())?;
    request.extensions_mut().insert(principal);
    let Ok(permit) = Arc::clone(&settings.room).try_acquire_owned() else {
        let message = "the server has as many calls in work as it takes: try again in a moment";
        return Err(refuse(Code::ResourceExhausted, ErrorReason::TooManyRequests, message, &[]));
    };
    record.in_work = Some((permit, settings.metrics.call_in_work()));
    Ok(())
}

async fn answer<S>(
    mut inner: S,
    request: Request<Body>,
    settings: Arc<CallSettings>,
    mut record: CallRecord,
    mut deadline: Option<Pin<Box<Sleep>>>,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let began = Instant::now();
    let path = request.uri().path().to_owned();
    let response = {
        let late = async {
            match deadline.as_mut() {
                Some(deadline) => deadline.as_mut().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            response = content_and_call(&mut inner, request, &settings) => Some(response?),
            () = late => None,
        }
    };
    record.took = began.elapsed();
    let Some(response) = response else {
        record.code = Some(Code::DeadlineExceeded);
        return Ok(deadline_exceeded().into_http());
    };
    let response = with_reason(response, &path);
    if response.headers().contains_key("grpc-status") {
        record.code = Some(code_of(response.headers()));
    }
    let shutdown = Box::pin(settings.shutdown.clone().cancelled_owned());
    Ok(response
        .map(|inner| Body::new(CallBody { inner, deadline, shutdown, record, ended: false })))
}

/// Calls; a request that does not stream is read first, so that its `request_id` can be bound to its content.
async fn content_and_call<S>(
    inner: &mut S,
    request: Request<Body>,
    settings: &CallSettings,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    if settings.methods.streams(request.uri().path()) {
        return inner.call(request).await;
    }
    match content::read(request).await {
        Ok(request) => inner.call(request).await,
        Err(status) => Ok(status.into_http()),
    }
}

/// Gives the status of a call that took too long.
pub(super) fn deadline_exceeded() -> Status {
    let message = "the call took longer than its deadline; a command may still take effect: \
                   send it again with the same request_id";
    refuse(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, message, &[])
}

/// Gives how long the call may take: what its caller says, and where it does not stream at most the server's bound.
fn bound(settings: &CallSettings, path: &str, headers: &HeaderMap) -> Option<Duration> {
    let asked = text_header(headers, "grpc-timeout").and_then(parse_timeout);
    if settings.methods.streams(path) {
        return asked;
    }
    Some(asked.map_or(settings.deadline, |asked| asked.min(settings.deadline)))
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Reads `grpc-timeout`: at most eight digits and a unit, as the gRPC protocol defines it.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    /// A service that never answers.
    #[derive(Clone)]
    struct Silent;

    impl Service<Request<Body>> for Silent {
        type Response = Response<Body>;
        type Error = std::convert::Infallible;
        type Future = std::future::Pending<Result<Response<Body>, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            std::future::pending()
        }
    }

    #[tokio::test]
    async fn the_callers_deadline_ends_a_call_with_a_reason() {
        // SHA-256 of `secret`.
        let principals = "[[principal]]\nname = \"anna\"\nroles = []\ntoken_sha256 = \
                          \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";
        let settings = CallSettings {
            principals: Principals::parse("p.toml", principals).unwrap(),
            methods: Methods::known(),
            metrics: Metrics::default(),
            deadline: Duration::from_secs(60),
            room: Arc::new(Semaphore::new(1)),
            shutdown: CancellationToken::new(),
        };
        let mut calls = CallLayer(Arc::new(settings)).layer(Silent);
        let request = Request::post("http://h/ristoro.ops.v1.PoisonService/ListPoison")
            .header("authorization", "Bearer secret")
            .header("grpc-timeout", "20m")
            .body(Body::empty())
            .unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(5), calls.call(request)).await;
        let answer = answer.unwrap().unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.get_details_error_info().unwrap().reason, "DEADLINE_EXCEEDED");
    }

    #[test]
    fn a_deadline_is_read_in_every_unit() {
        let check = |text, expected| assert_eq!(parse_timeout(text), expected, "{text:?}");
        check("2H", Some(Duration::from_secs(7200)));
        check("3M", Some(Duration::from_secs(180)));
        check("5S", Some(Duration::from_secs(5)));
        check("250m", Some(Duration::from_millis(250)));
        check("99999999n", Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "S", "5", "999999999S", "-1S", "5x", "é"] {
            check(bad, None);
        }
    }
}
