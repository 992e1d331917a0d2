//! Paying people without an account get a credit on their invoice; who has neither is kept as unclaimed.

use ristoro_proto::payout::v1::{self as api, Channel, PayoutState};

use crate::calls::{PARENT, as_cleo, fresh_id, payout_of};
use crate::support::{Running, start_idle};
use crate::world::{IBAN, euro, row};

/// Lists the subscriptions of payouts in pages of two.
async fn listed(running: &Running, channel: Channel, state: PayoutState) -> Vec<String> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = api::ListPayoutsRequest {
            parent: PARENT.to_owned(),
            channel: channel.into(),
            state: state.into(),
            page_size: 2,
            page_token,
            min_position: String::new(),
        };
        let page = running.payouts().list_payouts(as_cleo(request)).await.unwrap().into_inner();
        assert!(page.payouts.len() <= 2);
        found.extend(page.payouts.into_iter().map(|payout| payout.subscription));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_credit_is_exported_once_and_the_same_ones_again_for_the_same_request() {
    let running = start_idle().await;
    let pins = running.import_four();
    running.release(pins, &[(&[euro()], &[1, 2]), (&[euro()], &[3, 4])]).await;
    let request = fresh_id();
    let credits = running.export(&request).await.unwrap();
    assert_eq!(credits.len(), 1);
    assert_eq!(credits[0].payout, payout_of("bruno"));
    assert_eq!(credits[0].amount.as_ref().unwrap().units, 30);
    assert_eq!(running.export(&request).await.unwrap(), credits);
    assert_eq!(running.export(&fresh_id()).await.unwrap(), []);
    assert_eq!(running.states(&payout_of("bruno")).await, [PayoutState::Exported]);
    let balances = [
        ("compensation-expense", 12_000),
        ("invoice-credits", -3_000),
        ("payable-transfer", -6_000),
        ("payable-unclaimed", -3_000),
    ];
    assert_eq!(running.balances().await, balances.map(|(name, cents)| (name.to_owned(), cents)));
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_at_once_share_the_credits_without_giving_one_twice() {
    let running = start_idle().await;
    let rows = (1..=30).map(|place| row(&format!("i{place}"), true, None)).collect();
    let pins = vec![running.import(0, rows), 1];
    let numbers: Vec<u64> = (1..=30).collect();
    let remedies = [euro()];
    let chunks: Vec<_> = numbers.chunks(10).map(|part| (&remedies[..], part)).collect();
    running.release(pins, &chunks).await;
    let ids: Vec<String> = (0..3).map(|_| fresh_id()).collect();
    let exports = futures::future::join_all(ids.iter().map(|id| running.export(id))).await;
    let mut keys: Vec<String> =
        exports.into_iter().flat_map(Result::unwrap).map(|credit| credit.key).collect();
    assert_eq!(keys.len(), 30);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 30);
    assert_eq!(running.check_ledger().await.differences, []);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_way_to_be_paid_is_shown_as_unclaimed() {
    let running = start_idle().await;
    let mut rows: Vec<_> = (1..=5).map(|place| row(&format!("u{place}"), false, None)).collect();
    rows.push(row("ada", false, Some(IBAN)));
    let pins = vec![running.import(0, rows), 1];
    running.release(pins, &[(&[euro()], &[1, 2, 3]), (&[euro()], &[4, 5, 6])]).await;
    let unclaimed = listed(&running, Channel::Unclaimed, PayoutState::Unspecified).await;
    let names = (1..=5).map(|place| format!("subscribers/u{place}/subscriptions/mail-u{place}"));
    assert_eq!(unclaimed, names.collect::<Vec<_>>());
    let by_state = listed(&running, Channel::Unspecified, PayoutState::Unclaimed).await;
    assert_eq!(by_state, unclaimed);
    let transfers = listed(&running, Channel::Transfer, PayoutState::Released).await;
    assert_eq!(transfers, ["subscribers/ada/subscriptions/mail-ada"]);
    let payout = running.payout(&payout_of("u1")).await;
    assert_eq!(
        (payout.lines[0].channel(), payout.lines[0].state()),
        (Channel::Unclaimed, PayoutState::Unclaimed)
    );
    running.end().await;
}
