//! Events as tables keep them.

use bytes::Bytes;
use ristoro_domain::time::Instant;
use ristoro_log::{Position, Topic};
use ristoro_runtime::stored::{instant, unsigned, unsigned_small};
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
            partition: unsigned_small(partition),
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
