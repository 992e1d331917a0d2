//! The projection of payout.v1: which stream's events each table folds.
//!
//! Everything here depends on the records of one partition alone, so partitions may be folded in any order.

use futures::future::BoxFuture;
use ristoro_domain::ledger;
use ristoro_domain::payout_chunk::OrderPhase;
use ristoro_domain::{order, payout};
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use sqlx::PgConnection;

use super::order::{end, insert_chunk};
use super::posting::{self, Entry, post_release};
use super::standing::Chunk;
use super::{difference, grant, payment_file, reservation, standing};

/// The name of the projection, under which the heads of its streams are kept.
pub const CONSUMER: &str = "payout.payouts";

/// Folds payout.v1.
#[derive(Debug)]
pub struct Payouts;

impl Projection for Payouts {
    fn name(&self) -> &'static str {
        CONSUMER
    }

    fn topic(&self) -> Topic {
        Topic::Payout
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                fold(tx, record).await?;
            }
            Ok(())
        })
    }
}

async fn fold(tx: &mut PgConnection, record: &Accepted) -> Result<(), FoldError> {
    let Some((kind, rest)) = record.envelope.stream.split_once('/') else { return Ok(()) };
    match kind {
        "order" => {
            let (assessment, _) = split(record, rest)?;
            ordered(tx, assessment, record, &decode(record)?).await
        }
        "payout" => {
            let (assessment, number) = split(record, rest)?;
            differs(tx, (assessment, number), record, &decode(record)?).await
        }
        "reserve" => {
            let (file, _) = split(record, rest)?;
            reservation::fold(tx, file, record, &decode(record)?).await
        }
        "payment-file" => payment_file::fold(tx, rest, record, &decode(record)?).await,
        "grant" => {
            let (assessment, _) = split(record, rest)?;
            grant::fold(tx, assessment, record, &decode(record)?).await
        }
        _ => Ok(()),
    }
}

/// Gives the id and the number that end the name of a stream.
fn split<'a>(record: &Accepted, rest: &'a str) -> Result<(&'a str, u64), FoldError> {
    let parts = rest.rsplit_once('/');
    let parts = parts.and_then(|(id, number)| Some((id, number.parse().ok()?)));
    parts.ok_or_else(|| unreadable(record, "its stream's name does not end with a number"))
}

fn unreadable(record: &Accepted, problem: &str) -> FoldError {
    FoldError::Payload { position: record.position, problem: problem.to_owned() }
}

async fn ordered(
    tx: &mut PgConnection,
    assessment: &str,
    record: &Accepted,
    event: &order::Event,
) -> Result<(), FoldError> {
    match event {
        order::Event::PayoutsOrdered(chunk) => {
            insert_chunk(tx, assessment, chunk, record).await?;
        }
        order::Event::OrdersReleased { .. } => {
            end(tx, assessment, OrderPhase::Released, record).await?;
            post_release(tx, assessment, record).await?;
        }
        order::Event::OrdersVoided => {
            end(tx, assessment, OrderPhase::Voided, record).await?;
        }
    }
    Ok(())
}

async fn differs(
    tx: &mut PgConnection,
    (assessment, number): (&str, u64),
    record: &Accepted,
    event: &payout::Event,
) -> Result<(), FoldError> {
    let chunk = standing::of_number(tx, assessment, record.position.partition, number).await?;
    let chunk =
        chunk.ok_or_else(|| unreadable(record, "it is about a payout that was never ordered"))?;
    let motion = chunk.standing.motion(number, record.envelope.occurred_at);
    let before = chunk.standing.standing(number);
    let failed_before = before.failure.is_some();
    let after = before.after(event, record.position.offset, motion.as_ref());
    difference::insert(tx, (assessment, number), record, event, (&after, motion.as_ref())).await?;
    let reason = match event {
        payout::Event::PayoutRejected { .. } => "rejected",
        payout::Event::PayoutReturned { .. } => "returned",
        payout::Event::PayoutHeld { .. }
        | payout::Event::PayoutReleased { .. }
        | payout::Event::PayoutRetried { .. } => return Ok(()),
    };
    // A return after a rejection brings the same money back only once.
    match failed_before {
        true => Ok(()),
        false => came_back(tx, (assessment, &chunk, number), record, reason).await,
    }
}

/// Posts the money of a transfer that the bank refused or that came back.
async fn came_back(
    tx: &mut PgConnection,
    (assessment, chunk, number): (&str, &Chunk, u64),
    record: &Accepted,
    reason: &'static str,
) -> Result<(), FoldError> {
    if chunk.standing.reserved_in(number).is_none() {
        return Ok(());
    }
    let order = chunk.standing.orders.order_of(number);
    let money = order.map_or(Ok(None), order::Order::transfer);
    let postings = money.and_then(|money| money.map_or(Ok(Vec::new()), ledger::came_back));
    let postings = postings.map_err(|error| unreadable(record, &error.to_string()))?;
    let entry = Entry { assessment, chunk: chunk.number, file: "", reason };
    posting::insert(tx, record, entry, postings).await?;
    Ok(())
}
