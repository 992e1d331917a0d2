//! The log in memory: for simulation and unit tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use prost::Message;
use ristoro_proto::log::v1::LogGenesis;
use tokio::sync::watch;
use uuid::Uuid;

use crate::port::{Limits, LogError, NewRecord, Record};
use crate::position::Position;
use crate::topic::Topic;

/// A log in this process.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    log_id: Uuid,
    partition_count: u32,
    partitions: Mutex<BTreeMap<(Topic, u32), Vec<Bytes>>>,
    appended: watch::Sender<u64>,
}

/// Reads a memory log.
#[derive(Debug)]
pub struct MemoryReader {
    shared: Arc<Shared>,
    next: Vec<Position>,
    appended: watch::Receiver<u64>,
}

impl MemoryLog {
    /// Creates a log with a genesis record on every partition of every topic.
    #[must_use]
    pub fn new(log_id: Uuid, partition_count: u32) -> Self {
        let mut partitions = BTreeMap::new();
        for topic in Topic::ALL {
            for partition in 0..partition_count {
                let genesis = LogGenesis {
                    log_id: Bytes::copy_from_slice(log_id.as_bytes()),
                    topic: topic.name().to_owned(),
                    partition,
                    partition_count,
                    created_at: None,
                };
                partitions.insert((topic, partition), vec![genesis.encode_to_vec().into()]);
            }
        }
        let appended = watch::Sender::new(0);
        let partitions = Mutex::new(partitions);
        Self { shared: Arc::new(Shared { log_id, partition_count, partitions, appended }) }
    }

    /// Gives the log's identity.
    #[must_use]
    pub fn log_id(&self) -> Uuid {
        self.shared.log_id
    }

    /// Gives the number of partitions of every topic.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        self.shared.partition_count
    }

    /// Appends; see the port.
    ///
    /// # Errors
    /// `Missing` where a partition is not there; then nothing is written.
    #[expect(clippy::unused_async, reason = "the port's other adapters wait here")]
    pub async fn append(&self, records: &[NewRecord]) -> Result<Vec<u64>, LogError> {
        let mut partitions = self.shared.lock();
        for record in records {
            let (topic, partition) = (record.topic, record.partition);
            if !partitions.contains_key(&(topic, partition)) {
                return Err(LogError::Missing { topic, partition });
            }
        }
        let mut offsets = Vec::with_capacity(records.len());
        for record in records {
            let values = partitions.entry((record.topic, record.partition)).or_default();
            offsets.push(values.len() as u64);
            values.push(record.envelope.encode());
        }
        drop(partitions);
        self.shared.appended.send_modify(|count| *count += 1);
        Ok(offsets)
    }

    /// Opens a reader; see the port.
    ///
    /// # Errors
    /// `Missing`.
    pub fn reader(&self, assignment: &[Position]) -> Result<MemoryReader, LogError> {
        let partitions = self.shared.lock();
        for position in assignment {
            let (topic, partition) = (position.topic, position.partition);
            if !partitions.contains_key(&(topic, partition)) {
                return Err(LogError::Missing { topic, partition });
            }
        }
        Ok(MemoryReader {
            shared: Arc::clone(&self.shared),
            next: assignment.to_vec(),
            appended: self.shared.appended.subscribe(),
        })
    }

    /// Gives the offset of the next record of each partition.
    #[must_use]
    pub fn end_offsets(&self, topic: Topic) -> Vec<u64> {
        let partitions = self.shared.lock();
        (0..self.shared.partition_count)
            .map(|partition| partitions.get(&(topic, partition)).map_or(0, |v| v.len() as u64))
            .collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Topic, u32), Vec<Bytes>>> {
        self.partitions.lock().expect("no holder of this lock panics")
    }
}

impl MemoryReader {
    /// Gives the next records; see the port.
    ///
    /// # Errors
    /// `Foreign` where an assigned offset is beyond the end.
    pub async fn poll(&mut self, limits: Limits) -> Result<Vec<Record>, LogError> {
        let deadline = tokio::time::Instant::now() + limits.wait;
        loop {
            self.appended.mark_unchanged();
            let records = self.take(limits)?;
            if !records.is_empty() {
                return Ok(records);
            }
            match tokio::time::timeout_at(deadline, self.appended.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(Vec::new()),
            }
        }
    }

    fn take(&mut self, limits: Limits) -> Result<Vec<Record>, LogError> {
        let partitions = self.shared.lock();
        let (mut records, mut bytes) = (Vec::new(), 0);
        for next in &mut self.next {
            let values = partitions.get(&(next.topic, next.partition)).map_or(&[][..], |v| v);
            let end = values.len() as u64;
            if next.offset > end {
                return Err(LogError::Foreign(format!("{next} is beyond the end {end}")));
            }
            while next.offset < end && records.len() < limits.records && bytes < limits.bytes {
                let place = usize::try_from(next.offset).expect("an offset in memory fits");
                let value = values[place].clone();
                bytes += value.len();
                records.push(Record { position: *next, value });
                next.offset += 1;
            }
        }
        Ok(records)
    }
}
