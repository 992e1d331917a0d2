//! No acknowledged record is lost when the log's server is killed, and a repeated append counts once.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

use std::time::Duration;

use ristoro_local::{
    Durability, Kafka, KafkaOptions, Postgres, PostgresOptions, cache_directory, free_port,
};
use ristoro_log::verify::TopicCounts;
use ristoro_log::{EventLog, LogConfig, LogError};
use ristoro_tests::conformance::{
    PARTITION_COUNT, Written, check_acknowledged, read_through, write_until_told,
};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use uuid::Uuid;

/// Between two mishaps the writer has this time.
const CALM: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_kafka_loses_no_acknowledged_record() {
    let mut server = Kafka::start(KafkaOptions::throw_away(cache_directory())).await.unwrap();
    let config = LogConfig::Kafka { bootstrap: server.bootstrap() };
    let workers = Workers::start(&config).await;
    for _ in 0..2 {
        sleep(CALM).await;
        server.kill().await.unwrap();
        server.restart().await.unwrap();
    }
    sleep(CALM).await;
    server.freeze().await.unwrap();
    sleep(CALM).await;
    server.thaw().await.unwrap();
    let counts = workers.finish(&config).await;
    // A broker takes what its clients have given up on, so repetitions stand on the log.
    assert!(counts.duplicate > 0, "{counts:?}");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_postgres_loses_no_acknowledged_record() {
    let mut options = PostgresOptions::throw_away(cache_directory());
    options.durability = Durability::Durable;
    let mut server = Postgres::start(options).await.unwrap();
    let config = LogConfig::Postgres { url: server.create_database("log").await.unwrap() };
    let workers = Workers::start(&config).await;
    for _ in 0..2 {
        sleep(CALM).await;
        server.kill().await.unwrap();
        // It would be back before the writer repeats anything.
        sleep(CALM).await;
        server.restart().await.unwrap();
    }
    sleep(CALM).await;
    workers.finish(&config).await;
    server.stop().await.unwrap();
}

/// A writer and a reader at work.
struct Workers {
    stop: oneshot::Sender<()>,
    writer: tokio::task::JoinHandle<Written>,
    enough: watch::Sender<u64>,
    reader: tokio::task::JoinHandle<Vec<ristoro_log::Record>>,
}

impl Workers {
    async fn start(config: &LogConfig) -> Self {
        let create = EventLog::create(config, Uuid::from_u128(1), PARTITION_COUNT);
        let log = create.await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let (enough, known) = watch::channel(u64::MAX);
        let reader = tokio::spawn(read_through(log.clone(), known));
        let writer = tokio::spawn(write_until_told(log, stopped));
        Self { stop, writer, enough, reader }
    }

    /// Waits until all is read that was acknowledged, and checks it.
    async fn finish(self, config: &LogConfig) -> TopicCounts {
        self.stop.send(()).unwrap();
        let Written { acknowledged, repeats } = self.writer.await.unwrap();
        assert!(repeats > 0, "no append was repeated");
        assert!(acknowledged.len() > 10, "{} records were acknowledged", acknowledged.len());
        let last = acknowledged.iter().map(|(_, offset)| *offset).max().unwrap();
        self.enough.send(last + 1).unwrap();
        let read = tokio::time::timeout(Duration::from_secs(30), self.reader).await;
        let read = read.expect("the reader came to the last record").unwrap();
        let offsets: Vec<_> = read.iter().map(|record| record.position.offset).collect();
        assert_eq!(offsets, (0..u64::try_from(read.len()).unwrap()).collect::<Vec<_>>());
        check_acknowledged(config, &acknowledged).await
    }
}

/// A port on which nobody listens, for as long as nobody else takes it.
fn nowhere() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_reached_is_unavailable() {
    let kafka = LogConfig::Kafka { bootstrap: nowhere() };
    let postgres = LogConfig::Postgres { url: format!("postgres://someone@{}/log", nowhere()) };
    let both = tokio::join!(EventLog::open(&postgres), EventLog::open(&kafka));
    assert!(matches!(both.0, Err(LogError::Unavailable(_))), "{both:?}");
    assert!(matches!(both.1, Err(LogError::Unavailable(_))), "{both:?}");
}
