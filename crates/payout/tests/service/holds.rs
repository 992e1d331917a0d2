//! Holds: what is held moves nowhere, and what moves already is not held.

use ristoro_domain::payout::Event;
use ristoro_log::Topic;
use ristoro_proto::payout::v1::PayoutState;
use tonic::Code;

use crate::calls::{approval, as_bo, fresh_id, payout_of, refused};
use crate::support::{start, start_idle, until};
use crate::world::{euro, number, quota};

fn held() -> Event {
    Event::PayoutHeld { note: "late".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_payout_is_left_out_of_a_file_and_paid_by_the_next_once_it_is_let_go() {
    let running = start().await;
    running.release_transfers(2).await;
    let name = payout_of("p1");
    let held = running.hold(&name).await.unwrap();
    assert!(held.held && held.hold_note == "looks like fraud" && held.etag == "1");
    assert_eq!(running.states(&name).await, [PayoutState::Held]);
    let file = running.pay_all().await;
    assert_eq!((file.transfers, file.total.unwrap().units), (3, 90));
    assert_eq!(running.states(&name).await, [PayoutState::Held]);
    // To hold it again changes nothing.
    assert_eq!(running.hold(&name).await.unwrap().etag, "1");
    let free = running.let_go(&name).await;
    assert!(!free.held && free.hold_note.is_empty());
    let next = running.pay_all().await;
    assert_eq!(next.transfers, 1);
    assert_eq!(running.payout(&name).await.payment_file, next.name);
    let owed = [("bank-clearing", -12_000), ("compensation-expense", 12_000)];
    assert_eq!(running.balances().await, owed.map(|(name, cents)| (name.to_owned(), cents)));
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_hold_names_the_file_to_cancel_and_the_bank_once_it_is_submitted() {
    let running = start().await;
    running.release_transfers(2).await;
    let file = running.ready_file(0).await;
    let name = payout_of("p3");
    let id = file.name.strip_prefix("paymentFiles/").unwrap();
    let told = refused(running.hold(&name).await, Code::FailedPrecondition, "PAYOUT_IN_MOTION");
    assert_eq!(told, format!("the payout is in payment file {id}: cancel the file"));
    running.files().approve_payment_file(as_bo(approval(&file))).await.unwrap();
    running.submit(&file.name).await.unwrap();
    let told = refused(running.hold(&name).await, Code::FailedPrecondition, "PAYOUT_IN_MOTION");
    assert!(told.contains(id) && told.contains("bank") && !told.contains("cancel"), "{told}");
    assert_eq!(running.states(&name).await, [PayoutState::Submitted]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_came_behind_a_reservation_on_the_log_has_no_effect() {
    let running = start().await;
    running.release_transfers(2).await;
    let file = running.ready_file(0).await;
    let stream = format!("payout/a1/{}", number(0, 1));
    running.tell((Topic::Payout, 0), &stream, &held()).await;
    let payout = running.payout(&payout_of("p1")).await;
    assert!(!payout.held && payout.payment_file == file.name);
    // It does not stand in the way of a hold that takes effect.
    running.cancel(&file.name).await.unwrap();
    let free = async || running.states(&payout_of("p1")).await;
    until(vec![PayoutState::Released], free).await;
    assert!(running.hold(&payout_of("p1")).await.unwrap().held);
    assert_eq!(running.check_ledger().await.differences, []);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_that_race_with_a_file_are_kept_or_refused_and_never_both() {
    let running = start().await;
    running.release_transfers(40).await;
    let names: Vec<String> = (1..=40).map(|place| payout_of(&format!("p{place}"))).collect();
    let create = running.ready_file(0);
    let holds = futures::future::join_all(names.iter().map(|name| running.hold(name)));
    let (file, holds) = tokio::join!(create, holds);
    let mut kept = 0;
    for (name, hold) in names.iter().zip(holds) {
        let payout = running.payout(name).await;
        match hold {
            Ok(_) => {
                assert!(payout.held && payout.payment_file.is_empty(), "{payout:?}");
                kept += 1;
            }
            Err(status) => {
                refused(Err::<(), _>(status), Code::FailedPrecondition, "PAYOUT_IN_MOTION");
                assert!(!payout.held && payout.payment_file == file.name, "{payout:?}");
            }
        }
    }
    assert_eq!(file.transfers, 80 - kept);
    running.approve(&file).await.unwrap();
    running.submit(&file.name).await.unwrap();
    assert_eq!(running.check_ledger().await.differences, []);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_grant_is_not_lent_and_a_lent_one_is_not_held() {
    let running = start_idle().await;
    let pins = running.import_four();
    running.release(pins, &[(&[quota()], &[1, 2])]).await;
    let (ada, bruno) = (payout_of("ada"), payout_of("bruno"));
    running.hold(&ada).await.unwrap();
    let pulled = running.pull(600).await.unwrap();
    assert_eq!(pulled.len(), 1);
    assert_eq!(pulled[0].payout, bruno);
    let told = refused(running.hold(&bruno).await, Code::FailedPrecondition, "PAYOUT_IN_MOTION");
    assert!(told.contains("wait until the lease ends"), "{told}");
    assert_eq!(running.report(&[(&bruno, "")]).await.unwrap(), (1, 0));
    let told = refused(running.hold(&bruno).await, Code::FailedPrecondition, "PAYOUT_IN_MOTION");
    assert!(told.contains("nothing is left to hold"), "{told}");
    running.let_go(&ada).await;
    assert_eq!(running.pull(600).await.unwrap()[0].payout, ada);
    assert_eq!(running.check_ledger().await.differences, []);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_credit_is_not_exported_before_it_is_let_go() {
    let running = start_idle().await;
    let pins = running.import_four();
    running.release(pins, &[(&[euro()], &[2])]).await;
    let name = payout_of("bruno");
    running.hold(&name).await.unwrap();
    assert_eq!(running.export(&fresh_id()).await.unwrap(), []);
    running.let_go(&name).await;
    assert_eq!(running.export(&fresh_id()).await.unwrap().len(), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_is_held_before_its_assessment_is_completed_stays_held_after_it() {
    let running = start().await;
    running.propose("a1", running.import_payees(2));
    running.decide("a1", 0, (&[euro()], &[1, 2]));
    let name = payout_of("p1");
    let ordered = "select count(*) from order_chunk";
    until(1, async || running.number(ordered).await).await;
    assert_eq!(running.states(&name).await, [PayoutState::Ordered]);
    assert!(running.hold(&name).await.unwrap().held);
    running.complete("a1", vec![1, 0]);
    until(vec![PayoutState::Held], async || running.states(&name).await).await;
    assert_eq!(running.pay_all().await.transfers, 1);
    assert_eq!(running.check_ledger().await.differences, []);
    running.end().await;
}
