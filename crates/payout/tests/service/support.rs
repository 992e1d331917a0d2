//! The real service on a Postgres of its own, its gRPC server, and a log that the other services' records are written to.

use std::time::{Duration, Instant};

use ristoro_local::{Postgres, PostgresOptions, cache_directory};
use ristoro_log::envelope::derived_event_id;
use ristoro_log::memory::MemoryLog;
use ristoro_log::{Cause, Envelope, EventLog, NewRecord, Position, Record, Topic};
use ristoro_payout::{routes, spec};
use ristoro_proto::wire::Wire;
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::grpc::{GrpcRoutes, Principals, ServeError, ServeOptions, bind, serve};
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::{Comparison, equal};
use ristoro_runtime::service::{Service, ServiceSpec, Settings};
use ristoro_runtime::telemetry::Telemetry;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use uuid::Uuid;

/// Partitions of the log.
pub const PARTITIONS: u32 = 2;
/// How long a test waits for what has to come.
const SOON: Duration = Duration::from_secs(20);
/// The business time of what tests write.
const THEN: &str = "2023-02-01T09:00:00Z";

/// `anna` creates files and handles payouts with the token `secret`, and could approve; `bo` approves with the token
/// `hello`; `cleo` reads with the token `masked`.
const PRINCIPALS: &str = r#"
[[principal]]
name = "anna"
roles = ["treasury", "proposer", "approver"]
token_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[principal]]
name = "bo"
roles = ["approver"]
token_sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

[[principal]]
name = "cleo"
roles = ["analyst"]
token_sha256 = "30e15b29b07c6ef608a2a6bfc708944c6c27dfa4342f43079892d8f51c646aab"
"#;

/// A running service with a log, a server and a database of its own.
pub struct Running {
    pub service: Service,
    pub log: MemoryLog,
    pub pool: PgPool,
    pub channel: Channel,
    postgres: Postgres,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), ServeError>>,
}

/// Starts the service on a fresh log.
pub async fn start() -> Running {
    start_as(spec(), Settings::default()).await
}

/// Starts the service without the loop that fills payment files, for tests that write what it would.
pub async fn start_idle() -> Running {
    start_as(ServiceSpec { workers: Vec::new(), ..spec() }, Settings::default()).await
}

/// Starts the service twice on the same database and log; each believes that it owns every partition.
pub async fn start_two() -> (Running, Service) {
    let all = || Settings { lease: LeaseMode::All, ..Settings::default() };
    let running = start_as(spec(), all()).await;
    let on = (running.pool.clone(), EventLog::Memory(running.log.clone()));
    let (telemetry, shutdown) = (Telemetry::default(), CancellationToken::new());
    let second = Service::start_on(spec(), all(), on, telemetry, shutdown).await.unwrap();
    (running, second)
}

async fn start_as(spec: ServiceSpec, settings: Settings) -> Running {
    let options = PostgresOptions::throw_away(cache_directory());
    let postgres = Postgres::start(options).await.unwrap();
    let url = postgres.create_database("ristoro").await.unwrap();
    let pool =
        sqlx::postgres::PgPoolOptions::new().max_connections(40).connect(&url).await.unwrap();
    let log = MemoryLog::new(Uuid::new_v4(), PARTITIONS);
    let (telemetry, shutdown) = (Telemetry::default(), CancellationToken::new());
    let on = (pool.clone(), EventLog::Memory(log.clone()));
    let service =
        Service::start_on(spec, settings, on, telemetry.clone(), shutdown.clone()).await.unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap(), "listen").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let options = ServeOptions {
        principals: Principals::parse("principals.toml", PRINCIPALS).unwrap(),
        call_deadline: Duration::from_secs(30),
        calls_at_once: 64,
        shutdown_bound: Duration::from_secs(5),
        telemetry,
    };
    let routes = routes(GrpcRoutes::new(), &service);
    let server = tokio::spawn(serve(listener, routes, options, shutdown.clone()));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    Running { service, log, pool, channel, postgres, shutdown, server }
}

impl Running {
    /// Appends an event to a stream, behind whatever it has, and gives its place.
    pub fn write(&self, at: (Topic, u32), stream: &str, event: &impl Wire) -> Position {
        self.write_record(at, stream, event.kind(), event.encode())
    }

    /// Appends a record of any kind and payload.
    pub fn write_record(
        &self,
        (topic, partition): (Topic, u32),
        stream: &str,
        kind: &str,
        payload: bytes::Bytes,
    ) -> Position {
        let (version, previous) = self.head(topic, partition, stream);
        let (version, cause) = (version + 1, Cause::Command(Uuid::new_v4()));
        let envelope = Envelope {
            event_id: derived_event_id(stream, version, &cause),
            stream: stream.to_owned(),
            version,
            previous,
            kind: kind.to_owned(),
            occurred_at: THEN.parse().unwrap(),
            cause,
            command_id: None,
            actor: "anna".to_owned(),
            traceparent: String::new(),
            payload,
        };
        let offsets = self.log.append_now(&[NewRecord { topic, partition, envelope }]).unwrap();
        Position { topic, partition, offset: offsets[0] }
    }

    /// Appends an event, and waits until the tables show it.
    pub async fn tell(&self, at: (Topic, u32), stream: &str, event: &impl Wire) {
        let position = self.write(at, stream, event);
        self.service.views().wait(&[position], SOON).await.unwrap();
    }

    fn head(&self, topic: Topic, partition: u32, stream: &str) -> (u64, Uuid) {
        let mut head = (0, Uuid::nil());
        for envelope in self.envelopes(topic, partition).filter(|one| one.stream == stream) {
            if envelope.version == head.0 + 1 && envelope.previous == head.1 {
                head = (envelope.version, envelope.event_id);
            }
        }
        head
    }

    /// Gives what is on a partition of the log.
    pub fn envelopes(&self, topic: Topic, partition: u32) -> impl Iterator<Item = Envelope> {
        let envelope = |record: Record| Envelope::decode(record.value).ok();
        self.log.records(topic, partition).into_iter().filter_map(envelope)
    }

    /// Counts by a query of the service's views.
    pub async fn number(&self, query: &'static str) -> i64 {
        let mut view = self.service.views().begin().await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut *view).await.unwrap()
    }

    /// Builds the tables again from the log, and compares them with the live ones.
    pub async fn assert_rebuilt_tables_equal_the_live_ones(&self) {
        let schemas = self.service.schemas();
        let live = rebuild::list(schemas).await.unwrap()[0].number;
        let built = rebuild::start(schemas, Uuid::new_v4()).await.unwrap();
        let comparison = equal(schemas, live, built, Duration::from_secs(60)).await.unwrap();
        assert_eq!(comparison, Comparison::Equal);
    }

    /// Ends the server, the loops and the database, in that order.
    pub async fn end(self) {
        self.shutdown.cancel();
        self.server.await.unwrap().unwrap();
        self.service.stop().await.unwrap();
        self.pool.close().await;
        self.postgres.stop().await.unwrap();
    }
}

/// Waits until a query gives what it shall.
pub async fn until<T: PartialEq + std::fmt::Debug>(expected: T, look: impl AsyncFn() -> T) {
    let begun = Instant::now();
    loop {
        let found = look().await;
        if found == expected {
            return;
        }
        let late = begun.elapsed() > SOON;
        assert!(!late, "{found:?} is not {expected:?} after {SOON:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
