//! An assessment's completion releases its notices, after the last chunk of each partition.

use futures::future::BoxFuture;
use ristoro_domain::notice::QueueEvent;
use ristoro_domain::settlement;
use ristoro_log::Topic;
use ristoro_proto::wire::Wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::outbox::Outbox;
use ristoro_runtime::projection::decode;
use ristoro_runtime::stage::{Stage, StageContext, StageError};

use crate::streams::queue_stream;

/// Follows settlement.v1.
#[derive(Debug)]
pub struct Release;

impl Stage for Release {
    fn name(&self) -> &'static str {
        "notifier.release"
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
            let Some(outage) = record.envelope.stream.strip_prefix("settlement/") else {
                return Ok(());
            };
            if let settlement::Event::AssessmentCompleted { assessment, chunks, .. } =
                decode(record)?
            {
                for (partition, chunks) in (0..).zip(chunks) {
                    release(context, outbox, (&assessment, partition), chunks, outage).await?;
                }
            }
            Ok(())
        })
    }
}

async fn release(
    context: &StageContext,
    outbox: &mut Outbox,
    (assessment, partition): (&str, u32),
    chunks: u64,
    outage: &str,
) -> Result<(), StageError> {
    let stream = queue_stream(assessment, partition);
    let head = context.journal.head(Topic::Notice, &stream).await?;
    let version = head.map_or(0, |head| head.version);
    if version > chunks {
        // The release of an earlier attempt stands there: nothing else follows the last chunk.
        return Ok(());
    }
    if version < chunks {
        return Err(StageError::NotYet);
    }
    let event = QueueEvent::NoticesReleased { chunks, outage: outage.to_owned() };
    let (kind, payload) = (event.kind(), event.encode());
    match head {
        Some(head) => outbox.emit_after(head, Topic::Notice, partition, &stream, kind, payload),
        None => outbox.emit(Topic::Notice, partition, &stream, kind, payload),
    }
    Ok(())
}
