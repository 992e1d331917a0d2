//! The log port: append, read, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::append::{RawRecord, encode};
use crate::config::LogConfig;
use crate::envelope::Envelope;
use crate::genesis::LogIdentity;
use crate::kafka::{KafkaLog, KafkaReader};
use crate::memory::{MemoryLog, MemoryReader};
use crate::plan::TopicPlan;
use crate::position::Position;
use crate::postgres::{PostgresLog, PostgresReader};
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
    /// In a Postgres database.
    Postgres(PostgresLog),
    /// On a Kafka.
    Kafka(KafkaLog),
}

/// Reads assigned partitions, each from its own offset on, in offset order within a partition.
#[derive(Debug)]
pub enum Reader {
    /// Of a memory log.
    Memory(MemoryReader),
    /// Of a Postgres log.
    Postgres(PostgresReader),
    /// Of a Kafka log.
    Kafka(KafkaReader),
}

impl EventLog {
    /// Opens a log that was created before. (`memory:` is a new log of one partition a topic each time.)
    ///
    /// # Errors
    /// `Missing` where it was not created, or not wholly; `Foreign` where its partitions are not of one log;
    /// `Unavailable`.
    pub async fn open(config: &LogConfig) -> Result<Self, LogError> {
        Ok(match config {
            LogConfig::Memory => Self::Memory(MemoryLog::new(Uuid::new_v4(), 1)),
            LogConfig::Postgres { url } => Self::Postgres(PostgresLog::open(url).await?),
            LogConfig::Kafka { bootstrap } => Self::Kafka(KafkaLog::open(bootstrap).await?),
        })
    }

    /// Makes what is missing of a log and opens it; many may do so at once. A log that is there already keeps its own
    /// identity, and `log_id` is not used.
    ///
    /// # Errors
    /// `Foreign` where something with another partition count or of another log is there; `Unavailable`.
    pub async fn create(
        config: &LogConfig,
        log_id: Uuid,
        partition_count: u32,
    ) -> Result<Self, LogError> {
        if partition_count == 0 {
            return Err(LogError::Foreign("a log has one partition at least".to_owned()));
        }
        Ok(match config {
            LogConfig::Memory => Self::Memory(MemoryLog::new(log_id, partition_count)),
            LogConfig::Postgres { url } => {
                Self::Postgres(PostgresLog::create(url, log_id, partition_count).await?)
            }
            LogConfig::Kafka { bootstrap } => {
                Self::Kafka(KafkaLog::create(bootstrap, log_id, partition_count).await?)
            }
        })
    }

    /// Tells what is there of a log and what is missing, and changes nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Foreign` where its founding record is none.
    pub async fn plan(config: &LogConfig) -> Result<TopicPlan, LogError> {
        match config {
            LogConfig::Memory => Ok(TopicPlan::nothing()),
            LogConfig::Postgres { url } => PostgresLog::plan(url).await,
            LogConfig::Kafka { bootstrap } => KafkaLog::plan(bootstrap).await,
        }
    }

    /// Makes an empty log with a given identity, for a copy that brings the first records too.
    pub(crate) async fn for_copy(
        config: &LogConfig,
        identity: LogIdentity,
    ) -> Result<Self, LogError> {
        Ok(match config {
            LogConfig::Memory => Self::Memory(MemoryLog::empty(identity)),
            LogConfig::Postgres { url } => {
                Self::Postgres(PostgresLog::for_copy(url, identity).await?)
            }
            LogConfig::Kafka { bootstrap } => {
                Self::Kafka(KafkaLog::for_copy(bootstrap, identity).await?)
            }
        })
    }

    /// Gives what the log's genesis records say.
    #[must_use]
    pub fn identity(&self) -> LogIdentity {
        match self {
            Self::Memory(log) => log.identity(),
            Self::Postgres(log) => log.identity(),
            Self::Kafka(log) => log.identity(),
        }
    }

    /// Gives the log's identity, as its genesis records name it.
    #[must_use]
    pub fn log_id(&self) -> Uuid {
        self.identity().log_id
    }

    /// Gives the number of partitions of every topic.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        self.identity().partition_count
    }

    /// Appends records, each partition's in the given order, and gives their offsets once all are durable.
    ///
    /// # Errors
    /// `Unavailable` leaves it open which of them were written; `TooLarge` and `Missing` write none.
    pub async fn append(&self, records: &[NewRecord]) -> Result<Vec<u64>, LogError> {
        self.append_raw(&encode(records, self.partition_count())?).await
    }

    /// Appends encoded records.
    pub(crate) async fn append_raw(&self, records: &[RawRecord]) -> Result<Vec<u64>, LogError> {
        match self {
            Self::Memory(log) => log.append_raw(records).await,
            Self::Postgres(log) => log.append(records).await,
            Self::Kafka(log) => log.append(records).await,
        }
    }

    /// Opens a reader; each position's offset is the next to be read. A partition is assigned once at most.
    ///
    /// # Errors
    /// `Missing`, `Unavailable`.
    pub async fn reader(&self, assignment: &[Position]) -> Result<Reader, LogError> {
        self.check(assignment)?;
        match self {
            Self::Memory(log) => Ok(Reader::Memory(log.reader(assignment)?)),
            Self::Postgres(log) => Ok(Reader::Postgres(log.reader(assignment).await?)),
            Self::Kafka(log) => Ok(Reader::Kafka(log.reader(assignment)?)),
        }
    }

    /// Gives, per partition of the topic, the offset that the next record will get.
    ///
    /// # Errors
    /// `Missing`, `Unavailable`.
    pub async fn end_offsets(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        match self {
            Self::Memory(log) => Ok(log.end_offsets(topic)),
            Self::Postgres(log) => log.end_offsets(topic).await,
            Self::Kafka(log) => log.end_offsets(topic).await,
        }
    }

    /// Gives the record at a position, or none where the log's end is not beyond it.
    ///
    /// # Errors
    /// `Missing`, `Unavailable`, `Foreign` where the record is no longer there.
    pub async fn read_at(&self, position: Position) -> Result<Option<Record>, LogError> {
        Ok(self.read_many(&[position]).await?.pop().flatten())
    }

    /// Gives the record at each position, as `read_at` does; of each partition one at most. On Kafka one call for many
    /// positions costs hardly more than for one.
    ///
    /// # Errors
    /// See `read_at`.
    pub async fn read_many(&self, positions: &[Position]) -> Result<Vec<Option<Record>>, LogError> {
        self.check(positions)?;
        match self {
            Self::Memory(log) => log.read_many(positions),
            Self::Postgres(log) => log.read_many(positions).await,
            Self::Kafka(log) => log.read_many(positions).await,
        }
    }

    /// Refuses partitions that the log does not have.
    ///
    /// # Panics
    /// If a partition is named twice, which is the caller's mistake.
    fn check(&self, positions: &[Position]) -> Result<(), LogError> {
        let mut seen = BTreeSet::new();
        for Position { topic, partition, .. } in positions.iter().copied() {
            if partition >= self.partition_count() {
                return Err(LogError::Missing { topic, partition });
            }
            assert!(seen.insert((topic, partition)), "{topic}/{partition} is named twice");
        }
        Ok(())
    }
}

impl Reader {
    /// Gives the next records, of any of the assigned partitions; empty when `limits.wait` has passed. A log that is
    /// away for a while may look like one without news. Dropping the call loses no record.
    ///
    /// # Errors
    /// `Unavailable`, `Foreign` where an assigned offset is beyond the end or no longer there. After an error, open
    /// another reader.
    pub async fn poll(&mut self, limits: Limits) -> Result<Vec<Record>, LogError> {
        match self {
            Self::Memory(reader) => reader.poll(limits).await,
            Self::Postgres(reader) => reader.poll(limits).await,
            Self::Kafka(reader) => reader.poll(limits).await,
        }
    }
}
