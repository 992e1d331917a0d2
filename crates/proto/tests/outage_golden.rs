//! The bytes of every event of the outage service and of operators.

mod golden;

use golden::{check, check_as};
use ristoro_domain::facts::{Cause, Severity};
use ristoro_domain::ops::{PayoutSwitchEvent, RecordSkipped};
use ristoro_domain::outage::{Amendment, Declaration, Event, Origin, Revision, StatedImpact};
use ristoro_domain::signal::{Signal, SignalKind, SignalPart, SignalsObserved};
use ristoro_domain::time::{Instant, Window};

fn at(text: &str) -> Instant {
    text.parse().expect("the tests write RFC 3339")
}

fn window() -> Window {
    Window { from: at("2023-01-22T23:00:00Z"), to: Some(at("2023-01-27T15:00:00Z")) }
}

fn open() -> Window {
    Window { from: at("2023-01-22T21:00:00.5Z"), to: None }
}

fn impact() -> StatedImpact {
    StatedImpact {
        id: "mail".to_owned(),
        service: Some("libero-mail".to_owned()),
        component: "mailbox".to_owned(),
        severity: Severity::Total,
        cohort: Some("first".to_owned()),
        window: window(),
    }
}

fn app() -> StatedImpact {
    let (id, component) = ("app".to_owned(), "ios-app".to_owned());
    let severity = Severity::Degraded;
    StatedImpact { id, service: None, component, severity, cohort: None, window: open() }
}

fn declaration(origin: Origin) -> Declaration {
    Declaration {
        provider: "italiaonline".to_owned(),
        title: "Posta non raggiungibile".to_owned(),
        time_zone: "Europe/Rome".to_owned(),
        origin,
        declared: Some(window()),
        observed: Some(open()),
        impacts: vec![impact(), app()],
        cause: Some(Cause::Fault),
        announced_at: None,
        source: "status/i1".to_owned(),
        modified_at: Some(at("2023-01-28T00:00:00Z")),
        declared_at: None,
    }
}

#[test]
fn declarations_keep_their_bytes() {
    check(&Event::OutageDeclared(Box::new(declaration(Origin::Declared))));
    let bare = Declaration {
        declared: None,
        impacts: Vec::new(),
        cause: None,
        source: String::new(),
        modified_at: None,
        ..declaration(Origin::Observed)
    };
    check_as("OutageDeclared-bare", &Event::OutageDeclared(Box::new(bare)));
    let announced_at = Some(at("2023-01-17T08:00:00Z"));
    let planned =
        Declaration { cause: Some(Cause::Planned), announced_at, ..declaration(Origin::Declared) };
    let declared_at = Some(at("2023-01-23T07:30:00Z"));
    let told = Declaration { declared_at, ..declaration(Origin::Declared) };
    check_as("OutageDeclared-told", &Event::OutageDeclared(Box::new(told)));
    check_as("OutageDeclared-notice", &Event::OutageDeclared(Box::new(planned)));
    check(&Event::ObservationRevised(Box::new(Revision {
        source: "status/i1".to_owned(),
        title: "Posta".to_owned(),
        declared: Some(window()),
        observed: Some(open()),
        impacts: vec![app()],
        modified_at: at("2023-01-28T00:00:00Z"),
    })));
}

#[test]
fn impacts_and_restorations_keep_their_bytes() {
    check(&Event::ImpactAdded(impact()));
    let (mail, restored_at) = (|| "mail".to_owned(), at("2023-01-26T13:45:00Z"));
    let (impact, cohort) = (mail(), Some("first".to_owned()));
    check(&Event::ImpactRestored { impact, cohort, restored_at });
    let whole = Event::ImpactRestored { impact: mail(), cohort: None, restored_at };
    check_as("ImpactRestored-whole", &whole);
    let subscriptions = vec!["m1".to_owned(), "m2".to_owned()];
    check(&Event::MailboxesRestored { impact: mail(), restored_at, subscriptions });
}

#[test]
fn amendments_and_ends_keep_their_bytes() {
    let note = || "corrected".to_owned();
    let amendment = Amendment::Outage { declared: Some(window()), observed: Some(open()) };
    check(&Event::WindowAmended { amendment, note: note() });
    let amendment = Amendment::Impact { impact: "mail".to_owned(), window: open() };
    check_as("WindowAmended-impact", &Event::WindowAmended { amendment, note: note() });
    let works_done_at = Some(at("2023-01-25T00:00:00Z"));
    let (cause, announced_at) = (Cause::ForceMajeure, None);
    check(&Event::CauseDetermined { cause, works_done_at, announced_at });
    let (cause, works_done_at) = (Cause::Planned, None);
    let announced_at = Some(at("2023-01-17T08:00:00Z"));
    let notice = Event::CauseDetermined { cause, works_done_at, announced_at };
    check_as("CauseDetermined-notice", &notice);
    check(&Event::OutageResolved { resolved_at: at("2023-01-28T17:00:00Z") });
    let reopened_at = at("2023-02-03T11:00:00Z");
    check(&Event::OutageReopened { reopened_at, impacts: vec![app()], note: note() });
    check(&Event::OutageWithdrawn { note: note() });
}

#[test]
fn signals_keep_their_bytes() {
    let stated = Signal {
        source_id: "i1".to_owned(),
        provider: "italiaonline".to_owned(),
        title: "Posta".to_owned(),
        service: Some("libero-mail".to_owned()),
        components: vec!["imap".to_owned(), "webmail".to_owned()],
        severity: Some(Severity::Total),
        kind: SignalKind::Stated,
        began_at: at("2023-01-22T23:00:00Z"),
        ended_at: Some(at("2023-01-27T15:00:00Z")),
        modified_at: at("2023-01-28T00:00:00Z"),
        parts: Vec::new(),
    };
    let measured = Signal {
        service: None,
        severity: None,
        kind: SignalKind::Measured,
        ended_at: None,
        ..stated.clone()
    };
    check(&SignalsObserved { signals: vec![stated.clone(), measured] });
    let part = SignalPart {
        component: "imap".to_owned(),
        severity: Some(Severity::Degraded),
        began_at: at("2023-01-22T23:00:00Z"),
        ended_at: None,
    };
    let in_parts = Signal { parts: vec![part], ..stated };
    check_as("SignalsObserved-parts", &SignalsObserved { signals: vec![in_parts] });
}

#[test]
fn operators_events_keep_their_bytes() {
    let note = || "wrong sums".to_owned();
    check(&PayoutSwitchEvent::PayoutsStopped { note: note() });
    check(&PayoutSwitchEvent::PayoutsResumed { note: note() });
    check(&RecordSkipped {
        position: "ristoro.payout.v1/0/7".to_owned(),
        consumers: ["payout.orders".to_owned()].into(),
        note: note(),
        actors: ["ada".to_owned(), "bruno".to_owned()],
    });
}
