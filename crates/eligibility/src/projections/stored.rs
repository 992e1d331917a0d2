//! Events as tables keep them, and the numbers of Postgres against ours.

use bytes::Bytes;
use ristoro_domain::time::Instant;
use ristoro_log::{Position, Topic};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// An accepted event as a table keeps it.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Its place on the log.
    pub position: Position,
    /// Its stream.
    pub stream: String,
    /// Its version.
    pub version: u64,
    /// Its type.
    pub kind: String,
    /// Business time.
    pub occurred_at: Instant,
    /// Who asked.
    pub actor: String,
    /// The trace context that it was written under.
    pub traceparent: String,
    /// Its payload.
    pub payload: Bytes,
}

/// Stores a number that never reaches the sign bit: offsets, versions, subscription numbers.
#[must_use]
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("offsets, versions and numbers stay below 2^63")
}

/// Gives back what `signed` stored.
#[must_use]
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).expect("no negative number is stored")
}

/// Stores a partition.
#[must_use]
pub fn partition_number(partition: u32) -> i32 {
    i32::try_from(partition).expect("partitions are few")
}

/// Makes the database's error of a value that no version of this program wrote.
pub fn decode_error(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Reads microseconds since the epoch.
///
/// # Errors
/// `Decode` where they are out of range.
pub fn instant(micros: i64) -> Result<Instant, sqlx::Error> {
    Instant::from_microsecond(micros).map_err(decode_error)
}

/// Reads an event of a table with the columns that all event tables have.
///
/// # Errors
/// `Decode` for a row that no version of this program wrote.
pub fn stored_event(row: &PgRow, topic: Topic, stream: String) -> Result<StoredEvent, sqlx::Error> {
    let partition: i32 = row.try_get("partition")?;
    let payload: Vec<u8> = row.try_get("payload")?;
    Ok(StoredEvent {
        position: Position {
            topic,
            partition: partition.unsigned_abs(),
            offset: unsigned(row.try_get("record_offset")?),
        },
        stream,
        version: unsigned(row.try_get("version")?),
        kind: row.try_get("kind")?,
        occurred_at: instant(row.try_get("occurred_at")?)?,
        actor: row.try_get("actor")?,
        traceparent: row.try_get("traceparent")?,
        payload: payload.into(),
    })
}
