//! How far a consumer has come: the row that every batch moves by compare-and-set, the fence.

use std::collections::BTreeMap;

use ristoro_log::Topic;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

pub(crate) mod board;
pub(crate) mod heads;
pub(crate) mod identity;

pub use board::{Board, WaitError};

pub(crate) use crate::stored::{
    signed as stored, small as stored_partition, unsigned as loaded,
    unsigned_small as loaded_partition,
};

/// A consumer's place on one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The offset of the next record to read.
    pub next_offset: u64,
    /// The identity of the record before it.
    pub last_event_id: Option<Uuid>,
    /// The log that it was read from.
    pub log_id: Uuid,
    /// Raised by every switch, so that open transactions fail once.
    pub role_epoch: i64,
}

/// Puts in a row at offset 0 for each partition that has none.
pub(crate) async fn ensure(
    connection: &mut PgConnection,
    consumer: &str,
    topic: Topic,
    partition_count: u32,
    log_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into log_position (consumer, topic, partition, next_offset, log_id)
         select $1, $2, partition, 0, $4 from generate_series(0, $3 - 1) partition
         on conflict do nothing",
    )
    .bind(consumer)
    .bind(topic.name())
    .bind(stored_partition(partition_count))
    .bind(log_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Reads a consumer's cursors by partition.
pub(crate) async fn read(
    connection: &mut PgConnection,
    consumer: &str,
    topic: Topic,
) -> Result<BTreeMap<u32, Cursor>, sqlx::Error> {
    let rows = sqlx::query(
        "select partition, next_offset, last_event_id, log_id, role_epoch from log_position
         where consumer = $1 and topic = $2",
    )
    .bind(consumer)
    .bind(topic.name())
    .fetch_all(connection)
    .await?;
    let mut cursors = BTreeMap::new();
    for row in rows {
        let cursor = Cursor {
            next_offset: loaded(row.try_get("next_offset")?),
            last_event_id: row.try_get("last_event_id")?,
            log_id: row.try_get("log_id")?,
            role_epoch: row.try_get("role_epoch")?,
        };
        cursors.insert(loaded_partition(row.try_get("partition")?), cursor);
    }
    Ok(cursors)
}

/// Moves a cursor, unless another worker moved it or a switch happened; tells whether it moved.
///
/// The row stays locked until the transaction ends, so what is read after it is what the winner left.
pub(crate) async fn advance(
    connection: &mut PgConnection,
    consumer: &str,
    (topic, partition): (Topic, u32),
    from: &Cursor,
    to: &Cursor,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(
        "update log_position set next_offset = $6, last_event_id = $7
         where consumer = $1 and topic = $2 and partition = $3 and next_offset = $4 and role_epoch = $5",
    )
    .bind(consumer)
    .bind(topic.name())
    .bind(stored_partition(partition))
    .bind(stored(from.next_offset))
    .bind(from.role_epoch)
    .bind(stored(to.next_offset))
    .bind(to.last_event_id)
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() == 1)
}
