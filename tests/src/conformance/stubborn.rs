//! A writer and a reader that go on while the log's server is killed and comes back.

use std::time::Duration;

use ristoro_log::verify::{TopicCounts, verify};
use ristoro_log::{EventLog, Limits, LogConfig, LogError, Position, Record, Topic};

use super::records::History;

/// Where the writer writes.
const PLACE: (Topic, u32) = (Topic::Settlement, 1);
/// What a person waits for an answer; then the same append is repeated, as a client repeats its command.
const PATIENCE: Duration = Duration::from_millis(400);

/// What a writer has done.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The version and offset of each record, as acknowledged.
    pub acknowledged: Vec<(u64, u64)>,
    /// How often an append was called again.
    pub repeats: u64,
}

/// Appends pairs of records until told to stop, each pair until it is acknowledged.
///
/// # Panics
/// If the log gives another error than that it is unavailable.
pub async fn write_until_told(log: EventLog, stop: tokio::sync::oneshot::Receiver<()>) -> Written {
    let mut written = Written::default();
    let mut history = History::new(PLACE.0, PLACE.1, "stubborn");
    while stop.is_empty() {
        let pair = history.take(2, 50);
        let offsets = loop {
            match tokio::time::timeout(PATIENCE, log.append(&pair)).await {
                Ok(Ok(offsets)) => break offsets,
                Ok(Err(LogError::Unavailable(_))) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(Err(error)) => panic!("{error}"),
                Err(_) => {}
            }
            written.repeats += 1;
        };
        let versions = pair.iter().map(|record| record.envelope.version);
        written.acknowledged.extend(versions.zip(offsets));
    }
    written
}

/// Reads the writer's partition until so many accepted records have come, opening another reader where one fails.
///
/// # Panics
/// If the log gives another error than that it is unavailable.
pub async fn read_through(log: EventLog, enough: tokio::sync::watch::Receiver<u64>) -> Vec<Record> {
    let (topic, partition) = PLACE;
    let mut next = Position { topic, partition, offset: 0 };
    let mut records: Vec<Record> = Vec::new();
    let limits = Limits { wait: Duration::from_millis(100), ..Limits::default() };
    loop {
        let opened = log.reader(&[next]).await;
        let mut polled = opened.map(Some);
        while let Ok(Some(reader)) = &mut polled {
            match reader.poll(limits).await {
                Ok(found) => records.extend(found),
                Err(error) => polled = Err(error),
            }
            next.offset = u64::try_from(records.len()).unwrap();
            if next.offset >= *enough.borrow() {
                return records;
            }
        }
        match polled {
            Err(LogError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            outcome => panic!("{outcome:?}"),
        }
    }
}

/// Checks that every acknowledged record stands where the log said, and counts once. Gives the counts of its topic.
///
/// # Panics
/// If one does not.
pub async fn check_acknowledged(config: &LogConfig, acknowledged: &[(u64, u64)]) -> TopicCounts {
    let log = EventLog::open(config).await.unwrap();
    let (topic, partition) = PLACE;
    let mut history = History::new(topic, partition, "stubborn");
    let written = history.take(acknowledged.len(), 50);
    let mut reader = log.reader(&[Position { topic, partition, offset: 0 }]).await.unwrap();
    let place = usize::try_from(partition).unwrap();
    let end = log.end_offsets(topic).await.unwrap()[place];
    let count = usize::try_from(end).unwrap();
    let records = super::read_until(&mut reader, count, super::PATIENT).await;
    for ((version, offset), written) in acknowledged.iter().zip(&written) {
        assert_eq!(*version, written.envelope.version);
        let found = &records[usize::try_from(*offset).unwrap()];
        assert!(found.value == written.envelope.encode(), "version {version} at {offset} differs");
    }
    let verification = verify(&log, |_, _| {}).await.unwrap();
    assert_eq!(verification.alarms, []);
    let counts = verification.topics[&topic];
    assert_eq!(counts.accepted, u64::try_from(acknowledged.len()).unwrap());
    assert_eq!(counts.conflict + counts.repeated_command + counts.undecodable, 0, "{counts:?}");
    counts
}
