//! The body of an answer: ends an open stream at its deadline and when the server shuts down, and is counted once.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::body::Body;
use tonic::codegen::http::HeaderMap;
use tonic::{Code, Status};

use crate::grpc::call::deadline_exceeded;
use crate::metrics::{CallInWork, Metrics};
use crate::status::shutting_down;

/// What is counted of a call when its answer is over, or nobody waits for it any more.
#[derive(Debug)]
pub(super) struct CallRecord {
    pub(super) metrics: Metrics,
    pub(super) method: String,
    pub(super) span: tracing::Span,
    /// The time until the answer began.
    pub(super) took: Duration,
    /// Known from the headers where there is no stream, from the trailers else.
    pub(super) code: Option<Code>,
    pub(super) in_work: Option<(OwnedSemaphorePermit, CallInWork)>,
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        // Without a code the caller went away before the end.
        let code = self.code.unwrap_or(Code::Cancelled);
        self.span.record("rpc.grpc.status_code", code as i32);
        self.metrics.call(&self.method, code, self.took);
    }
}

/// The body that is sent.
pub(super) struct CallBody {
    pub(super) inner: Body,
    pub(super) deadline: Option<Pin<Box<Sleep>>>,
    pub(super) shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    pub(super) record: CallRecord,
    pub(super) ended: bool,
}

impl CallBody {
    /// Ends the stream with trailers of our own.
    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.ended = true;
        self.record.code = Some(status.code());
        let mut trailers = HeaderMap::new();
        if let Err(problem) = status.add_header(&mut trailers) {
            return Poll::Ready(Some(Err(problem)));
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl HttpBody for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let span = this.record.span.clone();
        let entered = span.enter();
        let polled = Pin::new(&mut this.inner).poll_frame(context);
        drop(entered);
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.record.code = Some(code_of(trailers));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(status))) => {
                this.record.code = Some(status.code());
                Poll::Ready(Some(Err(status)))
            }
            Poll::Ready(None) => {
                this.ended = true;
                Poll::Ready(None)
            }
            // Only a stream that waits is ended, so an answer that is under way arrives whole.
            Poll::Pending => {
                let late = this
                    .deadline
                    .as_mut()
                    .is_some_and(|sleep| sleep.as_mut().poll(context).is_ready());
                if late {
                    return this.end(&deadline_exceeded());
                }
                if this.shutdown.as_mut().poll(context).is_ready() {
                    return this.end(&shutting_down());
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Reads the code out of headers or trailers; OK where they have none.
pub(super) fn code_of(headers: &HeaderMap) -> Code {
    headers.get("grpc-status").map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}
