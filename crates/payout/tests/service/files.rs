//! Payment files: one person makes them, another approves what is in them, and no payout is in two.

use std::collections::BTreeSet;

use ristoro_domain::payment_file::Event as FileEvent;
use ristoro_domain::reservation::{Event, ReservationDigest, Reserved, ReservedRow};
use ristoro_log::Topic;
use ristoro_proto::payout::v1::{PaymentFileState, PayoutState};
use tonic::Code;

use crate::calls::{approval, as_anna, as_bo, as_cleo, creation, payout_of, refused};
use crate::support::{PARTITIONS, Running, start, start_idle, start_two, until};
use crate::world::{euro, number};

/// Gives the transfers of a file's bytes: its count, its sum and the identifiers.
fn read(bytes: &[u8]) -> (String, String, BTreeSet<String>) {
    let text = std::str::from_utf8(bytes).unwrap();
    let parts = |tag: &str| {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let part = |rest: &str| rest.split(&close).next().unwrap().to_owned();
        text.split(&open).skip(1).map(part).collect::<Vec<_>>()
    };
    let ids = parts("EndToEndId").into_iter().collect();
    (parts("NbOfTxs").remove(0), parts("CtrlSum").remove(0), ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_made_by_one_person_approved_by_another_and_then_downloaded() {
    let running = start().await;
    running.release_transfers(12).await;
    let reader = running.files().create_payment_file(as_cleo(creation(0))).await;
    refused(reader, Code::PermissionDenied, "ROLE_MISSING");
    let file = running.ready_file(0).await;
    assert_eq!((file.transfers, file.created_by.as_str()), (24, "anna"));
    let own = running.files().approve_payment_file(as_anna(approval(&file))).await;
    refused(own, Code::PermissionDenied, "SAME_PERSON");
    let reader = running.files().approve_payment_file(as_cleo(approval(&file))).await;
    refused(reader, Code::PermissionDenied, "ROLE_MISSING");
    let mut other = approval(&file);
    other.digest = "ab".repeat(32);
    let other = running.files().approve_payment_file(as_bo(other)).await;
    refused(other, Code::Aborted, "DIGEST_MISMATCH");
    refused(running.submit(&file.name).await, Code::FailedPrecondition, "WRONG_STATE");
    let approved = running.approve(&file).await.unwrap();
    assert_eq!(
        (approved.state(), approved.approved_by.as_str()),
        (PaymentFileState::Approved, "bo")
    );
    refused(running.download(&file.name).await, Code::FailedPrecondition, "WRONG_STATE");
    let submitted = running.submit(&file.name).await.unwrap();
    let bytes = running.download(&file.name).await.unwrap();
    assert_eq!(running.download(&file.name).await.unwrap(), bytes);
    assert_eq!(
        submitted.sha256,
        ristoro_runtime::edge::hex(&ristoro_payout::files::content::sha256(&bytes))
    );
    let (count, sum, ids) = read(&bytes);
    assert_eq!((count.as_str(), sum.as_str(), ids.len()), ("24", "720.00", 24));
    // The same submission again is the same file; a cancellation comes too late.
    assert_eq!(running.submit(&file.name).await.unwrap(), submitted);
    refused(running.cancel(&file.name).await, Code::FailedPrecondition, "WRONG_STATE");
    let nothing = running.files().create_payment_file(as_anna(creation(0))).await;
    refused(nothing, Code::FailedPrecondition, "NOTHING_TO_PAY");
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_is_in_one_only_of_files_that_are_made_at_once() {
    let running = start().await;
    running.release_transfers(30).await;
    let files = futures::future::join_all((0..3).map(|_| running.ready_file(0))).await;
    let held: u64 = files.iter().map(|file| file.transfers).sum();
    assert_eq!(held, 60);
    let mut ids = BTreeSet::new();
    for file in files.iter().filter(|file| file.transfers > 0) {
        running.approve(file).await.unwrap();
        running.submit(&file.name).await.unwrap();
        ids.extend(read(&running.download(&file.name).await.unwrap()).2);
    }
    assert_eq!(ids.len(), 60, "every payout is paid, each once");
    for empty in files.iter().filter(|file| file.transfers == 0) {
        refused(running.approve(empty).await, Code::FailedPrecondition, "NOTHING_TO_PAY");
    }
    assert_eq!(running.check_ledger().await.differences, []);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_both_own_everything_fill_files_without_paying_anybody_twice() {
    let (running, second) = start_two().await;
    running.release_transfers(60).await;
    let files = futures::future::join_all((0..2).map(|_| running.ready_file(0))).await;
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for file in files.iter().filter(|file| file.transfers > 0) {
        running.approve(file).await.unwrap();
        running.submit(&file.name).await.unwrap();
        ids.extend(read(&running.download(&file.name).await.unwrap()).2);
        count += file.transfers;
    }
    assert_eq!((count, ids.len()), (120, 120));
    assert_eq!(running.check_ledger().await.differences, []);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    second.stop().await.unwrap();
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_file_frees_its_payouts_and_the_next_takes_them() {
    let running = start().await;
    running.release_transfers(2).await;
    let first = running.ready_file(3).await;
    assert_eq!(first.transfers, 3, "no more than was asked for");
    running.approve(&first).await.unwrap();
    assert_eq!(running.cancel(&first.name).await.unwrap().state(), PaymentFileState::Cancelled);
    let free = async || running.states(&payout_of("p1")).await;
    until(vec![PayoutState::Released], free).await;
    refused(running.submit(&first.name).await, Code::FailedPrecondition, "WRONG_STATE");
    let phases = "select count(*) from reservation_stream where phase = 3";
    until(i64::from(PARTITIONS), async || running.number(phases).await).await;
    let second = running.pay_all().await;
    assert_eq!(second.transfers, 4);
    assert_eq!(running.payout(&payout_of("p1")).await.payment_file, second.name);
    assert_eq!(running.check_ledger().await.differences, []);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

/// Reserves the first payout of each partition for a file, and ends the reservations, as the loop would.
async fn fill(running: &Running, file: &str) {
    for partition in 0..PARTITIONS {
        let (at, stream) = ((Topic::Payout, partition), format!("reserve/{file}/{partition}"));
        let row = ReservedRow { number: number(partition, 1), amount_minor: 3000, attempt: 1 };
        let mut digest = ReservationDigest::default();
        digest.add("a1", &row);
        let reserved = Reserved { assessment: "a1".to_owned(), chunk: 1, rows: vec![row] };
        running.tell(at, &stream, &Event::PayoutsReserved(reserved)).await;
        let closed = Event::ReservationClosed(digest.finish(ristoro_domain::money::Currency::EUR));
        running.tell(at, &stream, &closed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payouts_of_a_cancelled_file_are_bound_until_its_reservation_is_released() {
    let running = start_idle().await;
    running.release_transfers(1).await;
    let answer = running.files().create_payment_file(as_anna(creation(0))).await.unwrap();
    let name = answer.into_inner().payment_file.unwrap().name;
    let file = name.strip_prefix("paymentFiles/").unwrap();
    fill(&running, file).await;
    running.cancel(&name).await.unwrap();
    let payout = payout_of("p1");
    assert_eq!(running.states(&payout).await, [PayoutState::Reserved]);
    refused(running.hold(&payout).await, Code::FailedPrecondition, "PAYOUT_IN_MOTION");
    let nothing = running.files().create_payment_file(as_anna(creation(0))).await;
    refused(nothing, Code::FailedPrecondition, "NOTHING_TO_PAY");
    let stream = format!("reserve/{file}/0");
    running.tell((Topic::Payout, 0), &stream, &Event::ReservationReleased).await;
    assert_eq!(running.states(&payout).await, [PayoutState::Released]);
    assert_eq!(running.states(&payout_of("p2")).await, [PayoutState::Reserved], "one partition");
    assert!(running.hold(&payout).await.unwrap().held);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_behind_the_end_of_its_stream_has_no_effect() {
    let running = start_idle().await;
    running.release_transfers(2).await;
    let answer = running.files().create_payment_file(as_anna(creation(0))).await.unwrap();
    let name = answer.into_inner().payment_file.unwrap().name;
    let file = name.strip_prefix("paymentFiles/").unwrap();
    fill(&running, file).await;
    let late = ReservedRow { number: number(0, 2), amount_minor: 3000, attempt: 1 };
    let late = Reserved { assessment: "a1".to_owned(), chunk: 1, rows: vec![late] };
    let at = (Topic::Payout, 0);
    running.tell(at, &format!("reserve/{file}/0"), &Event::PayoutsReserved(late)).await;
    let file = running.file(&name).await;
    assert_eq!((file.state(), file.transfers), (PaymentFileState::Ready, 2));
    assert_eq!(running.states(&payout_of("p2")).await, [PayoutState::Released]);
    running.approve(&file).await.unwrap();
    running.submit(&file.name).await.unwrap();
    assert_eq!(running.check_ledger().await.differences, []);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_while_payouts_are_stopped() {
    let running = start().await;
    let pins = running.import_four();
    let everything = [euro(), crate::world::quota()];
    running.release(pins, &[(&everything, &[1, 2])]).await;
    let file = running.ready_file(0).await;
    running.approve(&file).await.unwrap();
    running.stop_payouts().await;
    let (state, reason) = (Code::FailedPrecondition, "PAYOUTS_STOPPED");
    let told = refused(running.submit(&file.name).await, state, reason);
    assert!(told.contains("resume"), "{told}");
    let told = refused(running.pull(600).await, state, reason);
    assert!(told.contains("a drill"), "{told}");
    refused(running.export(&crate::calls::fresh_id()).await, state, reason);
    let submitted = |event: &FileEvent| matches!(event, FileEvent::PaymentFileSubmitted(_));
    let on_log = (0..PARTITIONS).flat_map(|it| running.envelopes(Topic::Payout, it));
    let on_log = on_log.filter(|one| one.stream.starts_with("payment-file/"));
    let events = on_log.map(|one| {
        <FileEvent as ristoro_proto::wire::Wire>::decode(&one.kind, &one.payload).unwrap()
    });
    assert!(!events.collect::<Vec<_>>().iter().any(submitted));
    running.resume_payouts().await;
    running.submit(&file.name).await.unwrap();
    assert_eq!(running.pull(600).await.unwrap().len(), 2);
    assert_eq!(running.export(&crate::calls::fresh_id()).await.unwrap().len(), 1);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}
