//! The log port: append, read, and nothing else.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::envelope::Envelope;
use crate::memory::{MemoryLog, MemoryReader};
use crate::position::Position;
use crate::topic::Topic;

/// A record to append; the partition is chosen by the writer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRecord {
    /// The topic.
    pub topic: Topic,
    /// The partition.
    pub partition: u32,
    /// The content.
    pub envelope: Envelope,
}

/// A record as it was read. Offset 0 of each partition is a `LogGenesis`, all others are envelopes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its place.
    pub position: Position,
    /// Its bytes: an encoded envelope, unless somebody else wrote to the topic.
    pub value: Bytes,
}

/// How much one poll may bring, and how long it may wait for the first record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Records at most.
    pub records: usize,
    /// Bytes of values at most (one record is always given).
    pub bytes: usize,
    /// The time to wait while there is nothing.
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { records: 10_000, bytes: 8 << 20, wait: Duration::from_millis(500) }
    }
}

/// What can go wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log could not be reached or refused the call; nothing or anything may have been written.
    #[error(
        "the log is unavailable ({0}): whether the records were written is unknown, repeat the same append"
    )]
    Unavailable(String),
    /// The topic or partition is not there.
    #[error("{topic}/{partition} is not on the log: run `ristoro topics apply`")]
    Missing {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: u32,
    },
    /// The records are not those of the log that was remembered.
    #[error("this is another log, or a truncated one: {0}")]
    Foreign(String),
    /// A record is too large to be appended.
    #[error("a record of {bytes} bytes on {stream} is over the limit of {limit} bytes")]
    TooLarge {
        /// The record's stream.
        stream: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// The log. Cheap to clone; all clones speak to the same log.
#[derive(Clone, Debug)]
pub enum EventLog {
    /// In this process's memory.
    Memory(MemoryLog),
}

/// Reads assigned partitions, each from its own offset on, in offset order within a partition.
#[derive(Debug)]
pub enum Reader {
    /// Of a memory log.
    Memory(MemoryReader),
}

impl EventLog {
    /// Gives the log's identity, as its genesis records name it.
    #[must_use]
    pub fn log_id(&self) -> Uuid {
        match self {
            EventLog::Memory(log) => log.log_id(),
        }
    }

    /// Gives the number of partitions of every topic.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        match self {
            EventLog::Memory(log) => log.partition_count(),
        }
    }

    /// Appends records, each partition's in the given order, and gives their offsets once all are durable.
    ///
    /// # Errors
    /// `Unavailable` leaves it open which of them were written; `TooLarge` and `Missing` write none.
    pub async fn append(&self, records: &[NewRecord]) -> Result<Vec<u64>, LogError> {
        match self {
            EventLog::Memory(log) => log.append(records).await,
        }
    }

    /// Opens a reader; each position's offset is the next to be read.
    ///
    /// # Errors
    /// `Missing`, `Unavailable`.
    pub async fn reader(&self, assignment: &[Position]) -> Result<Reader, LogError> {
        match self {
            EventLog::Memory(log) => Ok(Reader::Memory(log.reader(assignment)?)),
        }
    }

    /// Gives, per partition of the topic, the offset that the next record will get.
    ///
    /// # Errors
    /// `Missing`, `Unavailable`.
    pub async fn end_offsets(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        match self {
            EventLog::Memory(log) => Ok(log.end_offsets(topic)),
        }
    }
}

impl Reader {
    /// Gives the next records, of any of the assigned partitions; empty when `limits.wait` has passed.
    ///
    /// # Errors
    /// `Unavailable`, `Foreign` where an assigned offset is beyond the end or no longer there.
    pub async fn poll(&mut self, limits: Limits) -> Result<Vec<Record>, LogError> {
        match self {
            Reader::Memory(reader) => reader.poll(limits).await,
        }
    }
}
