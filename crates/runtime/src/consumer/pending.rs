//! The records of one partition that were read and are not yet worked on.

use std::time::Duration;

use ristoro_log::{Position, Record};
use tokio::time::Instant;

use crate::service::Settings;

/// How many batches of one partition are kept in memory while it cannot go on.
const BATCHES_KEPT: usize = 2;

/// One partition's records, and when they are tried again.
#[derive(Debug, Default)]
pub(super) struct Pending {
    records: Vec<Record>,
    bytes: usize,
    /// Records were dropped behind the kept ones: the reader must come back for them.
    pub(super) truncated: bool,
    /// The record at which the partition stands still.
    pub(super) stopped_at: Option<Position>,
    retry_at: Option<Instant>,
    failures: u32,
}

impl Pending {
    /// Keeps a record that was read, unless there is no more room.
    pub(super) fn push(&mut self, record: Record, settings: &Settings) {
        let full = self.records.len() >= BATCHES_KEPT * settings.batch_records
            || self.bytes >= BATCHES_KEPT * settings.batch_bytes;
        if self.truncated || full {
            self.truncated = true;
            return;
        }
        self.bytes += record.value.len();
        self.records.push(record);
    }

    /// Gives the records of the next batch, at least one where there is any.
    pub(super) fn batch(&self, settings: &Settings) -> &[Record] {
        let mut bytes = 0;
        let limited = |record: &&Record| {
            bytes += record.value.len();
            bytes <= settings.batch_bytes
        };
        let within = self.records.iter().take(settings.batch_records).take_while(limited).count();
        &self.records[..within.max(1).min(self.records.len())]
    }

    /// Forgets what lies before an offset.
    pub(super) fn pass(&mut self, next_offset: u64) {
        let passed = self.records.partition_point(|record| record.position.offset < next_offset);
        self.records.drain(..passed);
        self.bytes = self.records.iter().map(|record| record.value.len()).sum();
    }

    /// Tells whether everything kept was worked on.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Gives when the records may be worked on; none where there are none.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        (!self.is_empty()).then(|| self.retry_at.unwrap_or(now))
    }

    /// Tries again after a fixed pause.
    pub(super) fn retry_in(&mut self, pause: Duration) {
        self.retry_at = Some(Instant::now() + pause);
    }

    /// Tries again after a pause that grows with every failure in a row.
    pub(super) fn back_off(&mut self, settings: &Settings) {
        let pause = settings.backoff.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        self.retry_in(pause.min(settings.backoff_limit));
    }

    /// Gives when the next try is.
    pub(super) fn pause(&self) -> Instant {
        self.retry_at.unwrap_or_else(Instant::now)
    }

    /// Gives the first record that is not worked on yet.
    pub(super) fn front(&self) -> Option<&Record> {
        self.records.first()
    }

    /// Notes that a batch was worked on.
    pub(super) fn went_on(&mut self) {
        self.failures = 0;
        self.retry_at = None;
        self.stopped_at = None;
    }
}
