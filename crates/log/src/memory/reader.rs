//! Reads a memory log.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Shared;
use crate::port::{Limits, LogError, Record};
use crate::position::Position;

/// Reads a memory log.
#[derive(Debug)]
pub struct MemoryReader {
    shared: Arc<Shared>,
    next: Vec<Position>,
    appended: watch::Receiver<u64>,
    // The place in `next` to begin with, so that one busy partition does not keep the others waiting.
    turn: usize,
}

impl MemoryReader {
    pub(super) fn new(shared: Arc<Shared>, assignment: &[Position]) -> Self {
        let appended = shared.appended.subscribe();
        Self { shared, next: assignment.to_vec(), appended, turn: 0 }
    }

    /// Gives the next records; see the port.
    ///
    /// # Errors
    /// `Foreign` where an assigned offset is beyond the end.
    pub async fn poll(&mut self, mut limits: Limits) -> Result<Vec<Record>, LogError> {
        let short = self.shared.lock().faults.short_poll();
        limits.records = short.unwrap_or(usize::MAX).min(limits.records);
        let deadline = Instant::now() + limits.wait;
        loop {
            self.appended.mark_unchanged();
            let records = self.take(limits)?;
            if !records.is_empty() || limits.records == 0 {
                return Ok(records);
            }
            match timeout_at(deadline, self.appended.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(Vec::new()),
            }
        }
    }

    fn take(&mut self, limits: Limits) -> Result<Vec<Record>, LogError> {
        let state = self.shared.lock();
        let (mut records, mut bytes) = (Vec::new(), 0);
        let (begin, count) = (self.turn, self.next.len());
        for step in 0..count {
            let place = (begin + step) % count;
            let next = &mut self.next[place];
            let values = state.values(next.topic, next.partition)?;
            let end = values.len() as u64;
            if next.offset > end {
                return Err(LogError::Foreign(format!("{next} is beyond the end {end}")));
            }
            while next.offset < end && records.len() < limits.records && bytes < limits.bytes {
                let offset = usize::try_from(next.offset).expect("an offset in memory fits");
                let value = values[offset].clone();
                bytes += value.len();
                records.push(Record { position: *next, value });
                next.offset += 1;
                self.turn = (place + 1) % count;
            }
        }
        Ok(records)
    }
}
