//! Checks of whole logs: created by many at once, copied, verified.

use std::collections::BTreeMap;

use futures::future::join_all;
use ristoro_log::copy::{CopyError, copy};
use ristoro_log::verify::{TopicCounts, verify};
use ristoro_log::{EventLog, LogConfig, LogError, Position, Record, Topic};
use uuid::Uuid;

use super::records::{History, read_until};
use super::{PARTITION_COUNT, PATIENT};

/// Creates a log by three at once, each of which would give it another id, and gives it.
///
/// # Panics
/// If they do not agree, or what is asked of the log before and after is answered wrongly.
pub async fn create_by_many(config: &LogConfig) -> EventLog {
    let empty = EventLog::plan(config).await.unwrap();
    assert!(!empty.is_complete() && empty.log_id.is_none());
    let unopened = EventLog::open(config).await;
    assert!(matches!(unopened, Err(LogError::Missing { .. })), "{unopened:?}");
    let create = |id| EventLog::create(config, Uuid::from_u128(id), PARTITION_COUNT);
    let mut created = Vec::new();
    for outcome in join_all([create(1), create(2), create(3)]).await {
        created.push(outcome.unwrap());
    }
    let log = created.pop().unwrap();
    assert!(created.iter().all(|other| other.identity() == log.identity()));
    assert_eq!(create(4).await.unwrap().identity(), log.identity());
    assert_eq!(EventLog::open(config).await.unwrap().identity(), log.identity());
    let other_count = EventLog::create(config, log.log_id(), PARTITION_COUNT + 1).await;
    assert!(matches!(other_count, Err(LogError::Foreign(_))), "{other_count:?}");
    let plan = EventLog::plan(config).await.unwrap();
    assert!(plan.is_complete(), "{plan:?}");
    assert_eq!(plan.log_id, Some(log.log_id()));
    assert_eq!(plan.conflicts(PARTITION_COUNT).count(), 0);
    assert_eq!(plan.conflicts(PARTITION_COUNT + 1).count(), Topic::ALL.len());
    log
}

/// Fills a log with records of every worth, and gives the counts that a verification has to come to.
///
/// # Panics
/// If the log takes them not.
pub async fn fill(log: &EventLog) -> BTreeMap<Topic, TopicCounts> {
    let before = verify(log, |_, _| {}).await.unwrap().topics;
    let mut expected = before;
    for (topic, partition) in [(Topic::Outage, 0), (Topic::Payout, 1), (Topic::Ops, 3)] {
        let mut history = History::new(topic, partition, "whole/many");
        let many = history.take(3_000, 200);
        log.append(&many).await.unwrap();
        // The newest once more, one far older, one that skips a version, one whose place is taken.
        let skipping = {
            history.next(10);
            history.next(10)
        };
        let mut rival = History::new(topic, partition, "whole/rival").next(10);
        rival.envelope.stream = "whole/many".to_owned();
        let voids = [many[2_999].clone(), many[5].clone(), skipping, rival];
        log.append(&voids).await.unwrap();
        let counts = expected.entry(topic).or_default();
        counts.accepted += 3_000;
        counts.duplicate += 2;
        counts.gap += 1;
        counts.conflict += 1;
    }
    expected
}

/// Copies a log to an empty place, interrupted once, and checks that nothing else can be copied there.
///
/// # Panics
/// If the copy is not the same log.
pub async fn copy_whole(source: &EventLog, target: &LogConfig) -> EventLog {
    let expected = fill(source).await;
    copy_half(source, target).await;
    let half = EventLog::open(target).await;
    assert!(matches!(half, Err(LogError::Missing { .. })), "{half:?}");
    let mut copied = Vec::new();
    let copy_again = copy(source, target, |progress| copied.push(progress.next.offset)).await;
    let target_log = copy_again.unwrap();
    assert!(copied.iter().any(|offset| *offset > 1), "the second call copied nothing");
    assert_eq!(target_log.identity(), source.identity());
    for topic in Topic::ALL {
        let (ours, theirs) = (whole(source, topic).await, whole(&target_log, topic).await);
        assert!(ours == theirs, "{topic} differs");
    }
    let verified = verify(&target_log, |_, _| {}).await.unwrap();
    assert_eq!(verified.topics, expected);
    assert_eq!(verified.alarms, []);
    target_log
}

/// Checks that a target with other records is refused. It leaves the source with more records than the target.
///
/// # Panics
/// If it is not.
pub async fn refuse_other_targets(source: &EventLog, copied: &EventLog, target: &LogConfig) {
    copy(source, target, |_| {}).await.unwrap();
    let mut history = History::new(Topic::Notice, 2, "whole/after");
    copied.append(&[history.next(10)]).await.unwrap();
    let longer = copy(source, target, |_| {}).await;
    assert!(matches!(longer, Err(CopyError::NotEmpty(_))), "{longer:?}");
    source.append(&[history.next(11), history.next(12)]).await.unwrap();
    let other = copy(source, target, |_| {}).await;
    assert!(matches!(other, Err(CopyError::NotEmpty(_))), "{other:?}");
    let stranger = EventLog::create(&LogConfig::Memory, Uuid::from_u128(99), PARTITION_COUNT);
    let foreign = copy(&stranger.await.unwrap(), target, |_| {}).await;
    assert!(matches!(foreign, Err(CopyError::NotEmpty(_))), "{foreign:?}");
}

/// Begins a copy and drops it between two appends, once it has come to the payouts.
async fn copy_half(source: &EventLog, target: &LogConfig) {
    let (reached, mut reaches) = tokio::sync::mpsc::unbounded_channel();
    let copying = copy(source, target, |progress| {
        if progress.next.topic == Topic::Payout && progress.next.offset > 0 {
            reached.send(()).unwrap();
        }
    });
    tokio::select! {
        biased;
        _ = reaches.recv() => {}
        outcome = copying => panic!("the copy ended before it came to the payouts: {outcome:?}"),
    }
}

/// Reads a topic from its first record to its end.
async fn whole(log: &EventLog, topic: Topic) -> Vec<Record> {
    let ends = log.end_offsets(topic).await.unwrap();
    let mut records = Vec::new();
    for (partition, end) in (0..).zip(ends) {
        let mut reader = log.reader(&[Position { topic, partition, offset: 0 }]).await.unwrap();
        records.extend(read_until(&mut reader, usize::try_from(end).unwrap(), PATIENT).await);
    }
    records
}
