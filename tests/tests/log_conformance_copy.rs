//! Logs are made by many at once and copied whole, between real servers.

use ristoro_local::{Kafka, KafkaOptions, Postgres, PostgresOptions, cache_directory};
use ristoro_log::copy::copy;
use ristoro_log::{EventLog, LogConfig};
use ristoro_tests::conformance::{
    PARTITION_COUNT, copy_whole, create_by_many, fill, refuse_other_targets,
};
use uuid::Uuid;

#[tokio::test]
async fn a_log_in_memory_is_copied_whole() {
    let create = EventLog::create(&LogConfig::Memory, Uuid::from_u128(1), PARTITION_COUNT);
    let source = create.await.unwrap();
    fill(&source).await;
    let copied = copy(&source, &LogConfig::Memory, |_| {}).await.unwrap();
    assert_eq!(copied.identity(), source.identity());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_postgres_is_made_by_many_and_copied_whole() {
    let server = Postgres::start(PostgresOptions::throw_away(cache_directory())).await.unwrap();
    let config = LogConfig::Postgres { url: server.create_database("one").await.unwrap() };
    let target = LogConfig::Postgres { url: server.create_database("two").await.unwrap() };
    let source = create_by_many(&config).await;
    let copied = copy_whole(&source, &target).await;
    refuse_other_targets(&source, &copied, &target).await;
    server.stop().await.unwrap();
}

/// From the embedded log to Kafka, as an installation grows, and back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_kafka_is_made_by_many_and_copied_whole() {
    let cache = cache_directory();
    let (postgres, first, second) = tokio::try_join!(
        Postgres::start(PostgresOptions::throw_away(cache.clone())),
        Kafka::start(KafkaOptions::throw_away(cache.clone())),
        Kafka::start(KafkaOptions::throw_away(cache)),
    )
    .unwrap();
    let embedded = LogConfig::Postgres { url: postgres.create_database("log").await.unwrap() };
    let back = LogConfig::Postgres { url: postgres.create_database("back").await.unwrap() };
    let kafka = LogConfig::Kafka { bootstrap: first.bootstrap() };
    let source = create_by_many(&LogConfig::Kafka { bootstrap: second.bootstrap() }).await;
    let to_postgres = copy_whole(&source, &embedded).await;
    let on_kafka = copy(&to_postgres, &kafka, |_| {}).await.unwrap();
    let to_postgres_again = copy(&on_kafka, &back, |_| {}).await.unwrap();
    assert_eq!(to_postgres_again.identity(), source.identity());
    refuse_other_targets(&to_postgres, &on_kafka, &kafka).await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
    postgres.stop().await.unwrap();
}
