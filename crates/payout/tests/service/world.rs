//! What the neighbours tell the service: people on the roster, an assessment, its decisions and its end.

use std::sync::Arc;

use ristoro_domain::columns::Columns;
use ristoro_domain::decided::{Chunk, Event as Decided};
use ristoro_domain::facts::{Class, FeePeriod, Segment};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::remedy::{Grant, Payer, Reason, Remedy, RemedyKind};
use ristoro_domain::roster::{COUNT_BITS, Contact, ImportRow, Payee, Profile, RosterEvent};
use ristoro_domain::settlement::{Event as Settled, Pins, Proposal};
use ristoro_domain::totals::Totals;
use ristoro_log::Topic;

use crate::support::{PARTITIONS, Running, until};

/// The account of whoever is paid by transfer.
pub const IBAN: &str = "IT60X0542811101000000123456";
const RELEASED: &str = "select count(*) from order_stream where state = 2";

/// What a chunk gives everybody in it.
pub type Gives<'a> = (&'a [Remedy], &'a [u64]);

impl Running {
    /// Imports rows with numbers from the first of a partition on; gives the roster's next offset.
    pub fn import(&self, partition: u32, rows: Vec<ImportRow>) -> u64 {
        let first_number = number(partition, 1);
        let event = RosterEvent::SubscriptionsImported { first_number, rows };
        let at = (Topic::Subscriber, partition);
        self.write(at, &format!("roster/{partition}"), &event).offset + 1
    }

    /// Imports on partition 0: `ada` with an account, `bruno` with a paying plan, `carla` with neither, `dino` with
    /// both. Gives the pins.
    pub fn import_four(&self) -> Vec<u64> {
        let rows = vec![
            row("ada", false, Some(IBAN)),
            row("bruno", true, None),
            row("carla", false, None),
            row("dino", true, Some(IBAN)),
        ];
        vec![self.import(0, rows), 1]
    }

    /// Imports so many people with accounts, `p1`, `p2` and so on, on every partition. Gives the pins.
    pub fn import_payees(&self, count: u64) -> Vec<u64> {
        let rows = |partition: u32| {
            let name = |place| format!("p{}", u64::from(partition) * count + place);
            (1..=count).map(|place| row(&name(place), false, Some(IBAN))).collect()
        };
        (0..PARTITIONS).map(|partition| self.import(partition, rows(partition))).collect()
    }

    pub fn settle(&self, event: &Settled) {
        self.write((Topic::Settlement, 1), "settlement/o1", event);
    }

    pub fn propose(&self, assessment: &str, pins: Vec<u64>) {
        self.settle(&Settled::AssessmentProposed(proposal(assessment, pins)));
    }

    pub fn decide(&self, assessment: &str, partition: u32, (remedies, numbers): Gives<'_>) {
        let event = Decided::EntitlementsDecided(chunk(remedies, numbers));
        let at = (Topic::Entitlement, partition);
        self.write(at, &format!("scan/{assessment}/{partition}"), &event);
    }

    pub fn complete(&self, assessment: &str, chunks: Vec<u64>) {
        let (assessment, totals) = (assessment.to_owned(), Totals::default());
        self.settle(&Settled::AssessmentCompleted { assessment, totals, chunks });
    }

    /// Decides the chunks of partition 0 under the assessment `a1`, completes it, and waits until all is released.
    pub async fn release(&self, pins: Vec<u64>, chunks: &[Gives<'_>]) {
        self.propose("a1", pins);
        for gives in chunks {
            self.decide("a1", 0, *gives);
        }
        self.complete("a1", vec![chunks.len() as u64, 0]);
        until(i64::from(PARTITIONS), async || self.number(RELEASED).await).await;
    }

    /// Releases 30.00 EUR by transfer for so many people on every partition, under the assessment `a1`, ten a chunk.
    pub async fn release_transfers(&self, count: u64) {
        let pins = self.import_payees(count);
        self.propose("a1", pins);
        let places: Vec<u64> = (1..=count).collect();
        for partition in 0..PARTITIONS {
            for part in places.chunks(10) {
                let numbers: Vec<u64> = part.iter().map(|it| number(partition, *it)).collect();
                self.decide("a1", partition, (&[euro()], &numbers));
            }
        }
        self.complete("a1", vec![count.div_ceil(10); PARTITIONS as usize]);
        until(i64::from(PARTITIONS), async || self.number(RELEASED).await).await;
    }
}

/// Gives the number of a place of a partition.
pub fn number(partition: u32, place: u64) -> u64 {
    (u64::from(partition) << COUNT_BITS) | place
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

/// A bigger mailbox as goodwill.
pub fn quota() -> Remedy {
    let grant = Grant::Quota { bytes: 1_288_490_189 };
    Remedy { kind: RemedyKind::Goodwill, grant, payer: Payer::Operator }
}

/// A voucher of 5.00 EUR as goodwill.
pub fn voucher() -> Remedy {
    let grant = Grant::Voucher(Money::new(500, Currency::EUR));
    Remedy { kind: RemedyKind::Goodwill, grant, payer: Payer::Operator }
}

/// A chunk that gives everybody these remedies.
pub fn chunk(remedies: &[Remedy], numbers: &[u64]) -> Chunk {
    let mut columns = Columns::default();
    for number in numbers {
        columns.push(*number, 0).unwrap();
    }
    Chunk { reasons: vec![Reason { remedies: remedies.to_vec(), ..Reason::default() }], columns }
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
        payment_day: None,
        leftovers: None,
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
