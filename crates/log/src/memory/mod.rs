//! The log in memory: for simulation and unit tests.

mod faults;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

use crate::append::{RawRecord, encode};
use crate::genesis::{LogIdentity, all_partitions};
use crate::port::{LogError, NewRecord, Record};
use crate::position::Position;
use crate::topic::Topic;
use faults::Faults;
pub use faults::{Fate, FaultPlan};
pub use reader::MemoryReader;

/// A log in this process.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    identity: LogIdentity,
    state: Mutex<State>,
    appended: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    partitions: BTreeMap<(Topic, u32), Vec<Bytes>>,
    faults: Faults,
}

impl MemoryLog {
    /// Creates a log with a genesis record on every partition of every topic.
    #[must_use]
    pub fn new(log_id: Uuid, partition_count: u32) -> Self {
        // Always the same bytes, so that a simulation repeats itself to the last of them.
        let identity = LogIdentity { log_id, partition_count, created_at_seconds: 0 };
        let log = Self::empty(identity);
        let mut state = log.shared.lock();
        for ((topic, partition), values) in &mut state.partitions {
            values.push(identity.genesis(*topic, *partition));
        }
        drop(state);
        log
    }

    /// Creates a log without its first records, for a copy that brings them along.
    pub(crate) fn empty(identity: LogIdentity) -> Self {
        let all = all_partitions(identity.partition_count);
        let partitions = all.map(|at| ((at.topic, at.partition), Vec::new())).collect();
        let state = Mutex::new(State { partitions, faults: Faults::none() });
        let appended = watch::Sender::new(0);
        Self { shared: Arc::new(Shared { identity, state, appended }) }
    }

    /// Lets appends and polls go wrong from now on, always in the same way for the same seed and calls.
    #[must_use]
    pub fn with_faults(self, seed: u64, plan: FaultPlan) -> Self {
        self.shared.lock().faults.begin(seed, plan);
        self
    }

    /// Decides what becomes of the next appends, before the fault plan decides again.
    pub fn script(&self, fates: impl IntoIterator<Item = Fate>) {
        self.shared.lock().faults.script(fates);
    }

    /// Ends all faults, after what is still on its way has been written.
    pub fn settle(&self) {
        let mut state = self.shared.lock();
        let late = state.faults.settle();
        for records in late {
            state.write(&records);
        }
        drop(state);
        self.shared.wake();
    }

    /// Gives what the log's genesis records say.
    #[must_use]
    pub fn identity(&self) -> LogIdentity {
        self.shared.identity
    }

    /// Gives the log's identity.
    #[must_use]
    pub fn log_id(&self) -> Uuid {
        self.shared.identity.log_id
    }

    /// Gives the number of partitions of every topic.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        self.shared.identity.partition_count
    }

    /// Appends; see the port.
    ///
    /// # Errors
    /// `Missing` and `TooLarge`, then nothing is written; `Unavailable` where the faults say so.
    pub async fn append(&self, records: &[NewRecord]) -> Result<Vec<u64>, LogError> {
        self.append_raw(&encode(records, self.partition_count())?).await
    }

    /// Appends at once and without faults, for tests that want to stand between two steps.
    ///
    /// # Errors
    /// `Missing`, `TooLarge`.
    pub fn append_now(&self, records: &[NewRecord]) -> Result<Vec<u64>, LogError> {
        let records = encode(records, self.partition_count())?;
        let offsets = self.shared.lock().write(&records);
        self.shared.wake();
        Ok(offsets)
    }

    pub(crate) async fn append_raw(&self, records: &[RawRecord]) -> Result<Vec<u64>, LogError> {
        let delay = self.shared.lock().faults.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut state = self.shared.lock();
        for late in state.faults.due() {
            state.write(&late);
        }
        let outcome = match state.faults.fate(records.len()) {
            Fate::Acknowledged => Ok(state.write(records)),
            Fate::Lost => Err("lost"),
            Fate::Unacknowledged => {
                state.write(records);
                Err("not acknowledged")
            }
            Fate::Torn { written } => {
                state.write(&records[..written.min(records.len())]);
                Err("torn")
            }
            Fate::Late { appends } => {
                state.faults.put_off(appends, records);
                Err("late")
            }
            Fate::Repeated { appends } => {
                state.faults.put_off(appends, records);
                Ok(state.write(records))
            }
        };
        drop(state);
        self.shared.wake();
        outcome.map_err(|fate| LogError::Unavailable(format!("a fault: {fate}")))
    }

    /// Opens a reader; see the port.
    ///
    /// # Errors
    /// `Missing`.
    pub fn reader(&self, assignment: &[Position]) -> Result<MemoryReader, LogError> {
        let state = self.shared.lock();
        for position in assignment {
            state.values(position.topic, position.partition)?;
        }
        Ok(MemoryReader::new(Arc::clone(&self.shared), assignment))
    }

    /// Gives the offset of the next record of each partition.
    #[must_use]
    pub fn end_offsets(&self, topic: Topic) -> Vec<u64> {
        let state = self.shared.lock();
        (0..self.partition_count())
            .map(|partition| state.values(topic, partition).map_or(0, |v| v.len() as u64))
            .collect()
    }

    /// Gives all records of a partition at once; none where there is no such partition.
    #[must_use]
    pub fn records(&self, topic: Topic, partition: u32) -> Vec<Record> {
        let state = self.shared.lock();
        let values = state.values(topic, partition).unwrap_or_default();
        let record = |(offset, value): (u64, &Bytes)| Record {
            position: Position { topic, partition, offset },
            value: value.clone(),
        };
        (0..).zip(values).map(record).collect()
    }

    /// Gives single records; see the port.
    ///
    /// # Errors
    /// `Missing`.
    pub fn read_many(&self, positions: &[Position]) -> Result<Vec<Option<Record>>, LogError> {
        let state = self.shared.lock();
        let record = |position: &Position| {
            let values = state.values(position.topic, position.partition)?;
            let place = usize::try_from(position.offset).unwrap_or(usize::MAX);
            let value = values.get(place).cloned();
            Ok(value.map(|value| Record { position: *position, value }))
        };
        positions.iter().map(record).collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn wake(&self) {
        self.appended.send_modify(|count| *count += 1);
    }
}

impl State {
    fn values(&self, topic: Topic, partition: u32) -> Result<&[Bytes], LogError> {
        let values = self.partitions.get(&(topic, partition));
        values.map(Vec::as_slice).ok_or(LogError::Missing { topic, partition })
    }

    fn write(&mut self, records: &[RawRecord]) -> Vec<u64> {
        let mut offsets = Vec::with_capacity(records.len());
        for record in records {
            let values = self.partitions.entry((record.topic, record.partition)).or_default();
            offsets.push(values.len() as u64);
            values.push(record.value.clone());
        }
        offsets
    }
}
