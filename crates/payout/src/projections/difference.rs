//! What happened to single payouts, one row an event, each with where the person stands after it.

use std::collections::BTreeMap;

use ristoro_domain::payout::{Event, Failure, Motion};
use ristoro_domain::payout_chunk::Standing;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::stored::{signed, small, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

/// Keeps an event and where the person stands after it. `motion` is what stood in the way of a hold.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut PgConnection,
    (assessment, number): (&str, u64),
    record: &Accepted,
    event: &Event,
    (standing, motion): (&Standing, Option<&Motion>),
) -> Result<(), sqlx::Error> {
    let (kind, note) = described(event);
    let is_hold = matches!(event, Event::PayoutHeld { .. });
    let motion = motion.filter(|_| is_hold).map(motion_columns);
    let (motion, motion_id) = motion.map_or((None, ""), |(number, id)| (Some(number), id));
    let failure = standing.failure.as_ref();
    let attempt = |attempt: u32| i32::try_from(attempt).expect("attempts are few");
    sqlx::query(
        "insert into payout_difference (assessment, number, version, partition, record_offset, occurred_at, kind, \
         note, actor, motion, motion_id, held, attempt, transfer_attempt, failure, reason_code, retried_offset) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(assessment)
    .bind(signed(number))
    .bind(signed(record.envelope.version))
    .bind(small(record.position.partition))
    .bind(signed(record.position.offset))
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(kind)
    .bind(note)
    .bind(&record.envelope.actor)
    .bind(motion)
    .bind(motion_id)
    .bind(standing.held)
    .bind(attempt(standing.attempt))
    .bind(attempt(standing.transfer_attempt))
    .bind(failure.map(|failure| if failure.returned { 2_i16 } else { 1 }))
    .bind(failure.map_or("", |failure| &failure.reason_code))
    .bind(standing.retried_at.map(signed))
    .execute(tx)
    .await
    .map(|_| ())
}

fn described(event: &Event) -> (&'static str, &str) {
    match event {
        Event::PayoutHeld { note } => ("held", note),
        Event::PayoutReleased { note } => ("let_go", note),
        Event::PayoutRejected { reason_code } => ("rejected", reason_code),
        Event::PayoutReturned { reason_code } => ("returned", reason_code),
        Event::PayoutRetried { .. } => ("retried", ""),
    }
}

fn motion_columns(motion: &Motion) -> (i16, &str) {
    match motion {
        // Whether the file went to the bank stands on another partition: the fold does not look there.
        Motion::File { file } | Motion::Bank { file } => (1, file),
        Motion::Lease { lease } => (2, lease),
        Motion::Done => (3, ""),
    }
}

fn motion_of(number: i16, id: String) -> Result<Motion, sqlx::Error> {
    match number {
        1 => Ok(Motion::File { file: id }),
        2 => Ok(Motion::Lease { lease: id }),
        3 => Ok(Motion::Done),
        other => Err(sqlx::Error::Protocol(format!("payout_difference.motion {other} is none"))),
    }
}

/// Gives where the people of an inclusive range of numbers stand, those whose own stream has an event.
///
/// # Errors
/// The database's.
pub async fn standings(
    connection: &mut PgConnection,
    assessment: &str,
    (first, last): (u64, u64),
) -> Result<BTreeMap<u64, Standing>, sqlx::Error> {
    let rows = sqlx::query(
        "select distinct on (number) number, version, held, attempt, transfer_attempt, failure, reason_code, \
         retried_offset from payout_difference where assessment = $1 and number between $2 and $3 \
         order by number, version desc",
    )
    .bind(assessment)
    .bind(signed(first))
    .bind(signed(last))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((unsigned(row.try_get("number")?), standing(row)?))).collect()
}

fn standing(row: &PgRow) -> Result<Standing, sqlx::Error> {
    let (attempt, transfer): (i32, i32) =
        (row.try_get("attempt")?, row.try_get("transfer_attempt")?);
    let failure: Option<i16> = row.try_get("failure")?;
    let reason_code: String = row.try_get("reason_code")?;
    let retried: Option<i64> = row.try_get("retried_offset")?;
    Ok(Standing {
        version: unsigned(row.try_get("version")?),
        held: row.try_get("held")?,
        attempt: attempt.unsigned_abs(),
        transfer_attempt: transfer.unsigned_abs(),
        failure: failure.map(|failure| Failure { returned: failure == 2, reason_code }),
        retried_at: retried.map(unsigned),
    })
}

/// Gives what stood in the way of the last hold up to a version of a person's stream; none where it took effect, or where
/// there is none.
///
/// # Errors
/// The database's.
pub async fn obstacle(
    connection: &mut PgConnection,
    assessment: &str,
    number: u64,
    version: u64,
) -> Result<Option<Motion>, sqlx::Error> {
    let row = sqlx::query(
        "select motion, motion_id from payout_difference where assessment = $1 and number = $2 \
         and version <= $3 and kind = 'held' order by version desc limit 1",
    )
    .bind(assessment)
    .bind(signed(number))
    .bind(signed(version))
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let motion: Option<i16> = row.try_get("motion")?;
    let id: String = row.try_get("motion_id")?;
    motion.map(|number| motion_of(number, id)).transpose()
}

/// Gives why a payout is held, by the last hold that took effect.
///
/// # Errors
/// The database's.
pub async fn effective_hold(
    connection: &mut PgConnection,
    assessment: &str,
    number: u64,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select note from payout_difference where assessment = $1 and number = $2 \
         and kind = 'held' and motion is null order by version desc limit 1",
    )
    .bind(assessment)
    .bind(signed(number))
    .fetch_optional(connection)
    .await
}
