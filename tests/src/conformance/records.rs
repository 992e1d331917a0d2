//! Records to append, and what was read of them.

use std::time::Duration;

use bytes::Bytes;
use ristoro_domain::time::Instant;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::{Cause, Envelope, Limits, NewRecord, Reader, Record, Topic};
use uuid::Uuid;

/// One stream's writer: each record is the next version, decided on the one before.
#[derive(Clone, Debug)]
pub struct History {
    topic: Topic,
    partition: u32,
    stream: String,
    version: u64,
    previous: Uuid,
}

impl History {
    /// Begins a stream.
    #[must_use]
    pub fn new(topic: Topic, partition: u32, stream: &str) -> Self {
        Self { topic, partition, stream: stream.to_owned(), version: 0, previous: Uuid::nil() }
    }

    /// Gives the next record, of a payload of so many bytes.
    pub fn next(&mut self, payload_bytes: usize) -> NewRecord {
        self.version += 1;
        let cause = Cause::Command(Uuid::from_u128(u128::from(self.version)));
        let event_id = derived_event_id(&self.stream, self.version, &cause);
        let previous = std::mem::replace(&mut self.previous, event_id);
        // Noise, so that no compression makes a large record small.
        let mut state = self.version | 1;
        let payload = (0..payload_bytes).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        });
        let envelope = Envelope {
            event_id,
            stream: self.stream.clone(),
            version: self.version,
            previous,
            kind: "Checked".to_owned(),
            occurred_at: Instant::new(1_674_424_800, 0).unwrap(),
            cause,
            command_id: None,
            actor: String::new(),
            traceparent: String::new(),
            payload: Bytes::from_iter(payload),
        };
        NewRecord { topic: self.topic, partition: self.partition, envelope }
    }

    /// Gives the next records.
    pub fn take(&mut self, count: usize, payload_bytes: usize) -> Vec<NewRecord> {
        (0..count).map(|_| self.next(payload_bytes)).collect()
    }
}

/// Polls until so many records have come.
///
/// # Panics
/// If they do not come.
pub async fn read_until(reader: &mut Reader, count: usize, limits: Limits) -> Vec<Record> {
    let mut records = Vec::new();
    let reading = async {
        while records.len() < count {
            records.extend(reader.poll(limits).await.unwrap());
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(30), reading).await;
    assert!(outcome.is_ok(), "{} of {count} records came", records.len());
    records
}

/// Gives the stream's versions in the order in which they were read.
pub(super) fn versions(records: &[Record], stream: &str) -> Vec<u64> {
    let envelopes = records.iter().map(|record| Envelope::decode(record.value.clone()).unwrap());
    envelopes
        .filter(|envelope| envelope.stream == stream)
        .map(|envelope| envelope.version)
        .collect()
}

/// Gives the records' offsets.
pub(super) fn offsets(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.position.offset).collect()
}
