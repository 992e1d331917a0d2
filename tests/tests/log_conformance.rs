//! Every log passes the same checks: in memory, on a real Postgres, on a real Kafka.

use ristoro_local::{Kafka, KafkaOptions, Postgres, PostgresOptions, cache_directory};
use ristoro_log::{EventLog, LogConfig};
use ristoro_tests::conformance::{PARTITION_COUNT, run};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_memory_conforms() {
    let config = LogConfig::Memory;
    let log = EventLog::create(&config, Uuid::from_u128(1), PARTITION_COUNT).await.unwrap();
    run(&log, &config).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_postgres_conforms() {
    let server = Postgres::start(PostgresOptions::throw_away(cache_directory())).await.unwrap();
    let config = LogConfig::Postgres { url: server.create_database("log").await.unwrap() };
    let log = EventLog::create(&config, Uuid::from_u128(1), PARTITION_COUNT).await.unwrap();
    run(&log, &config).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_kafka_conforms() {
    let server = Kafka::start(KafkaOptions::throw_away(cache_directory())).await.unwrap();
    let config = LogConfig::Kafka { bootstrap: server.bootstrap() };
    let log = EventLog::create(&config, Uuid::from_u128(1), PARTITION_COUNT).await.unwrap();
    run(&log, &config).await;
    server.stop().await.unwrap();
}
