//! The rules of feeds and of what is derived from them.

use super::*;
use crate::decider::{Decider, check};
use crate::outage::{self, Outage, Status};
use crate::time::Window;

fn at(hour: u32) -> Instant {
    format!("2023-01-23T{hour:02}:00:00Z").parse().unwrap()
}

fn signal(source_id: &str, ended_at: Option<Instant>, modified_at: Instant) -> Signal {
    Signal {
        source_id: source_id.to_owned(),
        provider: "libero".to_owned(),
        title: "Mail down".to_owned(),
        service: None,
        components: vec!["webmail".to_owned(), "imap".to_owned(), "imap".to_owned()],
        severity: Some(Severity::Total),
        kind: SignalKind::Stated,
        began_at: at(1),
        ended_at,
        modified_at,
        parts: Vec::new(),
    }
}

fn observe(signals: &[&Signal]) -> ObserveSignals {
    ObserveSignals { signals: signals.iter().map(|signal| (*signal).clone()).collect() }
}

fn observed(signals: &[&Signal]) -> SignalsObserved {
    SignalsObserved { signals: signals.iter().map(|signal| (*signal).clone()).collect() }
}

#[test]
fn only_a_later_word_of_a_feed_is_news() {
    let (first, later) = (signal("i1", None, at(2)), signal("i1", Some(at(4)), at(5)));
    check::<Feed>(&[], &observe(&[&first]), Ok(Some(observed(&[&first]))));
    let both = observe(&[&first, &later]);
    check::<Feed>(&[observed(&[&first])], &both, Ok(Some(observed(&[&later]))));
    check::<Feed>(&[observed(&[&later])], &observe(&[&first]), Ok(None));
    check::<Feed>(&[], &observe(&[&later, &first]), Ok(Some(observed(&[&later]))));
}

#[test]
fn a_signal_that_names_nothing_is_refused() {
    let nothing = Signal { components: Vec::new(), ..signal("i1", None, at(2)) };
    let source_id = "i1".to_owned();
    let rejection = SignalRejection::Empty { place: 1, source_id, field: "components" };
    check::<Feed>(&[], &observe(&[&nothing]), Err(rejection));
}

#[test]
fn an_incident_becomes_an_outage_with_a_window_for_each_component() {
    let signals = [signal("i1", None, at(2)), signal("i1", Some(at(4)), at(5))];
    let [outage] = &derive("status", &signals)[..] else { panic!("one outage") };
    let window = Window { from: at(1), to: Some(at(4)) };
    let impacts: Vec<_> =
        outage.impacts.iter().map(|impact| (impact.id.as_str(), impact.window)).collect();
    assert_eq!(impacts, [("status/i1/imap", window), ("status/i1/webmail", window)]);
    assert_eq!(outage.state, DerivedState::Resolved);
    assert_eq!((outage.declared, outage.observed), (Some(window), None));
}

#[test]
fn what_a_source_says_of_a_component_holds_for_it_alone() {
    let part = |severity, from, to| SignalPart {
        component: "imap".to_owned(),
        severity: Some(severity),
        began_at: at(from),
        ended_at: Some(at(to)),
    };
    let parts = vec![
        part(Severity::Degraded, 2, 3),
        part(Severity::Total, 3, 4),
        part(Severity::Total, 8, 7),
    ];
    let told = Signal { parts, ..signal("i1", Some(at(9)), at(10)) };
    let outage = derive_one("status", &told);
    let impacts: Vec<_> = outage
        .impacts
        .iter()
        .map(|impact| (impact.id.as_str(), impact.severity, impact.window.to))
        .collect();
    let expected = [
        ("status/i1/imap", Severity::Degraded, Some(at(3))),
        ("status/i1/imap#2", Severity::Total, Some(at(4))),
        ("status/i1/webmail", Severity::Total, Some(at(9))),
    ];
    assert_eq!(impacts, expected);
    assert_eq!(outage.warnings.len(), 1);
    assert_eq!(outage.state, DerivedState::Resolved);
}

#[test]
fn what_a_source_measured_is_no_statement() {
    let probe = Signal { kind: SignalKind::Measured, ..signal("i1", None, at(2)) };
    let [outage] = &derive("probe", &[probe])[..] else { panic!("one outage") };
    assert_eq!(outage.declared, None);
    assert_eq!(outage.observed, Some(Window { from: at(1), to: None }));
    assert_eq!(outage.state, DerivedState::Open);
}

#[test]
fn an_end_before_the_begin_is_a_warning_and_no_window() {
    let [outage] = &derive("status", &[signal("i1", Some(at(0)), at(5))])[..] else {
        panic!("one outage")
    };
    let warning = Warning::EndNotAfterBegin { began_at: at(1), ended_at: at(0) };
    assert_eq!(outage.warnings, [warning]);
    assert_eq!(outage.state, DerivedState::Unclear);
    assert_eq!(outage.declaration(), None);
}

fn tell(state: Outage, feed: &str, signal: &Signal) -> (Outage, bool) {
    let declaration = derive_one(feed, signal).declaration().unwrap();
    let command = outage::Command::Observe(Box::new(declaration));
    match Outage::decide(&state, &command).unwrap() {
        Some(event) => {
            let next = Outage::evolve(state, &event);
            assert_eq!(Outage::decide(&next, &command), Ok(None));
            (next, true)
        }
        None => (state, false),
    }
}

/// Case G10: the same outage from three feeds and a replay.
#[test]
fn three_feeds_and_a_replay_tell_of_one_outage() {
    let (mut state, mut news) = (Outage::default(), 0);
    let words = [
        ("status", signal("i1", None, at(2))),
        ("probe", Signal { kind: SignalKind::Measured, ..signal("p", Some(at(4)), at(4)) }),
        ("alerts", signal("a", Some(at(3)), at(4))),
        ("status", signal("i1", None, at(2))),
        ("probe", Signal { kind: SignalKind::Measured, ..signal("p", Some(at(4)), at(4)) }),
        ("alerts", signal("a", Some(at(3)), at(4))),
    ];
    for (feed, signal) in &words {
        let (next, changed) = tell(state, feed, signal);
        state = next;
        news += u32::from(changed);
    }
    assert_eq!(news, 3);
    assert_eq!(state.impacts.len(), 6);
    assert_eq!(state.status, Status::Open, "one source has not said that it ended");
    let (state, _) = tell(state, "status", &signal("i1", Some(at(6)), at(7)));
    assert_eq!(state.status, Status::Resolved { at: at(6) });
    assert_eq!(state.declared, Some(Window { from: at(1), to: Some(at(6)) }));
    assert_eq!(state.observed, Some(Window { from: at(1), to: Some(at(4)) }));
    assert_eq!(state.impacts.len(), 6);
}

#[test]
fn what_a_person_says_of_a_derived_outage_stands() {
    let (state, _) = tell(Outage::default(), "status", &signal("i1", None, at(2)));
    let amendment = outage::Amendment::Impact {
        impact: "status/i1/imap".to_owned(),
        window: Window { from: at(1), to: Some(at(3)) },
    };
    let note = "measured by us".to_owned();
    let state = Outage::evolve(state, &outage::Event::WindowAmended { amendment, note });
    let (state, changed) = tell(state, "status", &signal("i1", Some(at(9)), at(9)));
    assert!(changed, "the word is kept");
    assert_eq!(state.sources["status/i1"].declared.unwrap().to, Some(at(9)));
    assert_eq!(state.impacts["status/i1/imap"].window.to, Some(at(3)));
    assert_eq!(state.status, Status::Open);
}
