//! Stages: every input is answered once, whatever happens between the append and the commit.

use ristoro_log::memory::Fate;
use ristoro_log::{EventLog, Topic};
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::service::Settings;

use super::counter::spec;
use super::support::*;

#[tokio::test]
async fn outputs_that_were_appended_before_a_crash_are_appended_again_and_void() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let mut producer = Producer::default();
    memory.append_now(&producer.many(100)).unwrap();
    // The first appends of the stage reach the log, and nobody commits the positions behind them.
    memory.script([Fate::Unacknowledged, Fate::Torn { written: 3 }, Fate::Unacknowledged]);
    let service = start(spec(), &database.pool, &log).await;
    until(&database.pool, ECHOES, 100).await;
    let written: usize =
        (0..PARTITIONS).map(|partition| memory.records(Topic::Signal, partition).len() - 1).sum();
    assert!(written > 100, "{written} records: nothing was appended twice");
    memory.append_now(&producer.many(50)).unwrap();
    until(&database.pool, ECHOES, 150).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn stages_that_share_all_partitions_answer_each_input_once() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let settings = Settings { batch_records: 11, ..settings(LeaseMode::All) };
    let one = start_with(spec(), settings.clone(), &database.pool, &log).await.unwrap();
    let two = start_with(spec(), settings, &database.pool, &log).await.unwrap();
    let mut producer = Producer::default();
    for _ in 0..20 {
        memory.append_now(&producer.many(50)).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    until(&database.pool, ECHOES, 1000).await;
    // The unique index on `heard` would have stopped the projection at an answer given twice.
    let distinct = "select count(distinct heard) from counter.echo";
    assert_eq!(number(&database.pool, distinct).await, 1000);
    one.stop().await.unwrap();
    two.stop().await.unwrap();
}

#[tokio::test]
async fn many_small_faults_lose_nothing_and_double_nothing() {
    use ristoro_log::memory::FaultPlan;
    let database = database().await;
    let plan = FaultPlan {
        lost_per_mille: 100,
        unacknowledged_per_mille: 100,
        torn_per_mille: 100,
        late_per_mille: 100,
        repeated_per_mille: 100,
        short_poll_per_mille: 200,
        ..FaultPlan::default()
    };
    let memory = memory().with_faults(7, plan);
    let log = EventLog::Memory(memory.clone());
    let service = start(spec(), &database.pool, &log).await;
    let mut producer = Producer::default();
    for _ in 0..40 {
        memory.append_now(&producer.many(10)).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    memory.settle();
    until(&database.pool, ECHOES, 400).await;
    until(&database.pool, SUM, 400).await;
    assert_eq!(number(&database.pool, SUM).await, 400);
    service.stop().await.unwrap();
}
