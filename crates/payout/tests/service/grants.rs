//! Grants are lent to one client at a time, made once, and lent again under the same key where a lease ends unheard.

use std::collections::BTreeSet;

use ristoro_proto::payout::v1::{self as api, PayoutState};
use tonic::Code;

use crate::calls::{PARENT, as_bo, payout_of, refused};
use crate::support::{Running, start_idle, until};
use crate::world::{number, quota, row, voucher};

/// Releases a bigger mailbox for so many people of partition 0, `g1` and so on, ten a chunk.
async fn release_grants(running: &Running, count: u64) {
    let people = (1..=count).map(|place| row(&format!("g{place}"), false, None)).collect();
    let pins = vec![running.import(0, people), 1];
    let all: Vec<u64> = (1..=count).map(|place| number(0, place)).collect();
    let remedies = [quota()];
    let chunks: Vec<_> = all.chunks(10).map(|part| (&remedies[..], part)).collect();
    running.release(pins, &chunks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_pull_at_once_never_get_the_same_grant() {
    let running = start_idle().await;
    release_grants(&running, 60).await;
    let pulls = futures::future::join_all((0..4).map(|_| running.pull(600))).await;
    let mut payouts = BTreeSet::new();
    let mut count = 0;
    for grant in pulls.into_iter().flat_map(Result::unwrap) {
        count += 1;
        payouts.insert(grant.payout);
    }
    assert_eq!((count, payouts.len()), (60, 60));
    assert_eq!(running.pull(600).await.unwrap(), [], "all are lent");
    assert_eq!(running.states(&payout_of("g7")).await, [PayoutState::Leased]);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ends_unheard_is_lent_again_under_the_same_key() {
    let running = start_idle().await;
    release_grants(&running, 2).await;
    let first = running.pull(10).await.unwrap();
    assert_eq!(first.len(), 2);
    running.report(&[(&first[0].payout, "")]).await.unwrap();
    let second = async || running.pull(600).await.unwrap();
    until(vec![first[1].clone()], second).await;
    // The first client's word still counts, and is taken once.
    assert_eq!(running.report(&[(&first[1].payout, "")]).await.unwrap(), (1, 0));
    assert_eq!(running.report(&[(&first[1].payout, "")]).await.unwrap(), (0, 0));
    assert_eq!(running.states(&first[1].payout).await, [PayoutState::Delivered]);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_grant_is_lent_again_only_once_it_is_tried_again_under_a_new_key() {
    let running = start_idle().await;
    release_grants(&running, 3).await;
    let pulled = running.pull(600).await.unwrap();
    let names: Vec<&str> = pulled.iter().map(|grant| grant.payout.as_str()).collect();
    let outcomes = [(names[0], ""), (names[1], "no such mailbox"), (names[2], "")];
    assert_eq!(running.report(&outcomes).await.unwrap(), (2, 1));
    assert_eq!(running.report(&outcomes).await.unwrap(), (0, 0), "a repeated report is no news");
    assert_eq!(running.states(names[1]).await, [PayoutState::Failed]);
    assert_eq!(running.pull(600).await.unwrap(), []);
    refused(running.retry(names[0]).await, Code::FailedPrecondition, "WRONG_STATE");
    assert_eq!(running.retry(names[1]).await.unwrap().attempt, 2);
    let again = running.pull(600).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].payout, names[1]);
    assert_ne!(again[0].key, pulled[1].key);
    assert_eq!(running.report(&[(names[1], "")]).await.unwrap(), (1, 0));
    assert_eq!(running.states(names[1]).await, [PayoutState::Delivered]);
    assert_eq!(running.check_ledger().await.differences, []);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_about_what_was_lent_and_by_those_who_may() {
    let running = start_idle().await;
    release_grants(&running, 1).await;
    let name = payout_of("g1");
    let told =
        refused(running.report(&[(&name, "")]).await, Code::FailedPrecondition, "WRONG_STATE");
    assert!(told.contains("never lent"), "{told}");
    let twice = running.report(&[(&name, ""), (&name, "no")]).await;
    refused(twice, Code::InvalidArgument, "INVALID_FIELD");
    let unknown = running.report(&[(&payout_of("nobody"), "")]).await;
    refused(unknown, Code::NotFound, "RESOURCE_NOT_FOUND");
    let parent = PARENT.to_owned();
    let pull = as_bo(api::PullGrantsRequest { parent, ..Default::default() });
    refused(running.grants().pull_grants(pull).await, Code::PermissionDenied, "ROLE_MISSING");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vouchers_are_posted_when_they_are_handed_out() {
    let running = start_idle().await;
    let pins = running.import_four();
    running.release(pins, &[(&[voucher(), quota()], &[1, 2, 3])]).await;
    let pulled = running.pull(600).await.unwrap();
    assert_eq!(pulled.len(), 6, "two grants each");
    running.report(&[(&payout_of("ada"), ""), (&payout_of("bruno"), "no")]).await.unwrap();
    let balances = [
        ("compensation-expense", 1_500),
        ("credits-issued", -500),
        ("payable-provisioning", -1_000),
    ];
    let balances = balances.map(|(name, cents)| (name.to_owned(), cents));
    assert_eq!(running.balances().await, balances);
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}
