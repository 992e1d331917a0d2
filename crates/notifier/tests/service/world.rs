//! What other services wrote: a roster, an outage, decisions and their completion, straight on the log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ristoro_domain::columns::Columns;
use ristoro_domain::decided::{Chunk, Event as Decided};
use ristoro_domain::facts::{Class, FeePeriod, Segment, Severity};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::outage::{Declaration, Event as Outage, Origin, StatedImpact};
use ristoro_domain::remedy::{Grant, Payer, Reason, Remedy, RemedyKind};
use ristoro_domain::roster::{Contact, ImportRow, Profile, RosterEvent};
use ristoro_domain::settlement::Event as Settlement;
use ristoro_domain::time::{Instant, Window};
use ristoro_domain::totals::Totals;
use ristoro_log::memory::MemoryLog;
use ristoro_log::{Cause, Envelope, NewRecord, Position, Topic};
use ristoro_proto::wire::Wire;
use uuid::Uuid;

pub const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
pub const ASSESSMENT: &str = "a1";
pub const OUTAGE: &str = "o1";

/// Appends events behind what stands on each stream.
pub struct World {
    pub log: MemoryLog,
    heads: Mutex<BTreeMap<String, (u64, Uuid)>>,
}

pub fn at(text: &str) -> Instant {
    format!("2023-01-{text}:00Z").parse().unwrap()
}

/// A person whose ids and address follow from the place on the roster.
pub fn row(place: usize, cohort: &str, email: Option<&str>, locale: &str) -> ImportRow {
    let profile = Profile {
        service: "libero-mail".to_owned(),
        plan: "plus-5gb".to_owned(),
        segment: Segment::Consumer,
        class: Class::Principal,
        cohort: Some(cohort.to_owned()),
        fee: Some(Money::new(1999, Currency::EUR)),
        fee_period: FeePeriod::Year,
    };
    ImportRow {
        subscription: format!("s{place}"),
        subscriber: format!("p{place}"),
        profile: Arc::new(profile),
        valid_from: "2022-09-01T00:00:00Z".parse().unwrap(),
        valid_to: None,
        contact: Contact {
            email: email.map(str::to_owned),
            phone: None,
            locale: Some(locale.to_owned()),
        },
        payee: None,
    }
}

/// So many people of one cohort who write English.
pub fn people(count: usize, cohort: &str) -> Vec<ImportRow> {
    (0..count).map(|place| row(place, cohort, Some(&address(place)), "en")).collect()
}

pub fn address(place: usize) -> String {
    format!("p{place}@example.org")
}

pub fn name(place: usize) -> String {
    format!("assessments/{ASSESSMENT}/notices/s{place}")
}

/// An impact on mailboxes that has no end yet.
pub fn down() -> StatedImpact {
    StatedImpact {
        id: "mail".to_owned(),
        service: Some("libero-mail".to_owned()),
        component: "mailbox".to_owned(),
        severity: Severity::Total,
        cohort: None,
        window: Window { from: at("23T00:00"), to: None },
    }
}

impl World {
    pub fn new() -> Self {
        Self { log: MemoryLog::new(Uuid::new_v4(), 2), heads: Mutex::default() }
    }

    pub fn append<E: Wire>(
        &self,
        topic: Topic,
        partition: u32,
        stream: &str,
        event: &E,
    ) -> Position {
        let mut heads = self.heads.lock().unwrap();
        let (version, previous) = heads.get(stream).copied().unwrap_or((0, Uuid::nil()));
        let event_id = Uuid::new_v4();
        let envelope = Envelope {
            event_id,
            stream: stream.to_owned(),
            version: version + 1,
            previous,
            kind: event.kind().to_owned(),
            occurred_at: at("30T00:00"),
            cause: Cause::Command(event_id),
            command_id: Some(event_id),
            actor: "world".to_owned(),
            traceparent: TRACEPARENT.to_owned(),
            payload: event.encode(),
        };
        heads.insert(stream.to_owned(), (version + 1, event_id));
        let offsets = self.log.append_now(&[NewRecord { topic, partition, envelope }]).unwrap();
        Position { topic, partition, offset: offsets[0] }
    }

    pub fn import(&self, rows: Vec<ImportRow>) {
        let event = RosterEvent::SubscriptionsImported { first_number: 1, rows };
        self.append(Topic::Subscriber, 0, "roster/0", &event);
    }

    pub fn declare(&self, impacts: Vec<StatedImpact>) {
        let declaration = Declaration {
            provider: "italiaonline".to_owned(),
            title: "Posta non raggiungibile".to_owned(),
            time_zone: "Europe/Rome".to_owned(),
            origin: Origin::Declared,
            declared: Some(Window { from: at("23T00:00"), to: None }),
            observed: None,
            impacts,
            cause: None,
            announced_at: None,
            source: String::new(),
            modified_at: None,
            declared_at: None,
        };
        self.outage(&Outage::OutageDeclared(Box::new(declaration)));
    }

    pub fn outage(&self, event: &Outage) {
        self.append(Topic::Outage, 1, &format!("outage/{OUTAGE}"), event);
    }

    pub fn restore(&self, cohort: Option<&str>, restored_at: &str) {
        self.outage(&Outage::ImpactRestored {
            impact: "mail".to_owned(),
            cohort: cohort.map(str::to_owned),
            restored_at: at(restored_at),
        });
    }

    /// Decides a chunk: 30.00 EUR for everyone but those who get nothing.
    pub fn decide(&self, count: u64, nothing: &[u64]) {
        self.decide_chunk(1..=count, nothing);
    }

    /// Decides a chunk of these numbers.
    pub fn decide_chunk(&self, numbers: std::ops::RangeInclusive<u64>, nothing: &[u64]) {
        let remedy = Remedy {
            kind: RemedyKind::Indemnity,
            grant: Grant::Money(Money::new(3000, Currency::EUR)),
            payer: Payer::Operator,
        };
        let reason =
            |remedies| Reason { remedies, trace: vec![Default::default()], ..Reason::default() };
        let mut columns = Columns::default();
        for number in numbers {
            columns.push(number, u32::from(nothing.contains(&number))).unwrap();
        }
        let reasons = vec![reason(vec![remedy]), reason(vec![])];
        self.scan(0, &Decided::EntitlementsDecided(Chunk { reasons, columns }));
    }

    pub fn scan(&self, partition: u32, event: &Decided) {
        self.append(
            Topic::Entitlement,
            partition,
            &format!("scan/{ASSESSMENT}/{partition}"),
            event,
        );
    }

    /// Ends both scans and completes the assessment.
    pub fn complete(&self, chunks: u64) {
        for (partition, chunks) in [(0, chunks), (1, 0)] {
            let (totals, digest) = (Totals::default(), [0; 32]);
            self.scan(partition, &Decided::ScanCompleted { totals, digest, chunks });
        }
        let (assessment, totals) = (ASSESSMENT.to_owned(), Totals::default());
        let completed =
            Settlement::AssessmentCompleted { assessment, totals, chunks: vec![chunks, 0] };
        self.append(Topic::Settlement, 1, &format!("settlement/{OUTAGE}"), &completed);
    }
}
