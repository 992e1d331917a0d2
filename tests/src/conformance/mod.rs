//! What every log has to do, as one list of named checks.
//!
//! A Kafka holds one log, so the checks of a run share it: each gets a partition of its own and counts from its end.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

mod appending;
mod copying;
mod reading;
mod records;
mod stubborn;

use std::pin::Pin;
use std::time::Duration;

use ristoro_log::{EventLog, Limits, LogConfig, Position, Topic};

pub use copying::{copy_whole, create_by_many, fill, refuse_other_targets};
pub use records::{History, read_until};
pub use stubborn::{Written, check_acknowledged, read_through, write_until_told};

/// What a check stands on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The log, created and open.
    pub log: EventLog,
    /// Where it is; a memory log is nowhere else.
    pub config: LogConfig,
    /// The check's own partition.
    pub topic: Topic,
    /// Its number.
    pub partition: u32,
}

/// A check: it panics where the log does not do what it has to.
type Check = fn(Ground) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// The checks that every log passes, at most as many as there are topics for each partition.
const CHECKS: &[(&str, Check)] = &[
    ("records of a partition keep their order", |ground| Box::pin(reading::order(ground))),
    ("offsets are dense", |ground| Box::pin(appending::dense_offsets(ground))),
    ("a reader resumes at an offset", |ground| Box::pin(reading::resume(ground))),
    ("a waiting reader wakes quickly", |ground| Box::pin(reading::wakes_quickly(ground))),
    ("a poll without news ends in time", |ground| Box::pin(reading::empty_poll(ground))),
    ("a poll keeps its limits", |ground| Box::pin(reading::limits(ground))),
    ("a reader at the end sees what comes", |ground| Box::pin(reading::opened_at_end(ground))),
    ("a reader gets many partitions", |ground| Box::pin(reading::many_partitions(ground))),
    ("a dropped poll loses nothing", |ground| Box::pin(reading::dropped_polls(ground))),
    ("an offset beyond the end is refused", |ground| Box::pin(reading::beyond_the_end(ground))),
    ("single records are found", |ground| Box::pin(reading::single_records(ground))),
    ("large records pass whole", |ground| Box::pin(appending::large_records(ground))),
    ("a record too large is refused", |ground| Box::pin(appending::too_large(ground))),
    ("a missing partition is refused", |ground| Box::pin(appending::missing_partition(ground))),
    ("one append fills many partitions", |ground| Box::pin(appending::many_partitions(ground))),
    ("two writers do not disturb each other", |ground| Box::pin(appending::two_writers(ground))),
    ("readers keep up with a writer", |ground| Box::pin(appending::racing_readers(ground))),
    ("an append of nothing is nothing", |ground| Box::pin(appending::nothing(ground))),
];

/// The partitions of a topic that the checks need.
pub const PARTITION_COUNT: u32 = 4;

/// Runs all checks, one after the other, and names those that fail.
///
/// # Panics
/// If one fails.
pub async fn run(log: &EventLog, config: &LogConfig) {
    let mut failed = Vec::new();
    let places = Topic::ALL.into_iter().flat_map(|topic| {
        // The last partition is for the checks that write to many.
        (0..PARTITION_COUNT - 1).map(move |partition| (topic, partition))
    });
    for ((name, check), (topic, partition)) in CHECKS.iter().zip(places) {
        let ground = Ground { log: log.clone(), config: config.clone(), topic, partition };
        if let Err(error) = tokio::spawn(check(ground)).await {
            failed.push(format!("{name}: {error}"));
        }
    }
    assert!(failed.is_empty(), "checks that failed:\n{}", failed.join("\n"));
}

impl Ground {
    /// Opens the log once more, as another process does.
    pub async fn other_handle(&self) -> EventLog {
        match &self.log {
            EventLog::Memory(_) => self.log.clone(),
            EventLog::Postgres(_) | EventLog::Kafka(_) => {
                EventLog::open(&self.config).await.unwrap()
            }
        }
    }

    /// Gives the position of the next record of the check's partition.
    pub async fn end(&self) -> Position {
        let ends = self.log.end_offsets(self.topic).await.unwrap();
        let offset = ends[usize::try_from(self.partition).unwrap()];
        Position { topic: self.topic, partition: self.partition, offset }
    }
}

/// Limits of a poll that waits long enough for any machine.
pub const PATIENT: Limits =
    Limits { records: 10_000, bytes: 8 << 20, wait: Duration::from_secs(20) };
