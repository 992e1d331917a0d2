//! What payment files hold: chunk by chunk as far as it took effect, and how far each partition's stream is.

use ristoro_domain::money::{Currency, Money};
use ristoro_domain::payout_chunk::Holding;
use ristoro_domain::reservation::{Closing, Event, Phase, Reserved, ReservedRow, State};
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::FoldError;
use ristoro_runtime::stored::{decode_error, signed, small, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::standing;

/// One partition of a payment file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamRow {
    /// The partition.
    pub partition: u32,
    /// For the decider of reservations.
    pub state: State,
    /// Transfers that took effect so far.
    pub count: u64,
    /// Their sum in minor units.
    pub total_minor: i64,
    /// What the end of the stream states.
    pub closing: Option<Closing>,
}

/// Payouts of one chunk that a file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldChunk {
    /// The assessment.
    pub assessment: String,
    /// The chunk.
    pub chunk: u64,
    /// Who.
    pub rows: Vec<ReservedRow>,
}

/// Folds an event of `reserve/{file}/{partition}`.
///
/// # Errors
/// `Payload` where sums leave 64 bits, and the database's.
pub async fn fold(
    tx: &mut PgConnection,
    file: &str,
    record: &Accepted,
    event: &Event,
) -> Result<(), FoldError> {
    let partition = record.position.partition;
    let known = stream(tx, file, partition).await?;
    let phase = known.map_or(Phase::Open, |row| row.state.phase);
    match event {
        Event::PayoutsReserved(reserved) => {
            let taken = match phase {
                Phase::Open => take(tx, record, reserved).await?,
                Phase::Closed | Phase::Released => Vec::new(),
            };
            insert(tx, file, record, reserved, &taken).await?;
            advance(tx, (file, partition), reserved, &taken).await?;
        }
        Event::ReservationClosed(closing) => {
            close(tx, (file, partition), closing).await?;
        }
        Event::ReservationReleased => release(tx, (file, partition)).await?,
    }
    Ok(())
}

/// Gives those of the payouts that the reservation takes at its place of the partition.
async fn take(
    tx: &mut PgConnection,
    record: &Accepted,
    reserved: &Reserved,
) -> Result<Vec<ReservedRow>, FoldError> {
    let (assessment, partition) = (&reserved.assessment, record.position.partition);
    let Some(chunk) = standing::at(tx, assessment, partition, reserved.chunk).await? else {
        return Ok(Vec::new());
    };
    chunk.standing.reserve(&reserved.rows).map_err(|error| FoldError::Payload {
        position: record.position,
        problem: format!("its amounts cannot be compared: {error}"),
    })
}

async fn insert(
    tx: &mut PgConnection,
    file: &str,
    record: &Accepted,
    reserved: &Reserved,
    taken: &[ReservedRow],
) -> Result<(), sqlx::Error> {
    if taken.is_empty() {
        return Ok(());
    }
    let attempt = |row: &ReservedRow| i32::try_from(row.attempt).expect("attempts are few");
    sqlx::query(
        "insert into reservation (assessment, partition, chunk, record_offset, file, numbers, amounts_minor, attempts) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&reserved.assessment)
    .bind(small(record.position.partition))
    .bind(signed(reserved.chunk))
    .bind(signed(record.position.offset))
    .bind(file)
    .bind(taken.iter().map(|row| signed(row.number)).collect::<Vec<_>>())
    .bind(taken.iter().map(|row| row.amount_minor).collect::<Vec<_>>())
    .bind(taken.iter().map(attempt).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}

async fn advance(
    tx: &mut PgConnection,
    (file, partition): (&str, u32),
    reserved: &Reserved,
    taken: &[ReservedRow],
) -> Result<(), sqlx::Error> {
    let sum = taken.iter().fold(0_i64, |sum, row| sum.saturating_add(row.amount_minor));
    sqlx::query(
        "insert into reservation_stream as known (file, partition, phase, cursor_assessment, cursor_chunk, count, \
         total_minor) values ($1, $2, 1, $3, $4, $5, $6) on conflict (file, partition) do update \
         set cursor_assessment = $3, cursor_chunk = $4, count = known.count + $5, total_minor = known.total_minor + $6",
    )
    .bind(file)
    .bind(small(partition))
    .bind(&reserved.assessment)
    .bind(signed(reserved.chunk))
    .bind(i64::try_from(taken.len()).expect("a chunk is small"))
    .bind(sum)
    .execute(tx)
    .await
    .map(|_| ())
}

async fn close(
    tx: &mut PgConnection,
    (file, partition): (&str, u32),
    closing: &Closing,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into reservation_stream as known (file, partition, phase, cursor_assessment, cursor_chunk, count, \
         total_minor, closed_count, closed_minor, closed_currency, closed_digest) \
         values ($1, $2, 2, '', 0, 0, 0, $3, $4, $5, $6) on conflict (file, partition) do update \
         set phase = 2, closed_count = $3, closed_minor = $4, closed_currency = $5, closed_digest = $6 \
         where known.phase = 1",
    )
    .bind(file)
    .bind(small(partition))
    .bind(signed(closing.count))
    .bind(closing.total.minor)
    .bind(closing.total.currency.code())
    .bind(closing.digest.as_slice())
    .execute(tx)
    .await
    .map(|_| ())
}

async fn release(tx: &mut PgConnection, (file, partition): (&str, u32)) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into reservation_stream (file, partition, phase, cursor_assessment, cursor_chunk, count, total_minor) \
         values ($1, $2, 3, '', 0, 0, 0) on conflict (file, partition) do update set phase = 3",
    )
    .bind(file)
    .bind(small(partition))
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives what files hold of a chunk, in the order of the partition.
///
/// # Errors
/// The database's.
pub async fn holdings(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    chunk: u64,
) -> Result<Vec<Holding>, sqlx::Error> {
    let rows = sqlx::query(
        "select file, phase = 3 as released, numbers, amounts_minor, attempts \
         from reservation join reservation_stream using (file, partition) \
         where assessment = $1 and partition = $2 and chunk = $3 order by record_offset",
    )
    .bind(assessment)
    .bind(small(partition))
    .bind(signed(chunk))
    .fetch_all(connection)
    .await?;
    let holding = |row: &PgRow| {
        let (file, released) = (row.try_get("file")?, row.try_get("released")?);
        Ok(Holding { file, released, rows: reserved_rows(row)? })
    };
    rows.iter().map(holding).collect()
}

fn reserved_rows(row: &PgRow) -> Result<Vec<ReservedRow>, sqlx::Error> {
    let numbers: Vec<i64> = row.try_get("numbers")?;
    let amounts: Vec<i64> = row.try_get("amounts_minor")?;
    let attempts: Vec<i32> = row.try_get("attempts")?;
    let columns = numbers.into_iter().zip(amounts).zip(attempts);
    let reserved = |((number, amount_minor), attempt): ((i64, i64), i32)| ReservedRow {
        number: unsigned(number),
        amount_minor,
        attempt: attempt.unsigned_abs(),
    };
    Ok(columns.map(reserved).collect())
}

/// Gives what a file holds on a partition, in the order of its stream, behind a record.
///
/// # Errors
/// The database's.
pub async fn held_chunks(
    connection: &mut PgConnection,
    file: &str,
    partition: u32,
) -> Result<Vec<HeldChunk>, sqlx::Error> {
    let rows = sqlx::query(
        "select assessment, chunk, numbers, amounts_minor, attempts from reservation \
         where file = $1 and partition = $2 order by record_offset",
    )
    .bind(file)
    .bind(small(partition))
    .fetch_all(connection)
    .await?;
    let held = |row: &PgRow| {
        let chunk = unsigned(row.try_get("chunk")?);
        Ok(HeldChunk { assessment: row.try_get("assessment")?, chunk, rows: reserved_rows(row)? })
    };
    rows.iter().map(held).collect()
}

const STREAM: &str = "select partition, phase, cursor_assessment, cursor_chunk, count, total_minor, closed_count, \
                      closed_minor, closed_currency, closed_digest from reservation_stream where file = $1";

/// Gives one partition of a file; none before its first record.
///
/// # Errors
/// The database's.
pub async fn stream(
    connection: &mut PgConnection,
    file: &str,
    partition: u32,
) -> Result<Option<StreamRow>, sqlx::Error> {
    let text = format!("{STREAM} and partition = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(file)
        .bind(small(partition))
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(stream_row).transpose()
}

/// Gives the partitions of a file that have a record, in order.
///
/// # Errors
/// The database's.
pub async fn streams(
    connection: &mut PgConnection,
    file: &str,
) -> Result<Vec<StreamRow>, sqlx::Error> {
    let text = format!("{STREAM} order by partition");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(file).fetch_all(connection).await?;
    rows.iter().map(stream_row).collect()
}

fn stream_row(row: &PgRow) -> Result<StreamRow, sqlx::Error> {
    let partition: i32 = row.try_get("partition")?;
    let phase: i16 = row.try_get("phase")?;
    let phase = match phase {
        1 => Phase::Open,
        2 => Phase::Closed,
        3 => Phase::Released,
        other => return Err(sqlx::Error::Protocol(format!("reservation phase {other} is none"))),
    };
    let cursor: String = row.try_get("cursor_assessment")?;
    let cursor_chunk = unsigned(row.try_get("cursor_chunk")?);
    Ok(StreamRow {
        partition: partition.unsigned_abs(),
        state: State { phase, cursor: (!cursor.is_empty()).then_some((cursor, cursor_chunk)) },
        count: unsigned(row.try_get("count")?),
        total_minor: row.try_get("total_minor")?,
        closing: closing(row)?,
    })
}

fn closing(row: &PgRow) -> Result<Option<Closing>, sqlx::Error> {
    let (count, minor): (Option<i64>, Option<i64>) =
        (row.try_get("closed_count")?, row.try_get("closed_minor")?);
    let (currency, digest): (Option<String>, Option<Vec<u8>>) =
        (row.try_get("closed_currency")?, row.try_get("closed_digest")?);
    let (Some(count), Some(minor), Some(currency), Some(digest)) = (count, minor, currency, digest)
    else {
        return Ok(None);
    };
    let currency: Currency = currency.parse().map_err(decode_error)?;
    let digest = <[u8; 32]>::try_from(digest.as_slice()).map_err(decode_error)?;
    Ok(Some(Closing { count: unsigned(count), total: Money::new(minor, currency), digest }))
}
