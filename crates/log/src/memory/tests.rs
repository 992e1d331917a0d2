//! Faults happen as they were ordered, and whoever repeats an append loses nothing by them.

use std::time::Duration;

use uuid::Uuid;

use super::{Fate, FaultPlan, MemoryLog};
use crate::acceptance::laws::envelope;
use crate::port::{EventLog, Limits, LogError, NewRecord};
use crate::position::Position;
use crate::topic::Topic;
use crate::verify::verify;

fn log() -> MemoryLog {
    MemoryLog::new(Uuid::from_u128(1), 1)
}

/// Makes the record of a version; the event's id is the version.
fn record(version: u64) -> NewRecord {
    let previous = u128::from(version - 1);
    let envelope = envelope("s", version, u128::from(version), previous, None);
    NewRecord { topic: Topic::Outage, partition: 0, envelope }
}

/// Gives the versions on the log, behind the genesis record.
fn versions(log: &MemoryLog) -> Vec<u64> {
    let records = log.records(Topic::Outage, 0);
    let values = records.into_iter().skip(1).map(|record| record.value);
    values.map(|value| crate::Envelope::decode(value).unwrap().version).collect()
}

async fn check(fate: Fate, is_acknowledged: bool, on_the_log: &[u64]) {
    let log = log();
    log.script([fate]);
    let outcome = log.append(&[record(1), record(2)]).await;
    assert_eq!(outcome.is_ok(), is_acknowledged, "{fate:?}");
    assert!(matches!(outcome, Ok(_) | Err(LogError::Unavailable(_))));
    log.append(&[record(3)]).await.unwrap();
    assert_eq!(versions(&log), on_the_log, "{fate:?}");
}

#[tokio::test]
async fn an_append_has_the_fate_of_the_script() {
    check(Fate::Acknowledged, true, &[1, 2, 3]).await;
    check(Fate::Lost, false, &[3]).await;
    check(Fate::Unacknowledged, false, &[1, 2, 3]).await;
    check(Fate::Torn { written: 1 }, false, &[1, 3]).await;
    check(Fate::Late { appends: 0 }, false, &[1, 2, 3]).await;
    check(Fate::Late { appends: 1 }, false, &[3]).await;
    check(Fate::Repeated { appends: 0 }, true, &[1, 2, 1, 2, 3]).await;
}

#[tokio::test]
async fn what_is_late_comes_at_the_end_at_last() {
    let log = log();
    log.script([Fate::Late { appends: 9 }]);
    assert!(log.append(&[record(1)]).await.is_err());
    assert!(versions(&log).is_empty());
    log.settle();
    assert_eq!(versions(&log), [1]);
}

#[tokio::test]
async fn the_log_can_be_seen_and_written_between_two_steps() {
    let log = log();
    assert_eq!(log.append_now(&[record(1), record(2)]).unwrap(), [1, 2]);
    let records = log.records(Topic::Outage, 0);
    assert_eq!(records.len(), 3);
    assert_eq!(records[2].value, record(2).envelope.encode());
    assert!(log.records(Topic::Outage, 1).is_empty());
}

const BAD: FaultPlan = FaultPlan {
    lost_per_mille: 100,
    unacknowledged_per_mille: 100,
    torn_per_mille: 100,
    late_per_mille: 100,
    repeated_per_mille: 100,
    short_poll_per_mille: 300,
    longest_delay: Duration::from_millis(20),
};

/// Appends sixty records, each until it is acknowledged, and gives the log.
async fn stubborn_writer(seed: u64) -> MemoryLog {
    let log = log().with_faults(seed, BAD);
    for version in (1..=60).step_by(2) {
        while log.append(&[record(version), record(version + 1)]).await.is_err() {}
    }
    log.settle();
    log
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_repeats_loses_nothing_under_any_seed() {
    let mut voids = 0;
    for seed in 0..50 {
        let log = stubborn_writer(seed).await;
        let verification = verify(&EventLog::Memory(log), |_, _| {}).await.unwrap();
        let counts = verification.topics[&Topic::Outage];
        assert_eq!(counts.accepted, 60, "seed {seed}");
        assert_eq!(counts.conflict + counts.gap + counts.repeated_command, 0, "seed {seed}");
        assert_eq!(verification.alarms, []);
        voids += counts.duplicate;
    }
    assert!(voids > 0, "the faults made no duplicate");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_log() {
    let (one, again, other) =
        (stubborn_writer(3).await, stubborn_writer(3).await, stubborn_writer(4).await);
    assert_eq!(one.records(Topic::Outage, 0), again.records(Topic::Outage, 0));
    assert_ne!(one.records(Topic::Outage, 0), other.records(Topic::Outage, 0));
}

#[tokio::test(start_paused = true)]
async fn short_polls_bring_everything_in_the_end() {
    let log = log().with_faults(5, BAD);
    log.append_now(&(1..=300).map(record).collect::<Vec<_>>()).unwrap();
    let start = Position { topic: Topic::Outage, partition: 0, offset: 1 };
    let mut reader = log.reader(&[start]).unwrap();
    let mut polls = Vec::new();
    while polls.iter().sum::<usize>() < 300 {
        polls.push(reader.poll(Limits { records: 5, ..Limits::default() }).await.unwrap().len());
    }
    assert!(polls.contains(&0) && polls.contains(&5), "{polls:?}");
}
