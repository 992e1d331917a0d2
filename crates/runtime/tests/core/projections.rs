//! Rows and positions move together, whoever folds, and on the remembered log only.

use ristoro_log::memory::MemoryLog;
use ristoro_log::{Cause, EventLog, LogError, Position, Topic};
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::service::{Settings, StartError};
use ristoro_runtime::views;
use uuid::Uuid;

use super::counter::{projections_only, spec};
use super::support::*;

#[tokio::test]
async fn a_service_goes_on_where_it_stopped() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let mut producer = Producer::default();
    memory.append_now(&producer.many(300)).unwrap();
    let service = start(projections_only(), &database.pool, &log).await;
    until(&database.pool, SUM, 300).await;
    service.stop().await.unwrap();
    memory.append_now(&producer.many(200)).unwrap();
    let service = start(projections_only(), &database.pool, &log).await;
    until(&database.pool, SUM, 500).await;
    assert_eq!(number(&database.pool, FOLDED).await, 500);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn two_projectors_on_the_same_partitions_write_each_row_once() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let small = Settings { batch_records: 7, ..settings(LeaseMode::All) };
    let one = start_with(projections_only(), small.clone(), &database.pool, &log).await.unwrap();
    let two = start_with(projections_only(), small, &database.pool, &log).await.unwrap();
    let mut producer = Producer::default();
    for _ in 0..40 {
        memory.append_now(&producer.many(50)).unwrap();
        tokio::task::yield_now().await;
    }
    until(
        &database.pool,
        "select count(distinct (partition, \"offset\")) from counter.folded",
        2000,
    )
    .await;
    one.stop().await.unwrap();
    two.stop().await.unwrap();
    assert_eq!(number(&database.pool, FOLDED).await, 2000);
    assert_eq!(number(&database.pool, SUM).await, 2000);
    // Behind a broken fence a record would be judged twice, and be its own duplicate.
    assert_eq!(number(&database.pool, VOIDS).await, 0);
}

#[tokio::test]
async fn records_that_do_not_count_change_nothing_and_are_counted() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let mut producer = Producer::default();
    let first = producer.added("a", 1);
    let other = ristoro_proto::wire::Wire::encode(&super::counter::Added { amount: 9 });
    // A command that is sent again may say something else, such as a later time: that alarms nobody.
    let mut again = first.clone();
    again.envelope.payload = other.clone();
    let mut second = producer.added("a", 1);
    let cause = Position { topic: Topic::Outage, partition: 0, offset: 1 };
    second.envelope.cause = Cause::Log(cause);
    let mut altered = second.clone();
    altered.envelope.payload = other;
    let mut conflict = second.clone();
    conflict.envelope.event_id = Uuid::new_v4();
    let mut gap = second.clone();
    gap.envelope.version = 7;
    memory.append_now(&[first, again, second.clone(), second, altered, conflict, gap]).unwrap();
    let service = start(projections_only(), &database.pool, &log).await;
    until(&database.pool, VOIDS, 5).await;
    let of = |reason: &str| {
        format!(
            "select coalesce(sum(records), 0)::bigint from counter.void_count where reason = '{reason}'"
        )
    };
    assert_eq!(number(&database.pool, &of("duplicate")).await, 3);
    assert_eq!(number(&database.pool, &of("conflict")).await, 1);
    assert_eq!(number(&database.pool, &of("gap")).await, 1);
    assert_eq!(number(&database.pool, SUM).await, 2);
    let page = service.telemetry().metrics.page();
    let alarm =
        r#"ristoro_altered_duplicates_total{consumer="counter.totals",verdict="duplicate"} 1"#;
    assert!(page.contains(alarm), "{page}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_read_waits_for_a_position_and_tells_what_it_shows() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let service = start(spec(), &database.pool, &log).await;
    let done = service
        .commands()
        .execute::<super::counter::Counter>(
            &counter("a"),
            &request(),
            &super::counter::Add { amount: 3, limit: 10 },
        )
        .await
        .unwrap();
    let patience = std::time::Duration::from_secs(10);
    service.views().wait(&done.token, patience).await.unwrap();
    let mut transaction = service.views().begin().await.unwrap();
    let total: i64 = sqlx::query_scalar("select total from total where stream = 'counter/a'")
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(total, 3);
    let as_of = views::as_of(&mut transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(as_of.positions.contains(&done.token[0].to_string()), "{as_of:?}");
    let mut beyond = done.token[0];
    beyond.offset += 100;
    let brief = std::time::Duration::from_millis(50);
    let status = service.views().wait(&[beyond], brief).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn another_log_or_a_truncated_one_is_refused() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    memory.append_now(&Producer::default().many(20)).unwrap();
    let service = start(projections_only(), &database.pool, &log).await;
    until(&database.pool, SUM, 20).await;
    service.stop().await.unwrap();

    let refused = async |log: MemoryLog| {
        let log = EventLog::Memory(log);
        let settings = settings(LeaseMode::All);
        match start_with(projections_only(), settings, &database.pool, &log).await {
            Err(StartError::Log(LogError::Foreign(problem))) => problem,
            Err(other) => panic!("refused for another reason: {other}"),
            Ok(_) => panic!("a foreign log was taken"),
        }
    };
    let other = refused(MemoryLog::new(Uuid::new_v4(), PARTITIONS)).await;
    assert!(other.contains("connect it to its own log"), "{other}");
    let truncated = refused(MemoryLog::new(memory.log_id(), PARTITIONS)).await;
    assert!(truncated.contains("truncated"), "{truncated}");
    let made_anew = MemoryLog::new(memory.log_id(), PARTITIONS);
    made_anew.append_now(&Producer::default().many(20)).unwrap();
    let anew = refused(made_anew).await;
    assert!(anew.contains("remembers another record"), "{anew}");
    let records = memory.records(Topic::Outage, 0);
    assert!(!records.is_empty());
    let service = start(projections_only(), &database.pool, &log).await;
    service.stop().await.unwrap();
}
