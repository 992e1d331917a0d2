//! A completed assessment releases its orders, on every partition: the stage over settlement.v1.

use futures::future::BoxFuture;
use ristoro_domain::order::Event;
use ristoro_domain::settlement::Event as Settled;
use ristoro_log::{StreamHead, Topic};
use ristoro_proto::wire::Wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::outbox::Outbox;
use ristoro_runtime::projection::decode;
use ristoro_runtime::stage::{Stage, StageContext, StageError};

use crate::streams::order_stream;

/// The stage over settlement.v1.
#[derive(Debug)]
pub struct Release;

impl Stage for Release {
    fn name(&self) -> &'static str {
        "payout.release"
    }

    fn topic(&self) -> Topic {
        Topic::Settlement
    }

    fn react<'a>(
        &'a self,
        context: &'a StageContext,
        record: &'a Accepted,
        outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            if !record.envelope.stream.starts_with("settlement/") {
                return Ok(());
            }
            match decode(record)? {
                Settled::AssessmentCompleted { assessment, chunks, .. } => {
                    release(context, &assessment, &chunks, outbox).await
                }
                Settled::AssessmentProposed(_)
                | Settled::AssessmentApproved { .. }
                | Settled::AssessmentRejected { .. }
                // What these two call off is void by the scan's own last record.
                | Settled::AssessmentCancelled { .. }
                | Settled::AssessmentStopped { .. } => Ok(()),
            }
        })
    }
}

async fn release(
    context: &StageContext,
    assessment: &str,
    chunks: &[u64],
    outbox: &mut Outbox,
) -> Result<(), StageError> {
    for (partition, chunks) in (0_u32..).zip(chunks.iter().copied()) {
        let stream = order_stream(assessment, partition);
        let head = context.journal.head(Topic::Payout, &stream).await?;
        end(outbox, (&stream, head), partition, chunks)?;
    }
    Ok(())
}

/// Emits the release of a partition's orders behind the last of them, unless it is there.
///
/// # Errors
/// `NotYet` while chunks are missing.
pub fn end(
    outbox: &mut Outbox,
    (stream, head): (&str, Option<StreamHead>),
    partition: u32,
    chunks: u64,
) -> Result<(), StageError> {
    let event = Event::OrdersReleased { chunks };
    let (kind, payload) = (event.kind(), event.encode());
    match head {
        None if chunks == 0 => outbox.emit(Topic::Payout, partition, stream, kind, payload),
        None => return Err(StageError::NotYet),
        Some(head) if head.version < chunks => return Err(StageError::NotYet),
        Some(head) if head.version == chunks => {
            outbox.emit_after(head, Topic::Payout, partition, stream, kind, payload);
        }
        // The stream has its end already, from an attempt before a crash.
        Some(_) => {}
    }
    Ok(())
}
