//! A service with two schemas whose loops stand still, and a fresh partition for every run.
//!
//! Partitions have nothing to do with each other, so a run on one of its own begins as on an empty log, and the tables
//! need not be made anew.

use std::time::{Duration, Instant};

use ristoro_log::EventLog;
use ristoro_log::memory::MemoryLog;
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::SchemaState;
use ristoro_runtime::service::stepwise::Stepwise;
use ristoro_runtime::service::{Service, ServiceSpec, Settings};
use ristoro_runtime::telemetry::Telemetry;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::tables::database;
use super::world::World;

/// Runs at most, each on a partition of its own.
const PARTITIONS: u32 = 128;

/// How long the preparation may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A prepared service.
pub struct Stand {
    /// One process of the service.
    pub one: Stepwise,
    /// Another process of the service.
    pub two: Stepwise,
    /// The database.
    pub pool: PgPool,
    log: MemoryLog,
    runs: u32,
}

impl Stand {
    /// Prepares a service with two schemas, the first one live and the second fed beside it, as of an empty log.
    ///
    /// # Panics
    /// If it fails.
    pub async fn of(database_name: &str, spec: fn() -> ServiceSpec) -> Self {
        let log = World::new(PARTITIONS).log;
        let url = database(database_name).await;
        let pool = PgPoolOptions::new().max_connections(16).connect(&url).await;
        let pool = pool.expect("the database is there");
        let on = || (pool.clone(), EventLog::Memory(log.clone()));
        let settings = Settings {
            lease: LeaseMode::All,
            heartbeat: Duration::from_millis(50),
            ..Settings::default()
        };
        let (telemetry, shutdown) = (Telemetry::default(), CancellationToken::new());
        let service = Service::start_on(spec(), settings, on(), telemetry, shutdown).await;
        let service = service.expect("the service is sound");
        let number = rebuild::start(service.schemas(), Uuid::from_u128(7)).await;
        let number = number.expect("a rebuild begins");
        let begun = Instant::now();
        loop {
            let progress = rebuild::progress(service.schemas(), number).await;
            if progress.is_ok_and(|it| it.state == SchemaState::Standby && it.current()) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "the rebuild is not complete");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        service.stop().await.expect("the loops end");
        let settings = || Settings { batch_records: 1, ..Settings::default() };
        let one = Stepwise::prepare(spec(), settings(), on()).await.expect("it is prepared");
        let two = Stepwise::prepare(spec(), settings(), on()).await.expect("it is prepared");
        Self { one, two, pool, log, runs: 0 }
    }

    /// Gives the next run's partition and a world on it, whose ids no other run makes.
    ///
    /// # Panics
    /// If there were more runs than partitions.
    pub fn next_run(&mut self) -> (u32, World) {
        let partition = self.runs;
        assert!(partition < PARTITIONS, "more than {PARTITIONS} interleavings: take fewer steps");
        self.runs += 1;
        (partition, World::on(self.log.clone(), partition))
    }
}
