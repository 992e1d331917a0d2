//! The rules of an outage, a line each.

use super::*;
use crate::decider::{check, fold};
use crate::facts::Severity;

fn at(day: u32, hour: u32) -> Instant {
    format!("2023-01-{day:02}T{hour:02}:00:00Z").parse().unwrap()
}

fn window(from: Instant, to: Option<Instant>) -> Window {
    Window { from, to }
}

fn impact(id: &str, from: Instant, to: Option<Instant>) -> StatedImpact {
    StatedImpact {
        id: id.to_owned(),
        service: None,
        component: "mailbox".to_owned(),
        severity: Severity::Total,
        cohort: None,
        window: window(from, to),
    }
}

fn declaration() -> Declaration {
    Declaration {
        provider: "libero".to_owned(),
        title: "Mail down".to_owned(),
        time_zone: "Europe/Rome".to_owned(),
        origin: Origin::Declared,
        declared: Some(window(at(23, 0), None)),
        observed: Some(window(at(22, 21), None)),
        impacts: vec![impact("mail", at(23, 0), None)],
        cause: None,
        announced_at: None,
        source: String::new(),
        modified_at: None,
        declared_at: None,
    }
}

fn declare(declaration: Declaration) -> Command {
    Command::Declare(Box::new(declaration))
}

fn declared() -> Event {
    Event::OutageDeclared(Box::new(declaration()))
}

fn resolve(resolved_at: Instant) -> Command {
    Command::Resolve { resolved_at }
}

fn resolved(resolved_at: Instant) -> Event {
    Event::OutageResolved { resolved_at }
}

fn restore(impact: &str, cohort: Option<&str>, restored_at: Instant) -> Command {
    let (impact, cohort) = (impact.to_owned(), cohort.map(str::to_owned));
    Command::RestoreImpact { impact, cohort, restored_at }
}

fn restored(impact: &str, cohort: Option<&str>, restored_at: Instant) -> Event {
    let (impact, cohort) = (impact.to_owned(), cohort.map(str::to_owned));
    Event::ImpactRestored { impact, cohort, restored_at }
}

fn mailboxes(restored_at: Instant, ids: &[&str]) -> Command {
    let subscriptions = ids.iter().map(|id| (*id).to_owned()).collect();
    Command::RestoreMailboxes { impact: "mail".to_owned(), restored_at, subscriptions }
}

fn mailboxes_restored(restored_at: Instant, ids: &[&str]) -> Event {
    let subscriptions = ids.iter().map(|id| (*id).to_owned()).collect();
    Event::MailboxesRestored { impact: "mail".to_owned(), restored_at, subscriptions }
}

fn refuse(given: &[Event], when: &Command, because: Rejection) {
    check::<Outage>(given, when, Err(because));
}

fn accept(given: &[Event], when: &Command, then: Event) {
    check::<Outage>(given, when, Ok(Some(then)));
}

#[test]
fn an_outage_is_declared_once() {
    accept(&[], &declare(declaration()), declared());
    let other = Declaration { title: "Other".to_owned(), ..declaration() };
    let title = "Mail down".to_owned();
    refuse(&[declared()], &declare(other), Rejection::AlreadyDeclared { title });
    refuse(&[], &resolve(at(28, 0)), Rejection::NotDeclared);
}

#[test]
fn a_declaration_that_says_too_little_or_contradicts_itself_is_refused() {
    let silent = Declaration { declared: None, observed: None, ..declaration() };
    refuse(&[], &declare(silent), Rejection::NoWindow);
    let nameless = Declaration { title: String::new(), ..declaration() };
    refuse(&[], &declare(nameless), Rejection::Empty { field: "title" });
    let (from, to) = (at(23, 0), at(22, 0));
    let backwards = Declaration { declared: Some(window(from, Some(to))), ..declaration() };
    let what = "declared".to_owned();
    refuse(&[], &declare(backwards), Rejection::EndsBeforeItBegins { what, from, to });
    let twins = vec![impact("mail", at(23, 0), None), impact("mail", at(24, 0), None)];
    let (taken, component) = ("mail".to_owned(), "mailbox".to_owned());
    let twice = Declaration { impacts: twins, ..declaration() };
    refuse(&[], &declare(twice), Rejection::ImpactIdTaken { impact: taken, component });
}

#[test]
fn impacts_are_added_under_ids_of_their_own() {
    let app = impact("app", at(28, 18), None);
    accept(&[declared()], &Command::AddImpact(app.clone()), Event::ImpactAdded(app));
    let other = impact("mail", at(24, 0), None);
    let (taken, component) = ("mail".to_owned(), "mailbox".to_owned());
    let rejection = Rejection::ImpactIdTaken { impact: taken, component };
    refuse(&[declared()], &Command::AddImpact(other), rejection);
}

#[test]
fn an_impact_ends_for_all_or_for_one_cohort() {
    accept(&[declared()], &restore("mail", None, at(28, 0)), restored("mail", None, at(28, 0)));
    let first = restored("mail", Some("first"), at(26, 14));
    accept(&[declared()], &restore("mail", Some("first"), at(26, 14)), first);
    let (unknown, known) = ("app".to_owned(), "mail".to_owned());
    let rejection = Rejection::UnknownImpact { impact: unknown, known };
    refuse(&[declared()], &restore("app", None, at(28, 0)), rejection);
    let (from, restored_at) = (at(23, 0), at(23, 0));
    let rejection =
        Rejection::RestoredBeforeItBegan { impact: "mail".to_owned(), from, restored_at };
    refuse(&[declared()], &restore("mail", None, restored_at), rejection);
}

#[test]
fn the_only_cohort_that_an_impact_hits_is_all_of_it() {
    let hit = StatedImpact { cohort: Some("a".to_owned()), ..impact("a", at(23, 0), None) };
    let given = [declared(), Event::ImpactAdded(hit)];
    accept(&given, &restore("a", Some("a"), at(24, 0)), restored("a", None, at(24, 0)));
    let (impact, hit, cohort) = ("a".to_owned(), "a".to_owned(), "b".to_owned());
    let rejection = Rejection::OtherCohort { impact, hit, cohort };
    refuse(&given, &restore("a", Some("b"), at(24, 0)), rejection);
}

#[test]
fn mailboxes_are_restored_in_batches_and_corrected_by_a_later_word() {
    let first = mailboxes_restored(at(26, 14), &["m1", "m2"]);
    accept(&[declared()], &mailboxes(at(26, 14), &["m2", "m1", "m2"]), first.clone());
    let given = [declared(), first];
    accept(&given, &mailboxes(at(26, 14), &["m1", "m3"]), mailboxes_restored(at(26, 14), &["m3"]));
    accept(&given, &mailboxes(at(27, 9), &["m1"]), mailboxes_restored(at(27, 9), &["m1"]));
    let none = Rejection::MailboxCount { count: 0, limit: MAILBOXES_A_COMMAND };
    refuse(&given, &mailboxes(at(27, 9), &[]), none);
    refuse(&given, &mailboxes(at(27, 9), &[""]), Rejection::Empty { field: "subscriptions" });
}

#[test]
fn windows_are_amended_with_a_reason() {
    let amend = |amendment: Amendment| Command::AmendWindow { amendment, note: "x".to_owned() };
    let amended = |amendment: Amendment| Event::WindowAmended { amendment, note: "x".to_owned() };
    let end = window(at(23, 0), Some(at(26, 16)));
    let own = Amendment::Outage { declared: Some(end), observed: None };
    accept(&[declared()], &amend(own.clone()), amended(own));
    let shorter = Amendment::Impact { impact: "mail".to_owned(), window: end };
    accept(&[declared(), resolved(at(28, 0))], &amend(shorter.clone()), amended(shorter));
    let open = Amendment::Impact { impact: "mail".to_owned(), window: window(at(22, 0), None) };
    let rejection = Rejection::AlreadyResolved { resolved_at: at(28, 0) };
    refuse(&[declared(), resolved(at(28, 0))], &amend(open), rejection);
    let nothing = Amendment::Outage { declared: None, observed: None };
    refuse(&[declared()], &amend(nothing), Rejection::NoWindow);
}

#[test]
fn a_cause_is_determined_and_works_belong_to_a_calamity() {
    let determine = |cause, works_done_at| {
        let announced_at = None;
        Command::DetermineCause { cause, works_done_at, announced_at }
    };
    let (cause, works_done_at) = (Cause::ForceMajeure, Some(at(25, 0)));
    let event = Event::CauseDetermined { cause, works_done_at, announced_at: None };
    accept(&[declared()], &determine(cause, works_done_at), event);
    let rejection = Rejection::WorksWithoutCalamity { cause: Cause::Fault };
    refuse(&[declared()], &determine(Cause::Fault, works_done_at), rejection);
}

#[test]
fn planned_work_has_a_notice_that_is_corrected_by_a_later_word() {
    let determine = |cause, announced_at| {
        let works_done_at = None;
        Command::DetermineCause { cause, works_done_at, announced_at }
    };
    let planned =
        |announced_at| Declaration { cause: Some(Cause::Planned), announced_at, ..declaration() };
    let first = Event::OutageDeclared(Box::new(planned(Some(at(20, 0)))));
    accept(&[], &declare(planned(Some(at(20, 0)))), first.clone());
    let again = determine(Cause::Planned, Some(at(18, 0)));
    let earlier = Event::CauseDetermined {
        cause: Cause::Planned,
        works_done_at: None,
        announced_at: Some(at(18, 0)),
    };
    accept(std::slice::from_ref(&first), &again, earlier.clone());
    assert_eq!(fold::<Outage>(std::slice::from_ref(&first)).announced_at, Some(at(20, 0)));
    assert_eq!(fold::<Outage>(&[first.clone(), earlier]).announced_at, Some(at(18, 0)));
    let fault =
        Event::CauseDetermined { cause: Cause::Fault, works_done_at: None, announced_at: None };
    accept(std::slice::from_ref(&first), &determine(Cause::Fault, None), fault.clone());
    assert_eq!(fold::<Outage>(&[first, fault]).announced_at, None, "it was no planned work");
    let rejection = || Rejection::NoticeWithoutPlannedWork { cause: Cause::Fault };
    refuse(&[declared()], &determine(Cause::Fault, Some(at(18, 0))), rejection());
    let silent = Declaration { cause: None, ..planned(Some(at(20, 0))) };
    refuse(&[], &declare(silent), rejection());
}

#[test]
fn a_resolution_ends_what_is_open_and_not_before_what_is_known() {
    accept(&[declared()], &resolve(at(28, 18)), resolved(at(28, 18)));
    let given = [declared(), mailboxes_restored(at(28, 10), &["m1"])];
    let (impact, known_until, resolved_at) = ("mail".to_owned(), at(28, 10), at(27, 0));
    let rejection = Rejection::ResolvedTooEarly { impact, known_until, resolved_at };
    refuse(&given, &resolve(resolved_at), rejection);
    let rejection = Rejection::AlreadyResolved { resolved_at: at(28, 18) };
    refuse(&[declared(), resolved(at(28, 18))], &resolve(at(29, 0)), rejection);
}

#[test]
fn a_reopening_voids_the_resolution_or_brings_a_relapse() {
    let reopen = |reopened_at, impacts: &[StatedImpact]| Command::Reopen {
        reopened_at,
        impacts: impacts.to_vec(),
        note: "x".to_owned(),
    };
    let reopened = |reopened_at, impacts: &[StatedImpact]| Event::OutageReopened {
        reopened_at,
        impacts: impacts.to_vec(),
        note: "x".to_owned(),
    };
    let given = [declared(), resolved(at(28, 18))];
    let end = |event: Event| {
        let history = [declared(), resolved(at(28, 18)), event];
        fold::<Outage>(&history).impacts["mail"].window.to
    };
    accept(&given, &reopen(at(28, 18), &[]), reopened(at(28, 18), &[]));
    assert_eq!(end(reopened(at(28, 18), &[])), None, "it was not over");
    let again = impact("mail-2", at(30, 12), Some(at(30, 13)));
    let relapse = reopened(at(30, 12), std::slice::from_ref(&again));
    accept(&given, &reopen(at(30, 12), &[again]), relapse.clone());
    assert_eq!(end(relapse), Some(at(28, 18)), "it came back after a time without");
    refuse(&[declared()], &reopen(at(28, 18), &[]), Rejection::NotResolved);
    let (began_at, reopened_at) = (at(22, 21), at(21, 0));
    let rejection = Rejection::ReopenedBeforeItBegan { began_at, reopened_at };
    refuse(&given, &reopen(reopened_at, &[]), rejection);
}

#[test]
fn a_withdrawal_is_final() {
    let note = || "a drill".to_owned();
    let withdrawn = Event::OutageWithdrawn { note: note() };
    accept(&[declared()], &Command::Withdraw { note: note() }, withdrawn.clone());
    refuse(
        &[declared(), withdrawn.clone()],
        &resolve(at(28, 0)),
        Rejection::Withdrawn { note: note() },
    );
    assert_eq!(fold::<Outage>(&[declared(), withdrawn]).facts("o1"), None);
}

#[test]
fn a_policy_sees_each_end_where_it_was() {
    let history = [
        declared(),
        restored("mail", Some("first"), at(26, 14)),
        mailboxes_restored(at(27, 9), &["m1"]),
        resolved(at(28, 18)),
    ];
    let facts = fold::<Outage>(&history).facts("o1").unwrap();
    assert!(facts.declared);
    assert_eq!(facts.cause, Cause::Fault);
    let end = |cohort, id| facts.felt_by("libero-mail", cohort, id)[0].window.to;
    assert_eq!(end(Some("first"), "m1"), Some(at(27, 9)));
    assert_eq!(end(Some("first"), "m2"), Some(at(26, 14)));
    assert_eq!(end(None, "m3"), Some(at(28, 18)));
}
