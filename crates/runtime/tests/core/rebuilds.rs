//! Rebuilds give the same tables again, and a switch never shows an older state.

use std::time::{Duration, Instant};

use ristoro_log::EventLog;
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::rebuild::{self, RebuildError};
use ristoro_runtime::schema::{self, Comparison, SchemaState};
use ristoro_runtime::service::{Service, Settings};
use ristoro_runtime::views::Views;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::counter::spec;
use super::support::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a rebuild can be switched to.
pub async fn until_standby(service: &Service, number: i32) {
    let begun = Instant::now();
    while rebuild::progress(service.schemas(), number).await.unwrap().state != SchemaState::Standby
    {
        assert!(begun.elapsed() < PATIENCE, "schema {number} is not complete after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_rebuild_gives_the_same_tables_and_can_be_switched_to_and_back() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let service = start(spec(), &database.pool, &log).await;
    let mut producer = Producer::default();
    memory.append_now(&producer.many(500)).unwrap();
    until(&database.pool, ECHOES, 500).await;
    let request_id = Uuid::new_v4();
    let schemas = service.schemas();
    let two = rebuild::start(schemas, request_id).await.unwrap();
    assert_eq!((two, rebuild::start(schemas, request_id).await.unwrap()), (2, 2));
    let early = rebuild::switch(schemas, two, None).await.unwrap_err();
    assert!(matches!(early, RebuildError::State { .. } | RebuildError::Busy), "{early}");
    until_standby(&service, two).await;
    let indexes = "select count(*) from pg_indexes where schemaname = 'counter_2'
         and indexname in ('folded_stream', 'echo_once')";
    assert_eq!(number(&database.pool, indexes).await, 2);
    let unknown = "select count(*) from pg_class where relnamespace = 'counter_2'::regnamespace
         and relkind = 'r' and reltuples < 0";
    assert_eq!(number(&database.pool, unknown).await, 0, "all its tables are analyzed");
    assert_eq!(schema::equal(schemas, 1, two, PATIENCE).await.unwrap(), Comparison::Equal);
    assert!(rebuild::progress(schemas, two).await.unwrap().current());

    rebuild::switch(schemas, two, Some(1)).await.unwrap();
    memory.append_now(&producer.many(100)).unwrap();
    until(&database.pool, SUM, 600).await;
    rebuild::switch(schemas, 1, Some(2)).await.unwrap();
    assert_eq!(number(&database.pool, SUM).await, 600, "the old schema was fed on");
    let believed = rebuild::switch(schemas, 2, Some(2)).await.unwrap_err();
    assert!(matches!(believed, RebuildError::LiveChanged { live: 1 }), "{believed}");
    let live = rebuild::drop(schemas, 1).await.unwrap_err();
    assert!(matches!(live, RebuildError::State { number: 1, .. }), "{live}");
    rebuild::drop(schemas, 2).await.unwrap();
    assert_eq!(rebuild::list(schemas).await.unwrap().len(), 1);
    let gone = "select count(*) from pg_namespace where nspname = 'counter_2'";
    assert_eq!(number(&database.pool, gone).await, 0);
    memory.append_now(&producer.many(10)).unwrap();
    until(&database.pool, SUM, 610).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_rebuild_stands_still_at_no_pace_through_a_restart_and_goes_on_where_it_was() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let service = start(spec(), &database.pool, &log).await;
    let mut producer = Producer::default();
    memory.append_now(&producer.many(50)).unwrap();
    until(&database.pool, ECHOES, 50).await;
    let schemas = service.schemas().clone();
    service.stop().await.unwrap();
    let two = rebuild::start(&schemas, Uuid::new_v4()).await.unwrap();
    rebuild::pace(&schemas, two, 0).await.unwrap();

    let service = start(spec(), &database.pool, &log).await;
    // What feeds the live tables is started together with what would feed the new ones.
    for expected in [100, 150] {
        memory.append_now(&producer.many(50)).unwrap();
        until(&database.pool, ECHOES, expected).await;
    }
    let still = rebuild::progress(&schemas, two).await.unwrap();
    assert!(still.partitions.iter().all(|one| one.next.offset == 0), "{still:?}");
    assert_eq!((still.pace_percent, still.state), (0, SchemaState::Building));
    rebuild::pace(&schemas, two, 50).await.unwrap();
    until_standby(&service, two).await;
    assert_eq!(schema::equal(&schemas, 1, two, PATIENCE).await.unwrap(), Comparison::Equal);
    for (number, state) in [(1, SchemaState::Live), (two, SchemaState::Standby)] {
        let refused = rebuild::pace(&schemas, number, 50).await.unwrap_err();
        let complete =
            matches!(refused, RebuildError::State { state: found, .. } if found == state);
        assert!(complete, "{refused}");
    }
    let missing = rebuild::pace(&schemas, 9, 50).await.unwrap_err();
    assert!(matches!(missing, RebuildError::Missing(9)), "{missing}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn tables_that_differ_are_named() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let service = start(spec(), &database.pool, &log).await;
    memory.append_now(&Producer::default().many(50)).unwrap();
    until(&database.pool, ECHOES, 50).await;
    let two = rebuild::start(service.schemas(), Uuid::new_v4()).await.unwrap();
    until_standby(&service, two).await;
    sqlx::query("update counter_2.total set total = total + 1 where stream = 'counter/n0'")
        .execute(&database.pool)
        .await
        .unwrap();
    let comparison = schema::equal(service.schemas(), 1, two, PATIENCE).await.unwrap();
    assert_eq!(comparison, Comparison::Different(vec!["total".to_owned()]));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn another_process_of_the_service_feeds_the_rebuild_too() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let one = start(spec(), &database.pool, &log).await;
    let two = start(spec(), &database.pool, &log).await;
    memory.append_now(&Producer::default().many(50)).unwrap();
    until(&database.pool, ECHOES, 50).await;
    let number = rebuild::start(one.schemas(), Uuid::new_v4()).await.unwrap();
    // The one that was asked ends at once: the other has to read of it in the register.
    one.stop().await.unwrap();
    until_standby(&two, number).await;
    assert_eq!(schema::equal(two.schemas(), 1, number, PATIENCE).await.unwrap(), Comparison::Equal);
    two.stop().await.unwrap();
}

/// Reads sums and positions until told to end, each never below the last; gives the number of reads.
async fn read_on(views: Views, end: CancellationToken) -> usize {
    let (mut reads, mut last_sum, mut last) = (0, 0, std::collections::BTreeMap::new());
    while !end.is_cancelled() {
        let mut transaction = views.begin().await.unwrap();
        let sum: i64 = sqlx::query_scalar("select coalesce(sum(total), 0)::bigint from total")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        let positions = Views::positions(&mut transaction).await.unwrap();
        transaction.rollback().await.unwrap();
        assert!(sum >= last_sum, "the sum went back from {last_sum} to {sum}");
        for (place, offset) in &last {
            assert!(positions[place] >= *offset, "{place:?} went back from {offset}");
        }
        (last_sum, last) = (sum, positions);
        reads += 1;
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_under_load_never_goes_back() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let settings = Settings { batch_records: 200, ..settings(LeaseMode::All) };
    let service = start_with(spec(), settings, &database.pool, &log).await.unwrap();
    let end = CancellationToken::new();
    let writer = tokio::spawn({
        let (memory, end) = (memory.clone(), end.clone());
        async move {
            let mut producer = Producer::default();
            let mut written = 0;
            while !end.is_cancelled() {
                memory.append_now(&producer.many(10)).unwrap();
                written += 10;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            written
        }
    });
    let reader = tokio::spawn(read_on(service.views(), end.clone()));
    let two = rebuild::start(service.schemas(), Uuid::new_v4()).await.unwrap();
    until_standby(&service, two).await;
    for to in [2, 1, 2, 1, 2] {
        let begun = Instant::now();
        while let Err(error) = rebuild::switch(service.schemas(), to, None).await {
            assert!(begun.elapsed() < PATIENCE, "no switch to {to}: {error}");
        }
    }
    end.cancel();
    let written = writer.await.unwrap();
    assert!(reader.await.unwrap() > 0);
    until(&database.pool, SUM, written).await;
    assert_eq!(schema::equal(service.schemas(), 1, 2, PATIENCE).await.unwrap(), Comparison::Equal);
    service.stop().await.unwrap();
}
