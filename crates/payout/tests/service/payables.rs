//! Who people are and how they can be paid: what pages and differences say is what the events say, at every pin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ristoro_domain::order::Payable;
use ristoro_domain::roster::{Holder, ImportRow, Payee, RosterEvent};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_domain::time::Instant;
use ristoro_log::Topic;
use ristoro_payout::projections::account::{Account, Member, Named, accounts, find, members};
use ristoro_payout::projections::payable::payables;

use crate::support::{Running, start};
use crate::world::{IBAN, number, row};

const OTHER_IBAN: &str = "DE89370400440532013000";
/// The last place of a partition that anybody asks for.
const PLACES: u64 = 18;

/// A subscription as the events tell.
struct Held {
    subscriber: String,
    subscription: String,
    paying: bool,
    valid_to: Option<Instant>,
}

/// What the events of a partition tell, up to a record.
#[derive(Default)]
struct Told {
    held: BTreeMap<u64, Held>,
    payees: BTreeMap<String, Option<Payee>>,
}

/// An event of the roster or of a subscriber.
#[derive(Clone)]
enum Event {
    Roster(RosterEvent),
    Person(&'static str, SubscriberEvent),
}

impl Told {
    fn of(events: &[Event]) -> Self {
        let mut told = Self::default();
        for event in events {
            match event.clone() {
                Event::Roster(RosterEvent::SubscriptionsImported { first_number, rows }) => {
                    told.batch(first_number, rows);
                }
                Event::Roster(RosterEvent::NumbersReserved { .. }) => {}
                Event::Person(subscriber, event) => told.person(subscriber, event),
            }
        }
        told
    }

    fn batch(&mut self, first_number: u64, rows: Vec<ImportRow>) {
        // The first batch of a subscriber counts, and within it the last row.
        let payee = |row: &ImportRow| (row.subscriber.clone(), row.payee.clone());
        let mut payees: BTreeMap<String, Option<Payee>> = rows.iter().map(payee).collect();
        payees.append(&mut self.payees);
        self.payees = payees;
        for (number, row) in (first_number..).zip(rows) {
            let (paying, valid_to) = (row.profile.fee.is_some(), row.valid_to);
            let (subscriber, subscription) = (row.subscriber, row.subscription);
            self.held.insert(number, Held { subscriber, subscription, paying, valid_to });
        }
    }

    fn person(&mut self, subscriber: &str, event: SubscriberEvent) {
        match event {
            SubscriberEvent::SubscriptionStarted { subscription, number, profile, .. } => {
                let subscriber = subscriber.to_owned();
                let paying = profile.fee.is_some();
                self.held.insert(number, Held { subscriber, subscription, paying, valid_to: None });
            }
            SubscriberEvent::PlanChanged { subscription, profile, .. } => {
                let held = self.one(subscriber, &subscription);
                (held.paying, held.valid_to) = (profile.fee.is_some(), None);
            }
            SubscriberEvent::SubscriptionEnded { subscription, ended_at } => {
                self.one(subscriber, &subscription).valid_to = Some(ended_at);
            }
            SubscriberEvent::PayeeSet { payee } => {
                self.payees.insert(subscriber.to_owned(), payee);
            }
            SubscriberEvent::ContactSet { .. }
            | SubscriberEvent::AccountSet { .. }
            | SubscriberEvent::TroubleReported { .. } => {}
        }
    }

    fn one(&mut self, subscriber: &str, subscription: &str) -> &mut Held {
        let one =
            |held: &&mut Held| held.subscriber == subscriber && held.subscription == subscription;
        self.held.values_mut().find(one).unwrap()
    }

    fn account(&self, number: u64) -> Option<Account> {
        let payee = self.payees.get(&self.held.get(&number)?.subscriber)?.clone()?;
        Some(Account { iban: payee.iban, name: payee.name })
    }

    fn payable(&self, number: u64, at: Instant) -> Payable {
        let Some(held) = self.held.get(&number) else { return Payable::default() };
        let by_invoice = held.paying && held.valid_to.is_none_or(|end| end > at);
        // Every account of this test is a right one, as long as its holder has a name.
        let by_transfer = self.account(number).is_some_and(|it| !it.name.trim().is_empty());
        Payable { by_transfer, by_invoice }
    }

    fn member(&self, number: u64) -> Option<Member> {
        let held = self.held.get(&number)?;
        let named = self.held.values().filter(|other| other.subscription == held.subscription);
        let unique = named.count() == 1;
        let (subscriber, subscription) = (held.subscriber.clone(), held.subscription.clone());
        Some(Member { number, subscriber, subscription, unique })
    }

    fn found(&self, name: &Named<'_>) -> Vec<Member> {
        let members = self.held.keys().filter_map(|number| self.member(*number));
        let owner = |member: &Member| name.subscriber.is_none_or(|it| it == member.subscriber);
        members.filter(|it| it.subscription == name.subscription && owner(it)).collect()
    }
}

fn batch(first: u64, rows: Vec<ImportRow>) -> Event {
    let first_number = number(0, first);
    Event::Roster(RosterEvent::SubscriptionsImported { first_number, rows })
}

fn named(subscription: &str, row: ImportRow) -> ImportRow {
    ImportRow { subscription: subscription.to_owned(), ..row }
}

fn payee(subscriber: &'static str, iban: Option<(&str, &str)>) -> Event {
    let payee = iban.map(|(iban, name)| Payee { iban: iban.to_owned(), name: name.to_owned() });
    Event::Person(subscriber, SubscriberEvent::PayeeSet { payee })
}

fn changed(subscriber: &'static str, paying: bool, changed_at: Instant) -> Event {
    let subscription = format!("mail-{subscriber}");
    let profile = row("x", paying, None).profile;
    Event::Person(subscriber, SubscriberEvent::PlanChanged { subscription, profile, changed_at })
}

fn ended(subscriber: &'static str, ended_at: Instant) -> Event {
    let subscription = format!("mail-{subscriber}");
    Event::Person(subscriber, SubscriberEvent::SubscriptionEnded { subscription, ended_at })
}

fn started(subscriber: &'static str, (subscription, place): (&str, u64), at: Instant) -> Event {
    let (subscription, number, valid_from) = (subscription.to_owned(), number(0, place), at);
    let profile = Arc::clone(&row("x", true, None).profile);
    let started =
        SubscriberEvent::SubscriptionStarted { subscription, number, profile, valid_from };
    Event::Person(subscriber, started)
}

/// Batches, numbers that were set aside between them, and people who change; in this order on one partition.
fn story() -> Vec<Event> {
    let end: Instant = "2023-02-01T00:00:00Z".parse().unwrap();
    let holder = |subscriber: &str, subscription: &str| Holder {
        subscriber: subscriber.to_owned(),
        subscription: subscription.to_owned(),
    };
    let first = vec![
        row("ada", false, Some(IBAN)),
        row("bruno", true, None),
        row("carla", false, None),
        ImportRow { valid_to: Some(end), ..row("dino", true, None) },
        // Two subscriptions of one person, of which the later row tells the account.
        row("elena", true, Some(OTHER_IBAN)),
        named("second", row("elena", false, Some(IBAN))),
        row("gino", false, Some(IBAN)),
        named("shared", row("gino", true, None)),
    ];
    let reserved = RosterEvent::NumbersReserved {
        first_number: number(0, 9),
        holders: vec![holder("fabio", "further"), holder("ada", "shared")],
    };
    // People of an earlier batch: what that one told stands, here without an account and there with one.
    let second = vec![
        named("third", row("carla", true, Some(IBAN))),
        row("fabio", true, None),
        named("again", row("ada", false, None)),
        named("again", row("gino", true, Some(OTHER_IBAN))),
    ];
    // People whom an event gave an account in between, and one who came twice in a batch and comes once more.
    let third = vec![
        named("late", row("bruno", false, None)),
        named("late", row("ada", true, Some(OTHER_IBAN))),
        named("late", row("elena", true, None)),
        named("late", row("fabio", false, Some(OTHER_IBAN))),
    ];
    vec![
        batch(1, first),
        Event::Roster(reserved),
        batch(11, second),
        payee("bruno", Some((IBAN, "Bruno Bo"))),
        payee("ada", None),
        changed("ada", true, end),
        ended("fabio", end),
        ended("bruno", end),
        batch(15, third),
        started("fabio", ("further", 9), end),
        payee("gino", Some((OTHER_IBAN, "Gino Gi"))),
        started("ada", ("shared", 10), end),
        changed("bruno", true, end),
        ended("dino", "2023-03-01T00:00:00Z".parse().unwrap()),
        payee("ada", Some((OTHER_IBAN, "Ada Rossi"))),
        payee("bruno", Some((IBAN, " "))),
        ended("elena", end),
        changed("ada", false, "2023-03-01T00:00:00Z".parse().unwrap()),
    ]
}

/// Compares everything that can be asked about a pin; gives what came out.
async fn compare(running: &Running, told: &Told, pin: u64) -> Vec<Payable> {
    let numbers: Vec<u64> = (1..=PLACES + 1).map(|place| number(0, place)).collect();
    let mut view = running.service.views().begin().await.unwrap();
    let mut answers = Vec::new();
    for day in ["2023-01-15", "2023-02-15", "2023-03-15"] {
        let at: Instant = format!("{day}T00:00:00Z").parse().unwrap();
        let found = payables(&mut view, &numbers, pin, at).await.unwrap();
        let expected: Vec<_> = numbers.iter().map(|number| told.payable(*number, at)).collect();
        assert_eq!(found, expected, "as of {pin} at {day}");
        answers.extend(found);
    }
    let found = accounts(&mut view, &numbers, pin).await.unwrap();
    let account = |number: &u64| Some((*number, told.account(*number)?));
    let expected: BTreeMap<u64, Account> = numbers.iter().filter_map(account).collect();
    // Debug output hides what differs, so the numbers are compared first.
    let keys = |accounts: &BTreeMap<u64, Account>| accounts.keys().copied().collect::<Vec<_>>();
    assert_eq!(keys(&found), keys(&expected), "as of {pin}");
    assert!(found == expected, "other accounts as of {pin}");
    view.rollback().await.unwrap();
    answers
}

/// Compares who everybody is now.
async fn compare_names(running: &Running, told: &Told) {
    let numbers: Vec<u64> = (1..=PLACES + 1).map(|place| number(0, place)).collect();
    let mut view = running.service.views().begin().await.unwrap();
    let found = members(&mut view, &numbers).await.unwrap();
    let member = |number: &u64| Some((*number, told.member(*number)?));
    assert_eq!(found, numbers.iter().filter_map(member).collect());
    let ids = ["mail-ada", "second", "third", "shared", "again", "late", "further", "nobody's"];
    let owners = [None, Some("ada"), Some("gino"), Some("nobody")];
    let names: Vec<Named<'_>> = ids
        .iter()
        .flat_map(|id| owners.map(|subscriber| Named { subscription: id, subscriber }))
        .collect();
    let found = find(&mut view, &names).await.unwrap();
    let expected: Vec<_> = names.iter().map(|name| told.found(name)).collect();
    assert_eq!(found, expected);
    view.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_say_what_the_events_say_at_every_pin() {
    let running = start().await;
    let story = story();
    let mut answers = BTreeSet::new();
    let mut pins = vec![0];
    for now in 1..=story.len() {
        let at = (Topic::Subscriber, 0);
        let position = match &story[now - 1] {
            Event::Roster(event) => running.write(at, "roster/0", event),
            Event::Person(id, event) => running.write(at, &format!("subscriber/{id}"), event),
        };
        running.service.views().wait(&[position], Duration::from_secs(20)).await.unwrap();
        pins.push(position.offset + 1);
        compare_names(&running, &Told::of(&story[..now])).await;
        for (count, pin) in pins.iter().enumerate() {
            answers.insert(compare(&running, &Told::of(&story[..count]), *pin).await);
        }
    }
    assert!(answers.len() > 10, "nothing ever changed");
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}
