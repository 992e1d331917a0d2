//! What a payment file allows, one line a rule.

use super::*;
use crate::decider::check;

fn creation() -> Box<Creation> {
    let text = |text: &str| text.to_owned();
    Box::new(Creation {
        currency: Currency::EUR,
        assessments: BTreeSet::new(),
        payout_offsets: vec![9],
        roster_offsets: vec![4],
        partition_limits: vec![100],
        execution_date: "2023-03-01".parse().unwrap(),
        debtor: Debtor {
            name: text("Posta"),
            iban: text("IT60X0542811101000000123456"),
            bic: String::new(),
            town: String::new(),
            country: String::new(),
        },
        max_transfers: 100,
        created_by: text("ada"),
    })
}

fn created() -> Event {
    Event::PaymentFileCreated(creation())
}

fn content(count: u64) -> FileContent {
    let total = Money::new(3000, Currency::EUR);
    FileContent { digest: [7; 32], count, total }
}

fn approve(approver: &str, digest: u8, content: Option<FileContent>) -> Command {
    Command::Approve { digest: [digest; 32], approver: approver.to_owned(), content }
}

fn approved() -> Event {
    Event::PaymentFileApproved(content(1))
}

fn submission() -> Submission {
    let created_at = "2023-02-28T10:00:00Z".parse().unwrap();
    Submission { message_id: "m1".to_owned(), created_at, sha256: [1; 32] }
}

fn submit(digest: u8, stopped: bool) -> Command {
    Command::Submit { submission: submission(), digest: [digest; 32], stopped }
}

fn submitted() -> Event {
    Event::PaymentFileSubmitted(submission())
}

fn cancel() -> Command {
    Command::Cancel { note: "wrong account".to_owned() }
}

fn cancelled() -> Event {
    Event::PaymentFileCancelled { note: "wrong account".to_owned() }
}

#[track_caller]
fn decides(given: &[Event], when: &Command, then: Result<Option<Event>, Rejection>) {
    check::<PaymentFile>(given, when, then);
}

fn wrong(status: Status) -> Result<Option<Event>, Rejection> {
    Err(Rejection::WrongStatus { status })
}

#[test]
fn a_file_is_created_once() {
    decides(&[], &Command::Create(creation()), Ok(Some(created())));
    let other = Box::new(Creation { max_transfers: 5, ..*creation() });
    decides(&[created()], &Command::Create(other), Err(Rejection::Exists));
    decides(&[], &cancel(), Err(Rejection::Unknown));
}

#[test]
fn somebody_else_approves_exactly_what_is_in_it() {
    let full = Some(content(1));
    decides(&[created()], &approve("bob", 7, full), Ok(Some(approved())));
    let alone = Err(Rejection::SelfApproval { actor: "ada".to_owned() });
    decides(&[created()], &approve("ada", 7, full), alone);
    decides(&[created()], &approve("bob", 7, None), Err(Rejection::StillFilling));
    let differs = Err(Rejection::DigestDiffers { expected: [7; 32] });
    decides(&[created()], &approve("bob", 8, full), differs);
    decides(&[created()], &approve("bob", 7, Some(content(0))), Err(Rejection::Empty));
    decides(&[created(), cancelled()], &approve("bob", 7, full), wrong(Status::Cancelled));
}

#[test]
fn only_an_approved_file_goes_to_the_bank_and_none_while_payouts_are_stopped() {
    let given = [created(), approved()];
    decides(&given, &submit(7, false), Ok(Some(submitted())));
    decides(&given, &submit(7, true), Err(Rejection::PayoutsStopped));
    decides(&given, &submit(8, false), Err(Rejection::DigestDiffers { expected: [7; 32] }));
    decides(&[created()], &submit(7, false), wrong(Status::Created));
    decides(&[created(), cancelled()], &submit(7, false), wrong(Status::Cancelled));
}

#[test]
fn a_file_at_the_bank_cannot_be_cancelled() {
    decides(&[created()], &cancel(), Ok(Some(cancelled())));
    decides(&[created(), approved()], &cancel(), Ok(Some(cancelled())));
    decides(&[created(), approved(), submitted()], &cancel(), wrong(Status::Submitted));
}

#[test]
fn the_bank_s_answers_count_once() {
    let outcome = |id: &str| TransferOutcome {
        end_to_end_id: id.to_owned(),
        status: "RJCT".to_owned(),
        reason_code: "AC04".to_owned(),
    };
    let report =
        |ids: &[&str]| Command::Report { outcomes: ids.iter().map(|id| outcome(id)).collect() };
    let reported = |ids: &[&str]| Event::PaymentFileReported {
        outcomes: ids.iter().map(|id| outcome(id)).collect(),
    };
    let given = [created(), approved(), submitted()];
    decides(&given, &report(&["x"]), Ok(Some(reported(&["x"]))));
    let given = [created(), approved(), submitted(), reported(&["x"])];
    decides(&given, &report(&["x", "y"]), Ok(Some(reported(&["y"]))));
    decides(&[created()], &report(&["x"]), wrong(Status::Created));
}

#[test]
fn the_digest_of_a_file_is_that_of_its_partitions_in_order() {
    let part =
        |byte| Closing { count: 1, total: Money::new(3000, Currency::EUR), digest: [byte; 32] };
    let both = FileContent::of(&[part(1), part(2)], Currency::EUR).unwrap();
    assert_eq!((both.count, both.total.minor), (2, 6000));
    assert_ne!(both.digest, FileContent::of(&[part(2), part(1)], Currency::EUR).unwrap().digest);
}
