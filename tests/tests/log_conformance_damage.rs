//! A log that was truncated, re-created or half removed is refused, and never taken for the one that is remembered.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use ristoro_local::{Kafka, KafkaOptions, Postgres, PostgresOptions, cache_directory};
use ristoro_log::{EventLog, Limits, LogConfig, LogError, Position, Reader, Topic};
use ristoro_tests::conformance::{History, PARTITION_COUNT, PATIENT, read_until};
use uuid::Uuid;

const TOPIC: Topic = Topic::Entitlement;

fn at(offset: u64) -> Position {
    Position { topic: TOPIC, partition: 0, offset }
}

/// Creates a log and appends ten records, offsets 1 to 10.
async fn ten_records(config: &LogConfig, log_id: u128) -> EventLog {
    let create = EventLog::create(config, Uuid::from_u128(log_id), PARTITION_COUNT);
    let log = create.await.unwrap();
    log.append(&History::new(TOPIC, 0, "damaged").take(10, 10)).await.unwrap();
    log
}

async fn refuses(log: &EventLog, position: Position) {
    let mut reader = log.reader(&[position]).await.unwrap();
    let outcome = reader.poll(PATIENT).await;
    assert!(matches!(outcome, Err(LogError::Foreign(_))), "{position}: {outcome:?}");
}

/// Polls a reader that stood at the old log's end, until it notices.
async fn notices(mut reader: Reader) {
    let limits = Limits { wait: Duration::from_millis(200), ..PATIENT };
    let noticing = async {
        loop {
            match reader.poll(limits).await {
                Ok(records) => assert_eq!(records, [], "records of another log"),
                Err(error) => return error,
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(30), noticing).await;
    let error = error.expect("the reader notices that its log is gone");
    let is_refused = matches!(error, LogError::Foreign(_) | LogError::Missing { .. });
    assert!(is_refused, "{error:?}");
}

/// Checks what is said of a log that stands in the place of one that had ten records.
async fn another_log(config: &LogConfig) {
    let other = EventLog::create(config, Uuid::from_u128(2), PARTITION_COUNT).await.unwrap();
    assert_eq!(other.log_id(), Uuid::from_u128(2));
    refuses(&other, at(11)).await;
    assert_eq!(other.read_at(at(10)).await.unwrap(), None);
    let first = other.read_at(at(0)).await.unwrap();
    assert!(first.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_on_postgres_is_refused() {
    let server = Postgres::start(PostgresOptions::throw_away(cache_directory())).await.unwrap();
    let config = LogConfig::Postgres { url: server.create_database("log").await.unwrap() };
    let run = async |sql: &str| server.execute("log", sql).await.unwrap();

    let log = ten_records(&config, 1).await;
    run("DELETE FROM ristoro_log.record WHERE topic = 6 AND partition = 0 AND \"offset\" = 5")
        .await;
    let mut reader = log.reader(&[at(3)]).await.unwrap();
    assert!(matches!(reader.poll(PATIENT).await, Err(LogError::Foreign(_))));
    assert!(matches!(log.read_at(at(5)).await, Err(LogError::Foreign(_))));

    run("DELETE FROM ristoro_log.record WHERE topic = 6 AND partition = 0 AND \"offset\" < 8")
        .await;
    refuses(&log, at(1)).await;
    assert!(matches!(EventLog::open(&config).await, Err(LogError::Foreign(_))));

    let reader = log.reader(&[at(11)]).await.unwrap();
    run("DROP SCHEMA ristoro_log CASCADE").await;
    another_log(&config).await;
    notices(reader).await;

    run("DELETE FROM ristoro_log.partition WHERE topic = 9 AND partition = 1").await;
    let half = EventLog::open(&config).await;
    assert!(
        matches!(half, Err(LogError::Missing { topic: Topic::Notice, partition: 1 })),
        "{half:?}"
    );
    assert!(!EventLog::plan(&config).await.unwrap().is_complete());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_on_kafka_is_refused() {
    let server = Kafka::start(KafkaOptions::throw_away(cache_directory())).await.unwrap();
    let config = LogConfig::Kafka { bootstrap: server.bootstrap() };
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", server.bootstrap()).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));

    let log = ten_records(&config, 1).await;
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(TOPIC.name(), 0, Offset::Offset(8)).unwrap();
    admin.delete_records(&before, &options).await.unwrap();
    refuses(&log, at(1)).await;
    assert!(matches!(log.read_at(at(5)).await, Err(LogError::Foreign(_))));
    assert!(matches!(EventLog::open(&config).await, Err(LogError::Foreign(_))));
    let mut rest = log.reader(&[at(8)]).await.unwrap();
    assert_eq!(read_until(&mut rest, 3, PATIENT).await.len(), 3);

    let reader = log.reader(&[at(11)]).await.unwrap();
    let all: Vec<_> = Topic::ALL.iter().map(|topic| topic.name()).collect();
    admin.delete_topics(&all, &options).await.unwrap();
    another_log(&config).await;
    notices(reader).await;

    admin.delete_topics(&[Topic::Notice.name()], &options).await.unwrap();
    let half = EventLog::open(&config).await;
    assert!(matches!(half, Err(LogError::Missing { topic: Topic::Notice, .. })), "{half:?}");
    let plan = EventLog::plan(&config).await.unwrap();
    assert!(!plan.is_complete() && plan.log_id.is_some());
    server.stop().await.unwrap();
}
