//! The bytes of every event of the notifier service.

mod golden;

use golden::{check, check_as};
use ristoro_domain::columns::Columns;
use ristoro_domain::dispatch::{self, Outcome};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::notice::{self, QueueEvent, QueuedChunk};
use ristoro_domain::recipient::RecipientSuppressed;
use ristoro_domain::remedy::{Grant, Payer, Remedy, RemedyKind};
use ristoro_proto::wire::Wire;

fn remedy(grant: Grant) -> Remedy {
    Remedy { kind: RemedyKind::Goodwill, grant, payer: Payer::Operator }
}

fn chunk() -> QueuedChunk {
    let mut columns = Columns::default();
    for (number, entry) in [((3 << 48) | 1, 0), ((3 << 48) | 2, 1), ((3 << 48) | 9, 0)] {
        columns.push(number, entry).expect("the test gives ascending numbers");
    }
    let new_end = Some("2024-02-29".parse().expect("the test writes a date"));
    let told = vec![
        vec![remedy(Grant::Quota { bytes: 1_288_490_189 })],
        vec![
            remedy(Grant::Money(Money::new(3000, Currency::EUR))),
            remedy(Grant::Term { months: 6, days: 0, new_end }),
        ],
    ];
    QueuedChunk { told, columns, skipped: false }
}

#[test]
fn queues_keep_their_bytes() {
    check(&QueueEvent::NoticesQueued(chunk()));
    check_as("NoticesQueued-empty", &QueueEvent::NoticesQueued(QueuedChunk::default()));
    let skipped = QueuedChunk { skipped: true, ..QueuedChunk::default() };
    check_as("NoticesQueued-skipped", &QueueEvent::NoticesQueued(skipped));
    check(&QueueEvent::NoticesReleased { chunks: 9, outage: "libero-2023-01".to_owned() });
    check(&QueueEvent::NoticesVoided);
}

#[test]
fn dispatches_keep_their_bytes() {
    let claim = || "a9d5c7a2-34ef-4a0c-9c3f-5d1a4f0f7b11".to_owned();
    check(&dispatch::Event::DispatchStarted {
        claim: claim(),
        at: "2023-01-26T13:45:00Z".parse().unwrap(),
        outage_position: "ristoro.outage.v1/2/17".to_owned(),
        places: vec![0, 2, 900],
    });
    check(&dispatch::Event::DispatchTakenOver { claim: claim(), started_version: 4 });
    check(&dispatch::Event::DispatchHandedBack { started_version: 4 });
    check(&dispatch::Event::DispatchReported {
        started_version: 4,
        block: 1,
        outcomes: vec![
            Outcome::Sent,
            Outcome::Refused,
            Outcome::Unknown,
            Outcome::NoChannel,
            Outcome::Deferred,
        ],
    });
}

#[test]
fn what_happens_to_one_person_keeps_its_bytes() {
    check(&notice::Event::NoticeBounced { status_code: "5.1.1".to_owned() });
    check(&notice::Event::NoticeRetried { attempt: 2 });
    check(&RecipientSuppressed { note: "asked for it".to_owned() });
}

#[test]
fn places_that_do_not_ascend_and_outcomes_that_nobody_knows_are_refused() {
    use ristoro_proto::notifier::v1 as out;
    let started = out::DispatchStarted {
        wave: Some(prost_types::Timestamp::default()),
        places: vec![1, 1],
        ..Default::default()
    };
    let bytes = prost::Message::encode_to_vec(&started).into();
    assert!(dispatch::Event::decode("DispatchStarted", &bytes).is_err());
    let reported = out::DispatchReported { outcomes: vec![77], ..Default::default() };
    let bytes = prost::Message::encode_to_vec(&reported).into();
    assert!(dispatch::Event::decode("DispatchReported", &bytes).is_err());
}
