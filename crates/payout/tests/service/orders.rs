//! Decisions become orders on their channels, orders are released or voided, and the ledger balances.

use std::collections::BTreeSet;

use ristoro_domain::decided::Event as Decided;
use ristoro_domain::ops::RecordSkipped;
use ristoro_domain::order::{Event as Ordered, OrderChunk};
use ristoro_domain::roster::Payee;
use ristoro_domain::settlement::Event as Settled;
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_log::Topic;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::wire::Wire;

use crate::calls::as_cleo;
use crate::support::{Running, start, start_idle, until};
use crate::world::{IBAN, euro, quota};

const CHUNKS: &str = "select count(*) from order_chunk";
const RELEASED: &str = "select count(*) from order_stream where state = 2";
const VOIDED: &str = "select count(*) from order_stream where state = 3";

/// The accepted chunks of orders as the log has them.
fn chunks_on_log(running: &Running) -> Vec<OrderChunk> {
    let event =
        |envelope: ristoro_log::Envelope| match Ordered::decode(&envelope.kind, &envelope.payload)
            .ok()?
        {
            Ordered::PayoutsOrdered(chunk) => Some(chunk),
            Ordered::OrdersReleased { .. } | Ordered::OrdersVoided => None,
        };
    running.envelopes(Topic::Payout, 0).filter_map(event).collect()
}

async fn channels(running: &Running) -> Vec<(i64, String, String)> {
    let mut view = running.service.views().begin().await.unwrap();
    sqlx::query_as("select number, grant_type, channel from payout order by 1, 2, 3")
        .fetch_all(&mut *view)
        .await
        .unwrap()
}

async fn balances(running: &Running) -> Vec<(String, i64, i64)> {
    let mut view = running.service.views().begin().await.unwrap();
    sqlx::query_as(
        "select account, sum(debit_minor)::bigint, sum(credit_minor)::bigint from posting \
         group by 1 order by 1",
    )
    .fetch_all(&mut *view)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_ordered_on_channels_released_and_posted() {
    let running = start().await;
    running.propose("a1", running.import_four());
    running.decide("a1", 0, (&[euro(), quota()], &[1, 2, 3]));
    running.decide("a1", 0, (&[], &[4]));
    until(2, async || running.number(CHUNKS).await).await;
    assert_eq!(balances(&running).await, [], "nothing is owed before the release");
    let row = |number, grant: &str, channel: &str| (number, grant.to_owned(), channel.to_owned());
    assert_eq!(
        channels(&running).await,
        [
            row(1, "money", "transfer"),
            row(1, "quota", "provisioning"),
            row(2, "money", "invoice"),
            row(2, "quota", "provisioning"),
            row(3, "money", "unclaimed"),
            row(3, "quota", "provisioning"),
        ]
    );
    running.complete("a1", vec![2, 0]);
    until(2, async || running.number(RELEASED).await).await;
    let side = |account: &str, debit, credit| (account.to_owned(), debit, credit);
    assert_eq!(
        balances(&running).await,
        [
            side("compensation-expense", 9000, 0),
            side("payable-invoice", 0, 3000),
            side("payable-transfer", 0, 3000),
            side("payable-unclaimed", 0, 3000),
        ]
    );
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_follow_how_many_are_ordered_and_where_that_is_released() {
    let running = start().await;
    let progress = async |assessment: &str| {
        let request = api::GetOrderProgressRequest { name: format!("assessments/{assessment}") };
        let answer = running.payouts().get_order_progress(as_cleo(request)).await.unwrap();
        let told = answer.into_inner();
        assert!(told.as_of.is_some());
        (told.ordered, told.released_partitions, told.voided_partitions)
    };
    let pins = running.import_four();
    running.propose("a1", pins.clone());
    running.propose("a2", pins);
    assert_eq!(progress("a1").await, (0, 0, 0));
    running.decide("a1", 0, (&[euro()], &[1, 2]));
    running.decide("a1", 0, (&[quota()], &[3]));
    running.decide("a1", 0, (&[], &[4]));
    until((3, 0, 0), async || progress("a1").await).await;
    running.complete("a1", vec![3, 0]);
    until((3, 2, 0), async || progress("a1").await).await;
    running.decide("a2", 0, (&[euro()], &[1]));
    running.write((Topic::Entitlement, 0), "scan/a2/0", &Decided::ScanVoided);
    until((1, 0, 1), async || progress("a2").await).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_those_of_the_pinned_roster_whatever_came_later() {
    let running = start().await;
    let pins = running.import_four();
    let payee = Some(Payee { iban: IBAN.to_owned(), name: "Carla Bo".to_owned() });
    let set = SubscriberEvent::PayeeSet { payee };
    let later = running.write((Topic::Subscriber, 0), "subscriber/carla", &set).offset + 1;
    let moved = "select count(*) from payee";
    until(1, async || running.number(moved).await).await;
    running.propose("a1", pins.clone());
    running.decide("a1", 0, (&[euro()], &[3]));
    until(1, async || running.number(CHUNKS).await).await;
    let row = |channel: &str| (3, "money".to_owned(), channel.to_owned());
    assert_eq!(channels(&running).await, [row("unclaimed")]);
    assert_eq!(chunks_on_log(&running)[0].roster_offset, pins[0]);
    // Another assessment that is pinned behind the change pays by transfer.
    running.propose("a2", vec![later, 1]);
    running.decide("a2", 0, (&[euro()], &[3]));
    until(2, async || running.number(CHUNKS).await).await;
    assert_eq!(channels(&running).await, [row("transfer"), row("unclaimed")]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_scan_voids_its_orders_and_nothing_is_posted() {
    let running = start().await;
    running.propose("a1", running.import_four());
    running.decide("a1", 0, (&[euro()], &[1, 2]));
    let (assessment, note) = ("a1".to_owned(), "wrong policy".to_owned());
    running.settle(&Settled::AssessmentCancelled { assessment, note });
    running.write((Topic::Entitlement, 0), "scan/a1/0", &Decided::ScanVoided);
    until(1, async || running.number(VOIDED).await).await;
    assert_eq!(running.number(CHUNKS).await, 1);
    assert_eq!(balances(&running).await, []);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_chunk_is_answered_by_an_empty_one_of_the_same_pin() {
    let running = start_idle().await;
    let pins = running.import_four();
    running.propose("a1", pins.clone());
    let unreadable = bytes::Bytes::from_static(b"\xff\xff");
    let at = (Topic::Entitlement, 0);
    let poison = running.write_record(at, "scan/a1/0", "EntitlementsDecided", unreadable);
    running.decide("a1", 0, (&[euro()], &[1]));
    let stopped = async || {
        sqlx::query_scalar("select count(*) from payout_control.poison")
            .fetch_one(&running.pool)
            .await
            .unwrap()
    };
    until(1_i64, stopped).await;
    let skip = RecordSkipped {
        position: poison.to_string(),
        consumers: BTreeSet::from(["payout.orders".to_owned()]),
        note: "unreadable".to_owned(),
        actors: ["anna".to_owned(), "bo".to_owned()],
    };
    running.write((Topic::Ops, 0), "ops/skip-1", &skip);
    until(2, async || running.number(CHUNKS).await).await;
    let chunks = chunks_on_log(&running);
    let told: Vec<(bool, u64, usize)> = chunks
        .iter()
        .map(|chunk| (chunk.skipped, chunk.roster_offset, chunk.columns.numbers().len()))
        .collect();
    assert_eq!(told, [(true, pins[0], 0), (false, pins[0], 1)]);
    running.end().await;
}
