//! The bytes of every subscriber and policy event, made once: what is on the log stays readable.

mod golden;

use std::sync::Arc;

use bytes::Bytes;
use golden::{check, check_as};
use ristoro_domain::carry::Event as Carry;
use ristoro_domain::facts::{Account, Class, FeePeriod, Segment};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::policy_registry::PolicyEvent;
use ristoro_domain::roster::{Contact, Holder, ImportRow, Payee, Profile, RosterEvent};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_domain::time::Instant;
use ristoro_proto::roster::SubscriberRecord;
use ristoro_proto::wire::Wire;

fn at(text: &str) -> Instant {
    text.parse().expect("the test writes a time")
}

fn paid() -> Arc<Profile> {
    Arc::new(Profile {
        service: "libero-mail".into(),
        plan: "plus-5gb".into(),
        segment: Segment::Consumer,
        class: Class::Principal,
        cohort: Some("c1".into()),
        fee: Some(Money::new(1999, Currency::EUR)),
        fee_period: FeePeriod::Year,
    })
}

fn free() -> Arc<Profile> {
    Arc::new(Profile {
        service: "virgilio-mail".into(),
        plan: "free".into(),
        segment: Segment::Business,
        class: Class::Free,
        cohort: None,
        fee: None,
        fee_period: FeePeriod::Month,
    })
}

fn contact() -> Contact {
    Contact {
        email: Some("ada@posta.example".into()),
        phone: Some("+390612345678".into()),
        locale: Some("it".into()),
    }
}

fn payee() -> Payee {
    Payee { iban: "IT60X0542811101000000123456".into(), name: "Ada Rossi".into() }
}

#[test]
fn roster_events_keep_their_bytes() {
    let row = |subscriber: &str, profile: Arc<Profile>| ImportRow {
        subscription: "s1".into(),
        subscriber: subscriber.into(),
        profile,
        valid_from: at("2022-09-01T00:00:00Z"),
        valid_to: None,
        contact: Contact::default(),
        payee: None,
    };
    let mut ended = row("p3", paid());
    ended.valid_to = Some(at("2023-01-25T23:00:00Z"));
    (ended.contact, ended.payee) = (contact(), Some(payee()));
    let rows = vec![row("p1", paid()), row("p2", free()), ended];
    let first_number = (3 << 48) | 1;
    check(&RosterEvent::SubscriptionsImported { first_number, rows });
    let holders = vec![Holder { subscriber: "p1".into(), subscription: "s2".into() }];
    check(&RosterEvent::NumbersReserved { first_number: first_number + 3, holders });
}

#[test]
fn subscriber_events_keep_their_bytes() {
    let subscription = || "s1".to_owned();
    check(&SubscriberEvent::SubscriptionStarted {
        subscription: subscription(),
        number: (3 << 48) | 4,
        profile: paid(),
        valid_from: at("2022-09-01T00:00:00Z"),
    });
    check(&SubscriberEvent::PlanChanged {
        subscription: subscription(),
        profile: free(),
        changed_at: at("2023-01-25T23:00:00Z"),
    });
    let ended_at = at("2023-01-25T23:00:00Z");
    check(&SubscriberEvent::SubscriptionEnded { subscription: subscription(), ended_at });
    check(&SubscriberEvent::ContactSet { contact: contact() });
    check(&SubscriberEvent::PayeeSet { payee: Some(payee()) });
    let account = Account {
        in_arrears: true,
        unpaid_since: Some("2022-12-31".parse().unwrap()),
        quota_bytes: Some(1 << 30),
        term_end: Some("2023-08-31".parse().unwrap()),
    };
    check(&SubscriberEvent::AccountSet { subscription: subscription(), account });
    let account = Account { in_arrears: false, unpaid_since: None, ..account };
    let bare = Account { quota_bytes: None, term_end: None, ..account };
    let bare = SubscriberEvent::AccountSet { subscription: subscription(), account: bare };
    check_as("AccountSet-bare", &bare);
    check(&SubscriberEvent::TroubleReported {
        subscription: subscription(),
        component: Some("imap".into()),
        reported_at: at("2023-01-23T08:00:00Z"),
    });
}

#[test]
fn policy_events_keep_their_bytes() {
    let policy_version = || "1.0".to_owned();
    check(&PolicyEvent::PolicyPublished {
        policy_version: policy_version(),
        text: "[policy]\nid = \"p\"\n".into(),
        sha256: [7; 32],
    });
    check(&PolicyEvent::PolicyRetired {
        policy_version: policy_version(),
        note: "replaced".into(),
    });
}

#[test]
fn what_a_chain_of_leftovers_says_keeps_its_bytes() {
    let (assessment, after) = (|| "a2".to_owned(), Some("a1".to_owned()));
    check(&Carry::LeftoversTaken { assessment: assessment(), after });
    let first = Carry::LeftoversTaken { assessment: assessment(), after: None };
    check_as("LeftoversTaken-first", &first);
    check(&Carry::LeftoversGivenBack { assessment: assessment() });
}

#[test]
fn the_topic_is_read_as_one() {
    let event = SubscriberEvent::PayeeSet { payee: None };
    let record = SubscriberRecord::Person(event.clone());
    assert_eq!(SubscriberRecord::decode(record.kind(), &event.encode()).unwrap(), record);
    let event = RosterEvent::NumbersReserved { first_number: 1, holders: Vec::new() };
    let record = SubscriberRecord::Roster(event.clone());
    assert_eq!(SubscriberRecord::decode(record.kind(), &event.encode()).unwrap(), record);
    assert!(SubscriberRecord::decode("Unheard", &Bytes::new()).is_err());
}

#[test]
fn columns_of_different_length_are_refused() {
    let uneven = ristoro_proto::eligibility::v1::SubscriptionsImported {
        subscriptions: vec!["s1".into()],
        ..Default::default()
    };
    let bytes = prost::Message::encode_to_vec(&uneven).into();
    let error = RosterEvent::decode("SubscriptionsImported", &bytes).unwrap_err();
    assert!(error.to_string().contains("subscribers"), "{error}");
}
