//! The real service on a Postgres of its own, and a log that the other services' records are written to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ristoro_domain::columns::Columns;
use ristoro_domain::decided::Chunk;
use ristoro_domain::facts::{Class, FeePeriod, Segment};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::remedy::{Grant, Payer, Reason, Remedy, RemedyKind};
use ristoro_domain::roster::{Contact, ImportRow, Payee, Profile};
use ristoro_domain::settlement::{Pins, Proposal};
use ristoro_domain::totals::Totals;
use ristoro_local::{Postgres, PostgresOptions, cache_directory};
use ristoro_log::envelope::derived_event_id;
use ristoro_log::memory::MemoryLog;
use ristoro_log::{Cause, Envelope, EventLog, NewRecord, Topic};
use ristoro_payout::spec;
use ristoro_proto::wire::Wire;
use ristoro_runtime::service::{Service, Settings};
use ristoro_runtime::telemetry::Telemetry;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Partitions of the log.
pub const PARTITIONS: u32 = 2;
/// The account of whoever is paid by transfer.
pub const IBAN: &str = "IT60X0542811101000000123456";

/// A running service with a log and a database of its own.
pub struct Running {
    pub service: Service,
    pub log: MemoryLog,
    pub pool: PgPool,
    postgres: Postgres,
    shutdown: CancellationToken,
    heads: BTreeMap<String, (u64, Uuid)>,
}

/// Starts the service on a fresh log.
pub async fn start() -> Running {
    let options = PostgresOptions::throw_away(cache_directory());
    let postgres = Postgres::start(options).await.unwrap();
    let url = postgres.create_database("ristoro").await.unwrap();
    let pool =
        sqlx::postgres::PgPoolOptions::new().max_connections(20).connect(&url).await.unwrap();
    let log = MemoryLog::new(Uuid::new_v4(), PARTITIONS);
    let shutdown = CancellationToken::new();
    let on = (pool.clone(), EventLog::Memory(log.clone()));
    let telemetry = Telemetry::default();
    let service = Service::start_on(spec(), Settings::default(), on, telemetry, shutdown.clone())
        .await
        .unwrap();
    Running { service, log, pool, postgres, shutdown, heads: BTreeMap::new() }
}

impl Running {
    /// Writes an event of another service, and gives the next offset of its partition.
    pub fn write(&mut self, topic: Topic, partition: u32, stream: &str, event: &impl Wire) -> u64 {
        let (version, previous) = self.heads.get(stream).copied().unwrap_or((0, Uuid::nil()));
        let (version, cause) = (version + 1, Cause::Command(Uuid::new_v4()));
        let event_id = derived_event_id(stream, version, &cause);
        let envelope = Envelope {
            event_id,
            stream: stream.to_owned(),
            version,
            previous,
            kind: event.kind().to_owned(),
            occurred_at: "2023-02-01T09:00:00Z".parse().unwrap(),
            cause,
            command_id: None,
            actor: "anna".to_owned(),
            traceparent: String::new(),
            payload: event.encode(),
        };
        self.heads.insert(stream.to_owned(), (version, event_id));
        let offsets = self.log.append_now(&[NewRecord { topic, partition, envelope }]).unwrap();
        offsets[0] + 1
    }

    /// Counts by a query of the service's views.
    pub async fn number(&self, query: &'static str) -> i64 {
        let mut view = self.service.views().begin().await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut *view).await.unwrap()
    }

    /// Ends the loops and the database, in that order.
    pub async fn end(self) {
        self.shutdown.cancel();
        self.service.stop().await.unwrap();
        self.pool.close().await;
        self.postgres.stop().await.unwrap();
    }
}

/// A row of an import: on a paying plan or not, with an account or not.
pub fn row(id: &str, paying: bool, iban: Option<&str>) -> ImportRow {
    let profile = Profile {
        service: "libero-mail".to_owned(),
        plan: "plus-5gb".to_owned(),
        segment: Segment::Consumer,
        class: Class::Principal,
        cohort: None,
        fee: paying.then(|| Money::new(1999, Currency::EUR)),
        fee_period: FeePeriod::Year,
    };
    ImportRow {
        subscription: format!("mail-{id}"),
        subscriber: id.to_owned(),
        profile: Arc::new(profile),
        valid_from: "2022-01-01T00:00:00Z".parse().unwrap(),
        valid_to: None,
        contact: Contact::default(),
        payee: iban.map(|iban| Payee { iban: iban.to_owned(), name: "Ada Rossi".to_owned() }),
    }
}

/// 30.00 EUR of indemnity.
pub fn euro() -> Remedy {
    let grant = Grant::Money(Money::new(3000, Currency::EUR));
    Remedy { kind: RemedyKind::Indemnity, grant, payer: Payer::Operator }
}

/// A chunk that gives everybody these remedies.
pub fn chunk(remedies: &[Remedy], numbers: &[u64]) -> Chunk {
    let mut columns = Columns::default();
    for number in numbers {
        columns.push(*number, 0).unwrap();
    }
    Chunk { reasons: vec![Reason { remedies: remedies.to_vec(), trace: Vec::new() }], columns }
}

/// A proposal that is pinned to the roster.
pub fn proposal(assessment: &str, roster_offsets: Vec<u64>) -> Box<Proposal> {
    let pins = Pins {
        policy: "carta".to_owned(),
        policy_version: "1".to_owned(),
        policy_position: "ristoro.policy.v1/0/1".to_owned(),
        outage_position: "ristoro.outage.v1/0/1".to_owned(),
        roster_offsets,
        settlement_version: 0,
        time_zone_data: "2025b".to_owned(),
        known_at: None,
    };
    Box::new(Proposal {
        assessment: assessment.to_owned(),
        outage: "o1".to_owned(),
        pins,
        totals: Totals::default(),
        digests: vec![[0; 32]; PARTITIONS as usize],
        chunk_size: 1000,
        after_assessments: Vec::new(),
        proposed_by: "anna".to_owned(),
    })
}

/// Waits until a query gives what it shall, at most 20 s.
pub async fn until<T: PartialEq + std::fmt::Debug>(expected: T, look: impl AsyncFn() -> T) {
    let begun = Instant::now();
    loop {
        let found = look().await;
        if found == expected {
            return;
        }
        let late = begun.elapsed() > Duration::from_secs(20);
        assert!(!late, "{found:?} is not {expected:?} after 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
