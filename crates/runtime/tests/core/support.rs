//! A database for each test on one server, services on it, and ways to write and wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ristoro_domain::time::Instant as BusinessTime;
use ristoro_local::{Postgres, PostgresOptions, cache_directory};
use ristoro_log::envelope::derived_event_id;
use ristoro_log::memory::MemoryLog;
use ristoro_log::position::partition_of;
use ristoro_log::{Cause, Envelope, EventLog, NewRecord, Topic};
use ristoro_proto::wire::Wire;
use ristoro_runtime::command::{CommandRequest, StreamRef};
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::service::{Service, ServiceSpec, Settings, StartError};
use ristoro_runtime::telemetry::Telemetry;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::counter::Added;

pub const PARTITIONS: u32 = 4;

/// One server for all tests of this binary; its supervisor ends it with the process.
static SERVER: OnceCell<Postgres> = OnceCell::const_new();

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database of one's own.
pub struct Database {
    pub url: String,
    pub pool: PgPool,
}

pub async fn database() -> Database {
    let start =
        || async { Postgres::start(PostgresOptions::throw_away(cache_directory())).await.unwrap() };
    let server = SERVER.get_or_init(start).await;
    let name = format!("core_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let url = server.create_database(&name).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(24).connect(&url).await.unwrap();
    Database { url, pool }
}

pub fn memory() -> MemoryLog {
    MemoryLog::new(Uuid::new_v4(), PARTITIONS)
}

/// Settings under which tests need not wait long.
pub fn settings(lease: LeaseMode) -> Settings {
    Settings {
        lease,
        heartbeat: Duration::from_millis(100),
        lease_time: Duration::from_secs(1),
        ..Settings::default()
    }
}

/// Starts a service that works on all partitions.
pub async fn start(spec: ServiceSpec, pool: &PgPool, log: &EventLog) -> Service {
    start_with(spec, settings(LeaseMode::All), pool, log).await.unwrap()
}

pub async fn start_with(
    spec: ServiceSpec,
    settings: Settings,
    pool: &PgPool,
    log: &EventLog,
) -> Result<Service, StartError> {
    let on = (pool.clone(), log.clone());
    Service::start_on(spec, settings, on, Telemetry::default(), CancellationToken::new()).await
}

/// Names a counter's stream on its partition.
pub fn counter(name: &str) -> StreamRef {
    StreamRef::keyed(Topic::Outage, format!("counter/{name}"), name, PARTITIONS)
}

/// A command's request under a fresh id.
pub fn request() -> CommandRequest {
    CommandRequest {
        request_id: Uuid::new_v4(),
        actor: "anna".to_owned(),
        traceparent: String::new(),
        occurred_at: BusinessTime::UNIX_EPOCH,
        expected_version: None,
        validate_only: false,
        content: None,
    }
}

/// Writes counters' events as a producer of its own: it knows the heads that it wrote.
#[derive(Default)]
pub struct Producer {
    heads: BTreeMap<String, (u64, Uuid)>,
}

impl Producer {
    /// Makes the next record of a counter.
    pub fn added(&mut self, name: &str, amount: i64) -> NewRecord {
        let event = Added { amount };
        self.next(name, event.kind(), event.encode())
    }

    /// Makes a record that counts and that nobody can read.
    pub fn unreadable(&mut self, name: &str) -> NewRecord {
        self.next(name, "Mystery", bytes::Bytes::from_static(b"?"))
    }

    fn next(&mut self, name: &str, kind: &str, payload: bytes::Bytes) -> NewRecord {
        let stream = format!("counter/{name}");
        let (version, previous) = self.heads.get(&stream).copied().unwrap_or((0, Uuid::nil()));
        let cause = Cause::Command(Uuid::new_v4());
        let event_id = derived_event_id(&stream, version + 1, &cause);
        self.heads.insert(stream.clone(), (version + 1, event_id));
        let envelope = Envelope {
            event_id,
            stream,
            version: version + 1,
            previous,
            kind: kind.to_owned(),
            occurred_at: BusinessTime::UNIX_EPOCH,
            cause,
            command_id: None,
            actor: String::new(),
            traceparent: String::new(),
            payload,
        };
        NewRecord { topic: Topic::Outage, partition: partition_of(name, PARTITIONS), envelope }
    }

    /// Makes `count` additions of 1 over ten counters.
    pub fn many(&mut self, count: usize) -> Vec<NewRecord> {
        (0..count).map(|number| self.added(&format!("n{}", number % 10), 1)).collect()
    }
}

/// Reads one number.
pub async fn number(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(pool).await.unwrap()
}

/// Waits until a query gives a number, at most 30 s.
pub async fn until(pool: &PgPool, query: &str, expected: i64) {
    let begun = Instant::now();
    loop {
        let found = number(pool, query).await;
        if found == expected {
            return;
        }
        let late = begun.elapsed() > Duration::from_secs(30);
        assert!(!late, "{query} gives {found}, not {expected}, after 30 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The sum of all additions that the live tables show.
pub const SUM: &str = "select coalesce(sum(total), 0)::bigint from counter.total";
/// The number of records that the live tables were folded from.
pub const FOLDED: &str = "select count(*) from counter.folded";
/// The number of echoes that the live tables show.
pub const ECHOES: &str = "select count(*) from counter.echo";
/// The number of records without effect that the live tables were folded from.
pub const VOIDS: &str = "select coalesce(sum(records), 0)::bigint from counter.void_count";
