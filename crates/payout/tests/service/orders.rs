//! Decisions become orders on their channels, orders are released or voided, and the ledger balances.

use std::time::Duration;

use ristoro_domain::decided::Event as Decided;
use ristoro_domain::order::{Event as Ordered, OrderChunk};
use ristoro_domain::remedy::{Grant, Payer, Remedy, RemedyKind};
use ristoro_domain::roster::{Payee, RosterEvent};
use ristoro_domain::settlement::Event as Settled;
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_domain::totals::Totals;
use ristoro_log::Topic;
use ristoro_proto::wire::Wire;
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::{Comparison, equal};
use uuid::Uuid;

use crate::support::{IBAN, Running, chunk, euro, proposal, row, start, until};

const CHUNKS: &str = "select count(*) from order_chunk";
const RELEASED: &str = "select count(*) from order_stream where state = 2";
const VOIDED: &str = "select count(*) from order_stream where state = 3";

fn quota() -> Remedy {
    let grant = Grant::Quota { bytes: 1_288_490_189 };
    Remedy { kind: RemedyKind::Goodwill, grant, payer: Payer::Operator }
}

/// Imports four people on partition 0: with an account, paying only, neither, and both. Gives the pins.
fn import(running: &mut Running) -> Vec<u64> {
    let rows = vec![
        row("ada", false, Some(IBAN)),
        row("bruno", true, None),
        row("carla", false, None),
        row("dino", true, Some(IBAN)),
    ];
    let event = RosterEvent::SubscriptionsImported { first_number: 1, rows };
    vec![running.write(Topic::Subscriber, 0, "roster/0", &event), 1]
}

fn settle(running: &mut Running, event: &Settled) {
    running.write(Topic::Settlement, 1, "settlement/o1", event);
}

fn decide(running: &mut Running, remedies: &[Remedy], numbers: &[u64]) {
    let event = Decided::EntitlementsDecided(chunk(remedies, numbers));
    running.write(Topic::Entitlement, 0, "scan/a1/0", &event);
}

fn complete(running: &mut Running, chunks: Vec<u64>) {
    let (assessment, totals) = ("a1".to_owned(), Totals::default());
    settle(running, &Settled::AssessmentCompleted { assessment, totals, chunks });
}

/// The accepted chunks of orders as the log has them.
fn chunks_on_log(running: &Running) -> Vec<OrderChunk> {
    let event = |record: ristoro_log::Record| {
        let envelope = ristoro_log::Envelope::decode(record.value).ok()?;
        match Ordered::decode(&envelope.kind, &envelope.payload).ok()? {
            Ordered::PayoutsOrdered(chunk) => Some(chunk),
            Ordered::OrdersReleased { .. } | Ordered::OrdersVoided => None,
        }
    };
    running.log.records(Topic::Payout, 0).into_iter().filter_map(event).collect()
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
    let mut running = start().await;
    let pins = import(&mut running);
    settle(&mut running, &Settled::AssessmentProposed(proposal("a1", pins)));
    decide(&mut running, &[euro(), quota()], &[1, 2, 3]);
    decide(&mut running, &[], &[4]);
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
    complete(&mut running, vec![2, 0]);
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
    let schemas = running.service.schemas();
    let live = rebuild::list(schemas).await.unwrap()[0].number;
    let built = rebuild::start(schemas, Uuid::new_v4()).await.unwrap();
    let comparison = equal(schemas, live, built, Duration::from_secs(60)).await.unwrap();
    assert_eq!(comparison, Comparison::Equal);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_those_of_the_pinned_roster_whatever_came_later() {
    let mut running = start().await;
    let pins = import(&mut running);
    let payee = Some(Payee { iban: IBAN.to_owned(), name: "Carla Bo".to_owned() });
    let later = running.write(
        Topic::Subscriber,
        0,
        "subscriber/carla",
        &SubscriberEvent::PayeeSet { payee },
    );
    let moved = "select count(*) from payee where superseded_at is not null";
    until(1, async || running.number(moved).await).await;
    settle(&mut running, &Settled::AssessmentProposed(proposal("a1", pins.clone())));
    decide(&mut running, &[euro()], &[3]);
    until(1, async || running.number(CHUNKS).await).await;
    let row = |channel: &str| (3, "money".to_owned(), channel.to_owned());
    assert_eq!(channels(&running).await, [row("unclaimed")]);
    assert_eq!(chunks_on_log(&running)[0].roster_offset, pins[0]);
    // Another assessment that is pinned behind the change pays by transfer.
    settle(&mut running, &Settled::AssessmentProposed(proposal("a2", vec![later, 1])));
    let event = Decided::EntitlementsDecided(chunk(&[euro()], &[3]));
    running.write(Topic::Entitlement, 0, "scan/a2/0", &event);
    until(2, async || running.number(CHUNKS).await).await;
    assert_eq!(channels(&running).await, [row("transfer"), row("unclaimed")]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_scan_voids_its_orders_and_nothing_is_posted() {
    let mut running = start().await;
    let pins = import(&mut running);
    settle(&mut running, &Settled::AssessmentProposed(proposal("a1", pins)));
    decide(&mut running, &[euro()], &[1, 2]);
    let note = "wrong policy".to_owned();
    let assessment = "a1".to_owned();
    settle(&mut running, &Settled::AssessmentCancelled { assessment, note });
    running.write(Topic::Entitlement, 0, "scan/a1/0", &Decided::ScanVoided);
    until(1, async || running.number(VOIDED).await).await;
    assert_eq!(running.number(CHUNKS).await, 1);
    assert_eq!(balances(&running).await, []);
    running.end().await;
}
