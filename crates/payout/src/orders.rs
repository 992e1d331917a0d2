//! Decisions become orders, chunk by chunk under the same numbers: the stage over entitlement.v1.
//!
//! Channels are chosen as of the roster that the assessment is pinned to, so a chunk that is answered again gives the
//! same bytes again.

use futures::future::BoxFuture;
use ristoro_domain::decided::{Chunk, Event as Decided};
use ristoro_domain::order::{Event, OrderChunk, order};
use ristoro_log::Topic;
use ristoro_proto::wire::Wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::outbox::Outbox;
use ristoro_runtime::projection::decode;
use ristoro_runtime::stage::{Stage, StageContext, StageError};
use ristoro_runtime::views::Views;

use crate::projections::{assessment, payable};
use crate::streams::order_stream;

/// The stage over entitlement.v1.
#[derive(Debug)]
pub struct Orders;

impl Stage for Orders {
    fn name(&self) -> &'static str {
        "payout.orders"
    }

    fn topic(&self) -> Topic {
        Topic::Entitlement
    }

    fn react<'a>(
        &'a self,
        context: &'a StageContext,
        record: &'a Accepted,
        outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let Some(assessment) = scan_of(&record.envelope.stream) else { return Ok(()) };
            match decode(record)? {
                Decided::EntitlementsDecided(chunk) => {
                    let ordered = order_chunk(context, record, assessment, &chunk).await?;
                    emit(outbox, record, assessment, &Event::PayoutsOrdered(ordered));
                }
                // Released is what the settlement completes, not a partition alone.
                Decided::ScanCompleted { .. } => {}
                Decided::ScanVoided => emit(outbox, record, assessment, &Event::OrdersVoided),
            }
            Ok(())
        })
    }

    fn skip<'a>(
        &'a self,
        context: &'a StageContext,
        record: &'a Accepted,
        outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let is_chunk = record.envelope.kind == "EntitlementsDecided";
            if let (Some(assessment), true) = (scan_of(&record.envelope.stream), is_chunk) {
                let mut view = context.views.begin().await?;
                let pinned = assessment::roster_offsets(&mut view, assessment).await?;
                view.rollback().await?;
                let partition = record.position.partition as usize;
                // A scan of a partition without a pin cannot be answered otherwise: its skip must not fail as well.
                let pin = pinned.ok_or(StageError::NotYet)?.get(partition).copied().unwrap_or(0);
                let skipped = OrderChunk { skipped: true, ..OrderChunk::default() };
                let chunk = OrderChunk { roster_offset: pin, ..skipped };
                emit(outbox, record, assessment, &Event::PayoutsOrdered(chunk));
            }
            Ok(())
        })
    }
}

/// Gives the assessment of `scan/{assessment}/{partition}`.
fn scan_of(stream: &str) -> Option<&str> {
    stream.strip_prefix("scan/")?.rsplit_once('/').map(|(assessment, _)| assessment)
}

fn emit(outbox: &mut Outbox, record: &Accepted, assessment: &str, event: &Event) {
    let partition = record.position.partition;
    let stream = order_stream(assessment, partition);
    outbox.emit(Topic::Payout, partition, &stream, event.kind(), event.encode());
}

async fn order_chunk(
    context: &StageContext,
    record: &Accepted,
    assessment: &str,
    chunk: &Chunk,
) -> Result<OrderChunk, StageError> {
    let unreadable = |problem: String| StageError::Payload { position: record.position, problem };
    let partition = record.position.partition;
    let mut view = context.views.begin().await?;
    let pinned = assessment::roster_offsets(&mut view, assessment).await?;
    let pinned = pinned.ok_or(StageError::NotYet)?;
    let pin = pinned.get(partition as usize).copied().ok_or_else(|| {
        unreadable(format!("assessment {assessment} pins no roster of partition {partition}"))
    })?;
    let positions = Views::positions(&mut view).await?;
    if positions.get(&(Topic::Subscriber, partition)).copied().unwrap_or(0) < pin {
        return Err(StageError::NotYet);
    }
    let entitled = |(number, reason): (u64, u32)| {
        let reason = chunk.reasons.get(reason as usize)?;
        (!reason.remedies.is_empty()).then_some(number)
    };
    let numbers: Vec<u64> = chunk.columns.iter().filter_map(entitled).collect();
    let at = record.envelope.occurred_at;
    let payables = payable::payables(&mut view, &numbers, pin, at).await?;
    view.rollback().await?;
    order(chunk, payables, pin).map_err(|error| unreadable(error.to_string()))
}
