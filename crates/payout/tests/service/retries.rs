//! What came back from the bank is owed again, and paid again once somebody asks for it.

use std::collections::BTreeSet;

use ristoro_domain::payout::Event;
use ristoro_log::Topic;
use ristoro_proto::payout::v1::PayoutState;
use tonic::Code;

use crate::calls::{as_anna, creation, payout_of, refused};
use crate::support::{Running, start};
use crate::world::number;

fn rejected() -> Event {
    Event::PayoutRejected { reason_code: "AC04".to_owned() }
}

fn returned() -> Event {
    Event::PayoutReturned { reason_code: "MD07".to_owned() }
}

/// Tells what the bank says of the first payout of partition 0.
async fn bank_says(running: &Running, event: &Event) {
    let stream = format!("payout/a1/{}", number(0, 1));
    running.tell((Topic::Payout, 0), &stream, event).await;
}

async fn identifiers(running: &Running, file: &str) -> BTreeSet<String> {
    let bytes = running.download(file).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let end = |rest: &str| rest.split('<').next().unwrap().to_owned();
    text.split("<EndToEndId>").skip(1).map(end).collect()
}

fn named(balances: &[(&str, i64)]) -> Vec<(String, i64)> {
    balances.iter().map(|(name, cents)| ((*name).to_owned(), *cents)).collect()
}

async fn fails_and_is_paid_again(event: &Event, state: PayoutState, code: &str) {
    let running = start().await;
    running.release_transfers(1).await;
    let name = payout_of("p1");
    refused(running.retry(&name).await, Code::FailedPrecondition, "WRONG_STATE");
    let first = running.pay_all().await;
    let paid = named(&[("bank-clearing", -6_000), ("compensation-expense", 6_000)]);
    assert_eq!(running.balances().await, paid);
    bank_says(&running, event).await;
    let payout = running.payout(&name).await;
    assert_eq!((payout.lines[0].state(), payout.reason_code.as_str()), (state, code));
    let owed =
        [("bank-clearing", -3_000), ("compensation-expense", 6_000), ("payable-transfer", -3_000)];
    assert_eq!(running.balances().await, named(&owed));
    // Nothing is paid again by itself.
    let nothing = running.files().create_payment_file(as_anna(creation(0))).await;
    refused(nothing, Code::FailedPrecondition, "NOTHING_TO_PAY");
    let again = running.retry(&name).await.unwrap();
    assert_eq!((again.attempt, again.lines[0].state()), (2, PayoutState::Released));
    let second = running.pay_all().await;
    assert_eq!(second.transfers, 1);
    assert_eq!(running.payout(&name).await.payment_file, second.name);
    let old = identifiers(&running, &first.name).await;
    assert!(old.is_disjoint(&identifiers(&running, &second.name).await));
    assert_eq!(running.balances().await, paid);
    refused(running.retry(&name).await, Code::FailedPrecondition, "WRONG_STATE");
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_transfer_is_paid_again_once() {
    fails_and_is_paid_again(&rejected(), PayoutState::Rejected, "AC04").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_transfer_is_paid_again_once() {
    fails_and_is_paid_again(&returned(), PayoutState::Returned, "MD07").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_told_to_be_rejected_and_returned_comes_back_once() {
    let running = start().await;
    running.release_transfers(1).await;
    running.pay_all().await;
    bank_says(&running, &rejected()).await;
    bank_says(&running, &returned()).await;
    let owed =
        [("bank-clearing", -3_000), ("compensation-expense", 6_000), ("payable-transfer", -3_000)];
    assert_eq!(running.balances().await, named(&owed));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_payout_that_is_held_stays_out_though_it_is_tried_again() {
    let running = start().await;
    running.release_transfers(1).await;
    running.pay_all().await;
    let name = payout_of("p1");
    bank_says(&running, &rejected()).await;
    assert!(running.hold(&name).await.unwrap().held);
    running.retry(&name).await.unwrap();
    let file = running.ready_file(0).await;
    assert_eq!(file.transfers, 0);
    refused(running.approve(&file).await, Code::FailedPrecondition, "NOTHING_TO_PAY");
    running.let_go(&name).await;
    assert_eq!(running.pay_all().await.transfers, 1);
    assert_eq!(running.check_ledger().await.differences, []);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}
