//! Decisions, chunk by chunk, become notices that wait for the assessment's completion.

use futures::future::BoxFuture;
use ristoro_domain::decided;
use ristoro_domain::notice::{QueueEvent, QueuedChunk};
use ristoro_log::Topic;
use ristoro_proto::wire::Wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::outbox::Outbox;
use ristoro_runtime::projection::decode;
use ristoro_runtime::stage::{Stage, StageContext, StageError};

use crate::streams::{parse_numbered, queue_stream};

/// The type of a chunk of decisions: what it is answered with has its number.
const DECIDED: &str = "EntitlementsDecided";

/// Follows entitlement.v1.
#[derive(Debug)]
pub struct Queue;

impl Stage for Queue {
    fn name(&self) -> &'static str {
        "notifier.queue"
    }

    fn topic(&self) -> Topic {
        Topic::Entitlement
    }

    fn react<'a>(
        &'a self,
        _context: &'a StageContext,
        record: &'a Accepted,
        outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let Some((assessment, _)) = parse_numbered(&record.envelope.stream, "scan") else {
                return Ok(());
            };
            if let Some(event) = answer(record)? {
                emit(outbox, record, assessment, &event);
            }
            Ok(())
        })
    }

    fn skip<'a>(
        &'a self,
        _context: &'a StageContext,
        record: &'a Accepted,
        outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            if let Some((assessment, _)) = parse_numbered(&record.envelope.stream, "scan")
                && record.envelope.kind == DECIDED
            {
                let skipped = QueuedChunk { skipped: true, ..QueuedChunk::default() };
                emit(outbox, record, assessment, &QueueEvent::NoticesQueued(skipped));
            }
            Ok(())
        })
    }
}

fn answer(record: &Accepted) -> Result<Option<QueueEvent>, StageError> {
    match decode::<decided::Event>(record)? {
        decided::Event::EntitlementsDecided(chunk) => {
            let queued = QueuedChunk::of(&chunk).map_err(|error| StageError::Payload {
                position: record.position,
                problem: error.to_string(),
            })?;
            Ok(Some(QueueEvent::NoticesQueued(queued)))
        }
        decided::Event::ScanVoided => Ok(Some(QueueEvent::NoticesVoided)),
        // The release waits for all partitions.
        decided::Event::ScanCompleted { .. } => Ok(None),
    }
}

fn emit(outbox: &mut Outbox, record: &Accepted, assessment: &str, event: &QueueEvent) {
    let partition = record.position.partition;
    let stream = queue_stream(assessment, partition);
    outbox.emit(Topic::Notice, partition, &stream, event.kind(), event.encode());
}
