//! The writer of what is folded from payout.v1: `order_stream`, `order_chunk`, `payout_difference` and `posting`.

use futures::future::BoxFuture;
use ristoro_domain::{order, payout};
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use sqlx::PgConnection;

use super::order::{StreamState, end, insert_chunk};
use super::posting::post_release;
use super::stored::{partition_number, signed};

/// Folds payout.v1.
#[derive(Debug)]
pub struct Payouts;

impl Projection for Payouts {
    fn name(&self) -> &'static str {
        "payout.payouts"
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
                let stream = record.envelope.stream.as_str();
                if let Some(rest) = stream.strip_prefix("order/") {
                    let (assessment, _) = split(record, rest)?;
                    ordered(tx, assessment, record, &decode(record)?).await?;
                } else if let Some(rest) = stream.strip_prefix("payout/") {
                    let (assessment, number) = split(record, rest)?;
                    differs(tx, (assessment, number), record, decode(record)?).await?;
                }
            }
            Ok(())
        })
    }
}

/// Gives the assessment and the number that end the name of a stream.
fn split<'a>(record: &Accepted, rest: &'a str) -> Result<(&'a str, u64), FoldError> {
    let parts = rest.rsplit_once('/');
    let parts = parts.and_then(|(assessment, number)| Some((assessment, number.parse().ok()?)));
    parts.ok_or_else(|| FoldError::Payload {
        position: record.position,
        problem: "its stream's name does not end with an assessment and a number".to_owned(),
    })
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
            end(tx, assessment, StreamState::Released, record).await?;
            post_release(tx, assessment, record).await?;
        }
        order::Event::OrdersVoided => {
            end(tx, assessment, StreamState::Voided, record).await?;
        }
    }
    Ok(())
}

async fn differs(
    tx: &mut PgConnection,
    (assessment, number): (&str, u64),
    record: &Accepted,
    event: payout::Event,
) -> Result<(), sqlx::Error> {
    let (kind, note, attempt) = match event {
        payout::Event::PayoutHeld { note } => ("held", note, None),
        payout::Event::PayoutReleased { note } => ("let_go", note, None),
        payout::Event::PayoutRejected { reason_code } => ("rejected", reason_code, None),
        payout::Event::PayoutReturned { reason_code } => ("returned", reason_code, None),
        payout::Event::PayoutRetried { attempt } => ("retried", String::new(), Some(attempt)),
    };
    let attempt = attempt.map(|attempt| i32::try_from(attempt).expect("attempts are few"));
    sqlx::query(
        "insert into payout_difference (assessment, number, version, partition, record_offset, occurred_at, \
         kind, note, attempt) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(assessment)
    .bind(signed(number))
    .bind(signed(record.envelope.version))
    .bind(partition_number(record.position.partition))
    .bind(signed(record.position.offset))
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(kind)
    .bind(note)
    .bind(attempt)
    .execute(tx)
    .await
    .map(|_| ())
}
