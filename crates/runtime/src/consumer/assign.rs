//! Begins to read: positions from the database, the check that the log is ours, and a reader behind them.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_log::{LogError, Position, Reader};

use super::{Consumer, GroupError};
use crate::position::{self, Cursor, identity};
use crate::schema::{self, Mode};

/// What a consumer reads at the moment.
pub(super) struct Assignment {
    pub(super) reader: Reader,
    pub(super) cursors: BTreeMap<u32, Cursor>,
    /// The end of each partition when reading began.
    pub(super) ends: Vec<u64>,
}

/// Reads the cursors of some partitions.
pub(super) async fn cursors(
    consumer: &Consumer,
    partitions: &BTreeSet<u32>,
) -> Result<BTreeMap<u32, Cursor>, sqlx::Error> {
    let mut transaction =
        schema::begin(&consumer.core.pool, &consumer.schema, Mode::Snapshot).await?;
    let mut cursors = position::read(&mut transaction, &consumer.name, consumer.topic).await?;
    transaction.rollback().await?;
    cursors.retain(|partition, _| partitions.contains(partition));
    Ok(cursors)
}

/// Checks that the log is the one that the cursors were kept for, and opens a reader behind them.
pub(super) async fn assign(
    consumer: &Consumer,
    partitions: &BTreeSet<u32>,
) -> Result<Assignment, GroupError> {
    let cursors = cursors(consumer, partitions).await?;
    let ends = check_log(consumer, &cursors).await?;
    let reader = consumer.core.log.reader(&places(consumer, &cursors)).await?;
    Ok(Assignment { reader, cursors, ends })
}

/// Checks at the start that a consumer's remembered records are on this log.
///
/// # Errors
/// `Foreign` where they are not; the database's and the log's failures.
pub(crate) async fn check(consumer: &Consumer) -> Result<(), GroupError> {
    let all = (0..consumer.core.log.partition_count()).collect();
    let cursors = cursors(consumer, &all).await?;
    check_log(consumer, &cursors).await?;
    Ok(())
}

fn places(consumer: &Consumer, cursors: &BTreeMap<u32, Cursor>) -> Vec<Position> {
    let topic = consumer.topic;
    let place = |(partition, cursor): (&u32, &Cursor)| Position {
        topic,
        partition: *partition,
        offset: cursor.next_offset,
    };
    cursors.iter().map(place).collect()
}

/// Checks log id, length and the record before each cursor; gives the log's ends.
async fn check_log(
    consumer: &Consumer,
    cursors: &BTreeMap<u32, Cursor>,
) -> Result<Vec<u64>, LogError> {
    let log = &consumer.core.log;
    let ends = log.end_offsets(consumer.topic).await?;
    let mut remembered = Vec::new();
    for place in places(consumer, cursors) {
        let Some(cursor) = cursors.get(&place.partition) else { continue };
        identity::check_log(&consumer.name, place, cursor, log.log_id())?;
        let end = ends.get(place.partition as usize).copied().unwrap_or(0);
        identity::check_end(&consumer.name, place, end)?;
        if let Some(offset) = place.offset.checked_sub(1) {
            remembered.push(Position { offset, ..place });
        }
    }
    for record in log.read_many(&remembered).await?.into_iter().flatten() {
        if let Some(cursor) = cursors.get(&record.position.partition) {
            identity::check_last(&consumer.name, &record, cursor)?;
        }
    }
    Ok(ends)
}
