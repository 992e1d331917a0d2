//! The rules of a settlement, one line each.

use super::*;
use crate::decider::{check, fold};
use crate::money::Currency;
use crate::remedy::{Grant, Payer, Remedy, RemedyKind};
use crate::totals::Totals;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn proposal(assessment: &str, settlement_version: u64) -> Proposal {
    let mut totals = Totals::default();
    let remedy = Remedy {
        kind: RemedyKind::Indemnity,
        grant: Grant::Money(eur(3000)),
        payer: Payer::Operator,
    };
    totals.add(&[remedy], 10).unwrap();
    Proposal {
        assessment: assessment.to_owned(),
        outage: "o1".to_owned(),
        pins: Pins {
            policy: "agcom-347-18".to_owned(),
            policy_version: "1".to_owned(),
            policy_position: "ristoro.policy.v1/0/1".to_owned(),
            outage_position: "ristoro.outage.v1/0/1".to_owned(),
            roster_offsets: vec![5],
            settlement_version,
            time_zone_data: "2025b".to_owned(),
            known_at: None,
            payment_day: None,
            leftovers: None,
        },
        totals,
        digests: vec![[7; 32]],
        chunk_size: 1000,
        after_assessments: Vec::new(),
        proposed_by: "ada".to_owned(),
    }
}

fn proposed(assessment: &str, settlement_version: u64) -> Event {
    Event::AssessmentProposed(Box::new(proposal(assessment, settlement_version)))
}

fn approve(assessment: &str, cap: i64, approver: &str) -> Command {
    let digest = proposal(assessment, 0).digest();
    let (assessment, approver) = (assessment.to_owned(), approver.to_owned());
    Command::Approve { assessment, digest, cap: eur(cap), approver }
}

fn approved(assessment: &str, proposal_version: u64, cap: i64) -> Event {
    Event::AssessmentApproved {
        assessment: assessment.to_owned(),
        proposal_version,
        proposal_digest: proposal(assessment, 0).digest(),
        cap: eur(cap),
        approved_by: "bob".to_owned(),
    }
}

fn complete(assessment: &str) -> Command {
    let totals = proposal(assessment, 0).totals;
    Command::Complete { assessment: assessment.to_owned(), totals, chunks: vec![1] }
}

fn completed(assessment: &str) -> Event {
    let totals = proposal(assessment, 0).totals;
    Event::AssessmentCompleted { assessment: assessment.to_owned(), totals, chunks: vec![1] }
}

fn wrong(assessment: &str, status: Status) -> Rejection {
    Rejection::WrongStatus { assessment: assessment.to_owned(), status }
}

#[track_caller]
fn decides(given: &[Event], when: &Command, then: Result<Option<Event>, Rejection>) {
    check::<Settlement>(given, when, then);
}

#[test]
fn a_proposal_stands_once() {
    let propose = |p: Proposal| Command::Propose(Box::new(p));
    decides(&[], &propose(proposal("a", 0)), Ok(Some(proposed("a", 0))));
    let other = Proposal { chunk_size: 5, ..proposal("a", 0) };
    let exists = Rejection::AssessmentExists { assessment: "a".to_owned() };
    decides(&[proposed("a", 0)], &propose(other), Err(exists));
}

#[test]
fn somebody_else_approves_within_the_cap() {
    let given = [proposed("a", 0)];
    decides(&given, &approve("a", 30_000, "bob"), Ok(Some(approved("a", 1, 30_000))));
    let own = Rejection::SelfApproval { actor: "ada".to_owned() };
    decides(&given, &approve("a", 30_000, "ada"), Err(own.clone()));
    let deciding = [proposed("a", 0), approved("a", 1, 30_000)];
    decides(&deciding, &approve("a", 30_000, "bob"), Ok(None));
    decides(&deciding, &approve("a", 30_000, "ada"), Err(own));
    let below = Rejection::CapBelowTotal { cap: eur(29_999), total: eur(30_000) };
    decides(&given, &approve("a", 29_999, "bob"), Err(below));
    let unknown = Rejection::UnknownAssessment { assessment: "b".to_owned() };
    decides(&given, &approve("b", 30_000, "bob"), Err(unknown));
}

#[test]
fn an_approval_is_bound_to_the_digest_that_was_seen() {
    let when = Command::Approve {
        assessment: "a".to_owned(),
        digest: [0; 32],
        cap: eur(30_000),
        approver: "bob".to_owned(),
    };
    let expected = proposal("a", 0).digest();
    decides(&[proposed("a", 0)], &when, Err(Rejection::DigestDiffers { expected }));
}

#[test]
fn a_cap_in_another_currency_covers_nothing() {
    let cap = Money::new(1_000_000, "GBP".parse().unwrap());
    let when = Command::Approve {
        assessment: "a".to_owned(),
        digest: proposal("a", 0).digest(),
        cap,
        approver: "bob".to_owned(),
    };
    let below = Rejection::CapBelowTotal { cap, total: eur(30_000) };
    decides(&[proposed("a", 0)], &when, Err(below));
}

#[test]
fn one_scan_of_an_outage_is_open_at_a_time() {
    let given = [proposed("a", 0), proposed("b", 0), approved("a", 1, 30_000)];
    let open = Rejection::SettlementInProgress { open: "a".to_owned() };
    decides(&given, &approve("b", 30_000, "bob"), Err(open));
    decides(&given, &complete("a"), Ok(Some(completed("a"))));
    decides(&given, &complete("b"), Err(wrong("b", Status::Proposed)));
}

#[test]
fn a_proposal_that_saw_less_than_was_granted_is_refused() {
    let given = [proposed("a", 0), proposed("b", 0), approved("a", 1, 30_000), completed("a")];
    let outdated = Rejection::ProposalOutdated { seen_version: 0, granted_version: 4 };
    decides(&given, &approve("b", 30_000, "bob"), Err(outdated));
    let again = [&given[..], &[proposed("c", 4)]].concat();
    decides(&again, &approve("c", 30_000, "bob"), Ok(Some(approved("c", 5, 30_000))));
}

#[test]
fn what_ended_stays_ended() {
    let cancel = Command::Cancel { assessment: "a".to_owned(), note: "wrong".to_owned() };
    let cancelled =
        Event::AssessmentCancelled { assessment: "a".to_owned(), note: "wrong".to_owned() };
    let open = [proposed("a", 0), approved("a", 1, 30_000)];
    decides(&open, &cancel, Ok(Some(cancelled.clone())));
    let ended = [&open[..], &[cancelled]].concat();
    decides(&ended, &complete("a"), Err(wrong("a", Status::Cancelled)));
    assert_eq!(fold::<Settlement>(&ended).open, None);
    let reject = Command::Reject { assessment: "a".to_owned(), note: String::new() };
    decides(&open, &reject, Err(wrong("a", Status::Deciding)));
}

#[test]
fn a_scan_that_differs_stops_the_assessment() {
    let stop = Command::Stop { assessment: "a".to_owned(), partition: 0, found: [1; 32] };
    let stopped = Event::AssessmentStopped {
        assessment: "a".to_owned(),
        partition: 0,
        expected: [7; 32],
        found: [1; 32],
    };
    let open = [proposed("a", 0), approved("a", 1, 30_000)];
    decides(&open, &stop, Ok(Some(stopped)));
}
