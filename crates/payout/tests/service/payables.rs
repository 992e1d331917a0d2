//! How people can be paid: what the pages say is what the tables say, at every pin.

use std::sync::Arc;

use ristoro_domain::roster::{ImportRow, Payee, Profile, RosterEvent};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_domain::time::Instant;
use ristoro_log::Topic;
use ristoro_payout::projections::payable::payables;

use crate::support::{Running, start, until};
use crate::world::{IBAN, number, row};

/// What the tables say of one number as of an offset: by transfer, by invoice.
async fn told(running: &Running, number: u64, pin: u64, at: Instant) -> (bool, bool) {
    let rows: Vec<(bool, bool)> = sqlx::query_as(
        "select coalesce(iban is not null and trim(payee_name) <> '', false), \
         paying and (valid_to is null or valid_to > $3) \
         from payout.holding left join payout.payee on payee.subscriber = holding.subscriber \
         and payee.recorded_at < $2 and (payee.superseded_at is null or payee.superseded_at >= $2) \
         where number = $1 and holding.recorded_at < $2 \
         and (holding.superseded_at is null or holding.superseded_at >= $2)",
    )
    .bind(i64::try_from(number).unwrap())
    .bind(i64::try_from(pin).unwrap())
    .bind(at.as_microsecond())
    .fetch_all(&running.pool)
    .await
    .unwrap();
    rows.first().copied().unwrap_or_default()
}

fn batch(running: &Running, first: u64, rows: Vec<ImportRow>) {
    let event = RosterEvent::SubscriptionsImported { first_number: number(0, first), rows };
    running.write((Topic::Subscriber, 0), "roster/0", &event);
}

fn person(running: &Running, id: &str, event: &SubscriberEvent) -> u64 {
    running.write((Topic::Subscriber, 0), &format!("subscriber/{id}"), event).offset + 1
}

/// Imports two batches and lets people change; gives the roster's next offset.
fn tell(running: &Running) -> u64 {
    let ended: Instant = "2023-02-01T00:00:00Z".parse().unwrap();
    let paying = |id: &str| row(id, true, None);
    batch(
        running,
        1,
        vec![
            row("ada", false, Some(IBAN)),
            paying("bruno"),
            row("carla", false, None),
            ImportRow { valid_to: Some(ended), ..paying("dino") },
            // Two subscriptions of one person, of which the later row tells the account.
            row("elena", true, None),
            ImportRow { subscription: "second".to_owned(), ..row("elena", false, Some(IBAN)) },
        ],
    );
    // The same person in a later batch: what the earlier one told stands.
    let again = ImportRow { subscription: "third".to_owned(), ..row("carla", true, Some(IBAN)) };
    batch(running, 7, vec![again, paying("fabio")]);
    let payee = Some(Payee { iban: IBAN.to_owned(), name: "Bruno Bo".to_owned() });
    person(running, "bruno", &SubscriberEvent::PayeeSet { payee });
    person(running, "ada", &SubscriberEvent::PayeeSet { payee: None });
    let paid: Profile = row("x", true, None).profile.as_ref().clone();
    let (subscription, changed_at) = ("mail-ada".to_owned(), ended);
    let profile = Arc::new(paid);
    let changed =
        SubscriberEvent::PlanChanged { subscription, profile: Arc::clone(&profile), changed_at };
    person(running, "ada", &changed);
    let subscription = "mail-fabio".to_owned();
    person(running, "fabio", &SubscriberEvent::SubscriptionEnded { subscription, ended_at: ended });
    // A number that was set aside lies in no page.
    let (subscription, valid_from) = ("further".to_owned(), ended);
    let started = SubscriberEvent::SubscriptionStarted {
        subscription,
        number: number(0, 9),
        profile,
        valid_from,
    };
    person(running, "fabio", &started)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_say_what_the_tables_say_at_every_pin() {
    let running = start().await;
    let end = tell(&running);
    let last = "select count(*) from holding where subscription = 'further'";
    until(1, async || running.number(last).await).await;
    let numbers: Vec<u64> = (1..=9).map(|place| number(0, place)).collect();
    let mut answers = std::collections::BTreeSet::new();
    for (pin, at) in (0..=end).flat_map(|pin| ["2023-01-15", "2023-03-15"].map(|day| (pin, day))) {
        let at: Instant = format!("{at}T00:00:00Z").parse().unwrap();
        let mut view = running.service.views().begin().await.unwrap();
        let found = payables(&mut view, &numbers, pin, at).await.unwrap();
        view.rollback().await.unwrap();
        for (number, payable) in numbers.iter().zip(&found) {
            let told = told(&running, *number, pin, at).await;
            let says = (payable.by_transfer, payable.by_invoice);
            assert_eq!(says, told, "number {number:#x} as of {pin} at {at}");
        }
        answers.insert(found);
    }
    assert!(answers.len() > 5, "nothing ever changed");
    running.end().await;
}
