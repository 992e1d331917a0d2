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
    pub(super) fn back_off(&mut self, first: Duration, limit: Duration) {
        let pause = first.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        self.retry_in(pause.min(limit));
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ristoro_log::Topic;

    use super::*;

    fn pending(sizes: &[usize], settings: &Settings) -> Pending {
        let mut pending = Pending::default();
        for (offset, size) in (0..).zip(sizes) {
            let position = Position { topic: Topic::Payout, partition: 0, offset };
            pending.push(Record { position, value: Bytes::from(vec![0; *size]) }, settings);
        }
        pending
    }

    #[test]
    fn a_batch_keeps_to_its_limits_and_is_never_empty() {
        let settings = Settings { batch_records: 3, batch_bytes: 10, ..Settings::default() };
        let batch = |sizes: &[usize]| pending(sizes, &settings).batch(&settings).len();
        assert_eq!(batch(&[1, 1, 1, 1]), 3);
        assert_eq!(batch(&[6, 6]), 1);
        assert_eq!(batch(&[60]), 1);
        assert_eq!(batch(&[]), 0);
    }

    #[test]
    fn what_finds_no_room_is_read_again_later() {
        let settings = Settings { batch_records: 2, batch_bytes: 1000, ..Settings::default() };
        let mut pending = pending(&[1; 6], &settings);
        assert!(pending.truncated);
        assert_eq!(pending.records.len(), 4);
        pending.pass(3);
        assert_eq!(pending.front().map(|record| record.position.offset), Some(3));
        pending.pass(4);
        assert!(pending.is_empty());
    }

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew_after_a_success() {
        let (first, limit) = (Duration::from_millis(10), Duration::from_millis(35));
        let mut pending = Pending::default();
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let before = Instant::now();
            pending.back_off(first, limit);
            pauses.push(pending.pause().saturating_duration_since(before).as_millis() / 10);
        }
        assert_eq!(pauses, [1, 2, 3, 3]);
        pending.went_on();
        assert_eq!(pending.due(Instant::now()), None);
        assert_eq!(pending.failures, 0);
    }
}
