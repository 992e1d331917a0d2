//! The same on the log in Postgres: what the embedded default runs on.

use ristoro_log::{EventLog, LogConfig};
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::{Comparison, equal};
use uuid::Uuid;

use super::counter::{Add, Counter, spec};
use super::support::*;

#[tokio::test]
async fn a_service_on_the_log_in_postgres_commands_folds_answers_and_rebuilds() {
    let database = database().await;
    let config = LogConfig::Postgres { url: database.url.clone() };
    let log = EventLog::create(&config, Uuid::new_v4(), PARTITIONS).await.unwrap();
    let service = start(spec(), &database.pool, &log).await;
    let mut producer = Producer::default();
    log.append(&producer.many(300)).await.unwrap();
    for name in ["a", "b", "c"] {
        let command = Add { amount: 5, limit: 10 };
        let (stream, request) = (counter(name), request());
        let done = service.commands().execute::<Counter>(&stream, &request, &command).await;
        assert_eq!(done.unwrap().state, 5);
    }
    until(&database.pool, SUM, 315).await;
    until(&database.pool, ECHOES, 303).await;
    service.stop().await.unwrap();

    let log = EventLog::open(&config).await.unwrap();
    let service = start(spec(), &database.pool, &log).await;
    let next = rebuild::start(service.schemas(), Uuid::new_v4()).await.unwrap();
    super::rebuilds::until_standby(&service, next).await;
    let patience = std::time::Duration::from_secs(30);
    let comparison = equal(service.schemas(), 1, next, patience).await.unwrap();
    assert_eq!(comparison, Comparison::Equal);
    service.stop().await.unwrap();
}
