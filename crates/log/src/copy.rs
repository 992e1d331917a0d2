//! Copies a whole log to another place, every record to the same offset, first records included: so every position that
//! anybody remembers stays true, and the copy is the same log.
//!
//! Nobody may write to either meanwhile. A copy that was interrupted goes on when it is called again, and until it is
//! finished the target cannot be opened: one partition, a small one, stays without its first record until the end.

use bytes::Bytes;

use crate::append::RawRecord;
use crate::config::LogConfig;
use crate::port::{EventLog, Limits, LogError};
use crate::position::Position;
use crate::topic::Topic;

/// How far a partition's copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopyProgress {
    /// The next offset to be copied.
    pub next: Position,
    /// The partition's end.
    pub end: u64,
}

/// Why a log could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source failed.
    #[error("the source: {0}")]
    Source(#[source] LogError),
    /// The target failed. What was copied stays, and another call goes on from there.
    #[error("the target: {0}")]
    Target(#[source] LogError),
    /// The target holds something else.
    #[error("the target is not empty and no beginning of this copy ({0}): choose an empty one")]
    NotEmpty(String),
    /// Somebody writes to the source.
    #[error("{0} was written during the copy: stop all writers and repeat the copy, it goes on")]
    SourceMoved(Position),
}

/// Copies a log and gives the copy, opened.
///
/// # Errors
/// See `CopyError`. The source is never changed.
pub async fn copy(
    source: &EventLog,
    target: &LogConfig,
    mut progress: impl FnMut(CopyProgress),
) -> Result<EventLog, CopyError> {
    refuse_another_log(source, target).await?;
    let unopened =
        EventLog::for_copy(target, source.identity()).await.map_err(CopyError::Target)?;
    let begun = ends(&unopened).await.map_err(CopyError::Target)?;
    let ends_before = ends(source).await.map_err(CopyError::Source)?;
    refuse_other_records(source, &unopened, &begun, &ends_before).await?;
    // The very last partition, of operators' events, keeps the target from being opened until all others are whole.
    for (next, end) in begun.iter().zip(&ends_before) {
        copy_partition(source, &unopened, (*next, end.offset), &mut progress).await?;
    }
    let ends_after = ends(source).await.map_err(CopyError::Source)?;
    let moved = ends_before.iter().zip(&ends_after).find(|(before, after)| before != after);
    if let Some((before, _)) = moved {
        return Err(CopyError::SourceMoved(*before));
    }
    match target {
        LogConfig::Memory => Ok(unopened),
        LogConfig::Postgres { .. } | LogConfig::Kafka { .. } => {
            EventLog::open(target).await.map_err(CopyError::Target)
        }
    }
}

async fn refuse_another_log(source: &EventLog, target: &LogConfig) -> Result<(), CopyError> {
    let plan = EventLog::plan(target).await.map_err(CopyError::Target)?;
    if let Some(log_id) = plan.log_id.filter(|log_id| *log_id != source.log_id()) {
        return Err(CopyError::NotEmpty(format!("it is log {log_id}")));
    }
    match plan.conflicts(source.partition_count()).next() {
        Some(topic) => Err(CopyError::NotEmpty(topic.to_string())),
        None => Ok(()),
    }
}

/// Gives every partition's end, as the position of its next record.
async fn ends(log: &EventLog) -> Result<Vec<Position>, LogError> {
    let mut ends = Vec::new();
    for topic in Topic::ALL {
        for (partition, offset) in (0..).zip(log.end_offsets(topic).await?) {
            ends.push(Position { topic, partition, offset });
        }
    }
    Ok(ends)
}

/// Checks that what the target has is what the source begins with, by the last record of each partition.
async fn refuse_other_records(
    source: &EventLog,
    target: &EventLog,
    begun: &[Position],
    ends: &[Position],
) -> Result<(), CopyError> {
    let mut last = Vec::new();
    for (begun, end) in begun.iter().zip(ends) {
        if begun.offset > end.offset {
            return Err(CopyError::NotEmpty(format!("{begun} is beyond the source's end")));
        }
        if let Some(offset) = begun.offset.checked_sub(1) {
            last.push(Position { offset, ..*begun });
        }
    }
    let theirs = target.read_many(&last).await.map_err(CopyError::Target)?;
    let ours = source.read_many(&last).await.map_err(CopyError::Source)?;
    let differs =
        last.iter().zip(theirs.iter().zip(&ours)).find(|(_, (theirs, ours))| theirs != ours);
    match differs {
        Some((position, _)) => Err(CopyError::NotEmpty(format!("{position} is another record"))),
        None => Ok(()),
    }
}

async fn copy_partition(
    source: &EventLog,
    target: &EventLog,
    (mut next, end): (Position, u64),
    progress: &mut impl FnMut(CopyProgress),
) -> Result<(), CopyError> {
    progress(CopyProgress { next, end });
    if next.offset >= end {
        return Ok(());
    }
    let Position { topic, partition, .. } = next;
    let mut reader = source.reader(&[next]).await.map_err(CopyError::Source)?;
    while next.offset < end {
        let records = reader.poll(Limits::default()).await.map_err(CopyError::Source)?;
        let wanted = records.into_iter().take_while(|record| record.position.offset < end);
        let raw = |value: Bytes| RawRecord { topic, partition, value };
        let batch: Vec<_> = wanted.map(|record| raw(record.value)).collect();
        let offsets = target.append_raw(&batch).await.map_err(CopyError::Target)?;
        for offset in offsets {
            if offset != next.offset {
                let problem = format!("somebody else writes to it: {next} came to offset {offset}");
                return Err(CopyError::Target(LogError::Foreign(problem)));
            }
            next.offset += 1;
        }
        progress(CopyProgress { next, end });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::genesis::all_partitions;

    #[tokio::test]
    async fn a_copy_in_memory_is_the_same_log() {
        let log = EventLog::create(&LogConfig::Memory, Uuid::from_u128(7), 2).await.unwrap();
        let mut steps = 0;
        let copied = copy(&log, &LogConfig::Memory, |_| steps += 1).await.unwrap();
        assert_eq!(copied.identity(), log.identity());
        assert_eq!(ends(&copied).await.unwrap(), ends(&log).await.unwrap());
        assert_eq!(steps, 2 * all_partitions(2).count());
    }
}
