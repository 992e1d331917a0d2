//! Begins to read: positions from the database, a reader behind them, and the check that the log is ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ristoro_log::{Limits, LogError, Position, Reader, Record};

use super::{Consumer, GroupError};
use crate::position::{self, Cursor, identity};
use crate::schema::{self, Mode};

/// How long the log may take to show the records that are remembered.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a consumer reads at the moment.
pub(super) struct Assignment {
    pub(super) reader: Reader,
    pub(super) cursors: BTreeMap<u32, Cursor>,
    /// The end of each partition when reading began.
    pub(super) ends: Vec<u64>,
    /// Records that came along with the remembered ones.
    pub(super) first: Vec<Record>,
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

/// Opens a reader behind the cursors, and checks that the record before each is the remembered one.
pub(super) async fn assign(
    consumer: &Consumer,
    partitions: &BTreeSet<u32>,
) -> Result<Assignment, GroupError> {
    let cursors = cursors(consumer, partitions).await?;
    let log = &consumer.core.log;
    let ends = log.end_offsets(consumer.topic).await?;
    let mut places = Vec::with_capacity(cursors.len());
    for (partition, cursor) in &cursors {
        let (topic, partition) = (consumer.topic, *partition);
        let place = Position { topic, partition, offset: cursor.next_offset };
        identity::check_log(&consumer.name, place, cursor, log.log_id())?;
        let end = ends.get(partition as usize).copied().unwrap_or(0);
        identity::check_end(&consumer.name, place, end)?;
        places.push(Position { offset: cursor.next_offset.saturating_sub(1), ..place });
    }
    let mut reader = log.reader(&places).await?;
    let first = remembered(consumer, &mut reader, &cursors).await?;
    Ok(Assignment { reader, cursors, ends, first })
}

/// Reads until the record before each cursor was seen, and gives what lies behind the cursors.
async fn remembered(
    consumer: &Consumer,
    reader: &mut Reader,
    cursors: &BTreeMap<u32, Cursor>,
) -> Result<Vec<Record>, LogError> {
    let begun = cursors.iter().filter(|(_, cursor)| cursor.next_offset > 0);
    let mut awaited: BTreeSet<u32> = begun.map(|(partition, _)| *partition).collect();
    let mut first = Vec::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !awaited.is_empty() {
        if tokio::time::Instant::now() > deadline {
            let problem = format!("it does not show the records of {}", consumer.topic);
            return Err(LogError::Unavailable(problem));
        }
        // The first record per partition is enough here; few keep the wait short.
        for record in
            reader.poll(Limits { wait: Duration::from_millis(100), ..Limits::default() }).await?
        {
            let Some(cursor) = cursors.get(&record.position.partition) else { continue };
            if record.position.offset >= cursor.next_offset {
                first.push(record);
            } else if awaited.remove(&record.position.partition) {
                identity::check_last(&consumer.name, &record, cursor)?;
            }
        }
    }
    Ok(first)
}

/// Checks at the start that a consumer's remembered records are on this log.
///
/// # Errors
/// `Foreign` where they are not; the database's and the log's failures.
pub(crate) async fn check(consumer: &Consumer) -> Result<(), GroupError> {
    let all = (0..consumer.core.log.partition_count()).collect();
    assign(consumer, &all).await.map(|_| ())
}
