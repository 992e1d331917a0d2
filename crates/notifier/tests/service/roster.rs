//! Who is a member and how they are reached, against a fold of the same events that keeps plain rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use ristoro_domain::recipient::RecipientSuppressed;
use ristoro_domain::roster::{Contact, Holder, ImportRow, Payee, Profile, RosterEvent, number};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_log::{Position, Topic};
use ristoro_notifier::projections::contact::{self, Member};
use sqlx::PgConnection;

use super::support::*;
use super::world::*;

const PEOPLE: usize = 10;
const SECRETS: [&str; 2] = ["+39 06 555", "IT60X0542811101000000123456"];

/// What happens next; people are given by their places, and whoever cannot do it is left out.
#[derive(Clone, Debug)]
enum Step {
    /// New subscriptions of these, in this order; the first says in which partition.
    Batch(Vec<usize>),
    /// Two numbers are set aside for further subscriptions.
    Reserve(usize),
    /// Somebody gets a subscription with the oldest number that was set aside.
    Start,
    Change(usize, usize),
    End(usize),
    Contact(usize),
    Payee(usize),
    Trouble(usize),
    Suppress(usize),
}

/// The rules of the facts, with plain rows.
#[derive(Default)]
struct Plain {
    members: BTreeMap<u64, Member>,
    contacts: BTreeMap<String, Contact>,
    suppressed: BTreeSet<String>,
}

impl Plain {
    fn insert(&mut self, number: u64, subscriber: &str, subscription: &str, profile: &Profile) {
        let member = Member {
            number,
            subscriber: subscriber.to_owned(),
            subscription: subscription.to_owned(),
            service: profile.service.clone(),
            cohort: profile.cohort.clone(),
            email: None,
            locale: None,
            suppressed: false,
        };
        self.members.insert(number, member);
    }

    fn roster(&mut self, event: &RosterEvent) {
        let RosterEvent::SubscriptionsImported { first_number, rows } = event else { return };
        let mut contacts = BTreeMap::new();
        for (number, row) in (*first_number..).zip(rows) {
            self.insert(number, &row.subscriber, &row.subscription, &row.profile);
            contacts.insert(row.subscriber.clone(), row.contact.clone());
        }
        for (subscriber, contact) in contacts {
            self.contacts.entry(subscriber).or_insert(contact);
        }
    }

    fn person(&mut self, subscriber: &str, event: &SubscriberEvent) {
        match event {
            SubscriberEvent::SubscriptionStarted { subscription, number, profile, .. } => {
                self.insert(*number, subscriber, subscription, profile);
            }
            SubscriberEvent::PlanChanged { subscription, profile, .. } => {
                let mut members = self.members.values_mut();
                let changed = members.find(|member| {
                    member.subscriber == subscriber && member.subscription == *subscription
                });
                changed.unwrap().cohort.clone_from(&profile.cohort);
            }
            SubscriberEvent::ContactSet { contact } => {
                self.contacts.insert(subscriber.to_owned(), contact.clone());
            }
            SubscriberEvent::SubscriptionEnded { .. }
            | SubscriberEvent::PayeeSet { .. }
            | SubscriberEvent::AccountSet { .. }
            | SubscriberEvent::TroubleReported { .. } => {}
        }
    }

    /// Gives everybody as they are now.
    fn now(&self) -> Vec<Member> {
        let now = |member: &Member| {
            let contact = self.contacts.get(&member.subscriber).cloned().unwrap_or_default();
            let suppressed = self.suppressed.contains(&member.subscriber);
            let email = contact.email.filter(|_| !suppressed);
            Member { email, locale: contact.locale, suppressed, ..member.clone() }
        };
        self.members.values().map(now).collect()
    }
}

/// Writes what happens on the log, and folds it into plain rows.
struct Play<'a> {
    world: &'a World,
    plain: Plain,
    /// How many numbers each partition has given out.
    counts: [u64; 2],
    /// Subscriptions that each has, or has a number for.
    subscriptions: [usize; PEOPLE],
    reserved: Vec<(usize, u64, String)>,
    steps: u32,
    last: BTreeMap<(Topic, u32), Position>,
}

fn person(place: usize) -> String {
    format!("p{place}")
}

fn partition(place: usize) -> u32 {
    u32::from(!place.is_multiple_of(2))
}

impl Play<'_> {
    fn append<E: ristoro_proto::wire::Wire>(
        &mut self,
        topic: Topic,
        partition: u32,
        stream: &str,
        event: &E,
    ) {
        let position = self.world.append(topic, partition, stream, event);
        self.last.insert((topic, partition), position);
    }

    fn roster(&mut self, partition: u32, event: &RosterEvent, count: usize) {
        self.counts[partition as usize] += count as u64;
        self.append(Topic::Subscriber, partition, &format!("roster/{partition}"), event);
        self.plain.roster(event);
    }

    fn person(&mut self, place: usize, event: &SubscriberEvent) {
        let stream = format!("subscriber/{}", person(place));
        self.append(Topic::Subscriber, partition(place), &stream, event);
        self.plain.person(&person(place), event);
    }

    /// A contact that nobody had before; every third step has no address.
    fn contact(&self, row: usize) -> Contact {
        let email = format!("{}.{row}@example.org", self.steps);
        Contact {
            email: (!self.steps.is_multiple_of(3)).then_some(email),
            phone: Some(SECRETS[0].to_owned()),
            locale: self.steps.is_multiple_of(2).then(|| format!("it-{}", self.steps)),
        }
    }

    fn profile(&self) -> Arc<Profile> {
        let profile = row(0, "", None, "").profile;
        let cohort = (!self.steps.is_multiple_of(4)).then(|| format!("c{}", self.steps));
        Arc::new(Profile { cohort, ..(*profile).clone() })
    }

    /// Names somebody's next subscription: people share these names.
    fn next(&mut self, place: usize) -> String {
        self.subscriptions[place] += 1;
        format!("s{}", self.subscriptions[place])
    }

    fn batch(&mut self, places: &[usize]) {
        let partition = partition(places[0]);
        let first_number = number(partition, self.counts[partition as usize] + 1);
        let mut rows = Vec::new();
        for place in places.iter().copied().filter(|place| self::partition(*place) == partition) {
            rows.push(ImportRow {
                subscription: self.next(place),
                subscriber: person(place),
                profile: self.profile(),
                contact: self.contact(rows.len()),
                payee: Some(Payee { iban: SECRETS[1].to_owned(), name: "Ada".to_owned() }),
                ..row(place, "", None, "")
            });
        }
        let count = rows.len();
        self.roster(partition, &RosterEvent::SubscriptionsImported { first_number, rows }, count);
    }

    fn reserve(&mut self, place: usize) {
        let partition = partition(place);
        let first_number = number(partition, self.counts[partition as usize] + 1);
        let mut holders = Vec::new();
        for number in [first_number, first_number + 1] {
            let (subscriber, subscription) = (person(place), self.next(place));
            self.reserved.push((place, number, subscription.clone()));
            holders.push(Holder { subscriber, subscription });
        }
        self.roster(partition, &RosterEvent::NumbersReserved { first_number, holders }, 2);
    }

    fn start(&mut self) {
        if self.reserved.is_empty() {
            return;
        }
        let (place, number, subscription) = self.reserved.remove(0);
        let (profile, valid_from) = (self.profile(), at("20T00:00"));
        let started =
            SubscriberEvent::SubscriptionStarted { subscription, number, profile, valid_from };
        self.person(place, &started);
    }

    fn step(&mut self, step: &Step) {
        self.steps += 1;
        let known = |place: usize| {
            let mut members = self.plain.members.values();
            members.any(|member| member.subscriber == person(place))
        };
        let (place, event) = match step {
            Step::Batch(places) => return self.batch(places),
            Step::Start => return self.start(),
            Step::Reserve(place)
            | Step::Change(place, _)
            | Step::End(place)
            | Step::Contact(place)
            | Step::Payee(place)
            | Step::Trouble(place)
            | Step::Suppress(place)
                if !known(*place) =>
            {
                return;
            }
            Step::Reserve(place) => return self.reserve(*place),
            Step::Suppress(place) => return self.suppress(*place),
            Step::Change(place, which) => {
                let members = self.plain.members.values();
                let own: Vec<_> = members.filter(|one| one.subscriber == person(*place)).collect();
                let subscription = own[which % own.len()].subscription.clone();
                let (profile, changed_at) = (self.profile(), at("21T00:00"));
                (*place, SubscriberEvent::PlanChanged { subscription, profile, changed_at })
            }
            Step::End(place) => {
                let (subscription, ended_at) = ("s1".to_owned(), at("22T00:00"));
                (*place, SubscriberEvent::SubscriptionEnded { subscription, ended_at })
            }
            Step::Contact(place) => {
                (*place, SubscriberEvent::ContactSet { contact: self.contact(0) })
            }
            Step::Payee(place) => (*place, SubscriberEvent::PayeeSet { payee: None }),
            Step::Trouble(place) => {
                let (subscription, reported_at) = ("s1".to_owned(), at("23T00:00"));
                let component = None;
                let reported =
                    SubscriberEvent::TroubleReported { subscription, component, reported_at };
                (*place, reported)
            }
        };
        self.person(place, &event);
    }

    fn suppress(&mut self, place: usize) {
        if self.plain.suppressed.insert(person(place)) {
            let event = RecipientSuppressed { note: "asked".to_owned() };
            let stream = format!("recipient/{}", person(place));
            self.append(Topic::Notice, partition(place), &stream, &event);
        }
    }
}

/// Everything that a reader of members can see; `Debug` of a member keeps it back.
fn shown(member: &Member) -> String {
    let Member { number, subscriber, subscription, service, cohort, email, locale, suppressed } =
        member;
    format!(
        "{number} {subscriber} {subscription} {service} {cohort:?} {email:?} {locale:?} {suppressed}"
    )
}

fn all_shown<'a>(members: impl IntoIterator<Item = &'a Member>) -> Vec<String> {
    members.into_iter().map(shown).collect()
}

async fn compare(view: &mut PgConnection, play: &Play<'_>) {
    let expected = play.plain.now();
    // With numbers that nobody has, or not yet.
    let numbers: Vec<u64> = [0, 1]
        .into_iter()
        .flat_map(|partition| {
            let count = play.counts[partition as usize];
            (0..count + 3).map(move |one| number(partition, one))
        })
        .collect();
    for size in [1, 7, numbers.len()] {
        let mut found = Vec::new();
        for block in numbers.chunks(size) {
            let members = contact::members(view, block).await.unwrap();
            assert!(members.iter().all(|(number, member)| *number == member.number));
            found.extend(members.into_values());
        }
        assert_eq!(all_shown(&found), all_shown(&expected), "blocks of {size}");
    }
    for place in 0..PEOPLE {
        let own = |member: &&Member| member.subscriber == person(place);
        let known = contact::is_known(view, &person(place)).await.unwrap();
        assert_eq!(known, expected.iter().any(|member| own(&member)), "{}", person(place));
        for subscription in (1..=play.subscriptions[place] + 1).map(|one| format!("s{one}")) {
            let named = |member: &&Member| member.subscription == subscription;
            let found = contact::find(view, &subscription, Some(&person(place))).await.unwrap();
            let alone = expected.iter().filter(own).filter(named).take(3);
            assert_eq!(all_shown(&found), all_shown(alone));
            let found = contact::find(view, &subscription, None).await.unwrap();
            assert_eq!(all_shown(&found), all_shown(expected.iter().filter(named).take(3)));
        }
    }
}

/// Every case that the rules of the facts name.
fn named_steps() -> Vec<Step> {
    vec![
        // Two rows of a person in one batch, and in two batches.
        Step::Batch(vec![0, 2, 0, 4]),
        Step::Batch(vec![1, 3]),
        Step::Batch(vec![6, 2, 0]),
        Step::Reserve(4),
        Step::Batch(vec![8, 4]),
        Step::Start,
        // A subscription from a batch, and one that started.
        Step::Change(2, 0),
        Step::Change(4, 1),
        Step::Change(4, 1),
        Step::Contact(6),
        Step::Batch(vec![6, 6]),
        Step::Suppress(2),
        Step::End(0),
        Step::Payee(0),
        Step::Trouble(0),
        Step::Contact(4),
        Step::Start,
    ]
}

fn any_steps(count: usize) -> Vec<Step> {
    let places = proptest::collection::vec(0..PEOPLE, 1..6);
    let step = (0..12_u8, places, 0..4_usize).prop_map(|(kind, places, which)| {
        let place = places[0];
        match kind {
            0 | 1 => Step::Batch(places),
            2 => Step::Reserve(place),
            3 | 4 => Step::Start,
            5 | 6 => Step::Change(place, which),
            7 => Step::End(place),
            8 | 9 => Step::Contact(place),
            10 if which == 0 => Step::Suppress(place),
            10 => Step::Payee(place),
            _ => Step::Trouble(place),
        }
    });
    let steps = proptest::collection::vec(step, count);
    steps.new_tree(&mut TestRunner::deterministic()).unwrap().current()
}

#[tokio::test]
async fn members_are_as_a_fold_of_plain_rows_has_them() {
    let running = start().await;
    let mut play = Play {
        world: &running.world,
        plain: Plain::default(),
        counts: [0; 2],
        subscriptions: [0; PEOPLE],
        reserved: Vec::new(),
        steps: 0,
        last: BTreeMap::new(),
    };
    let mut rounds: Vec<Vec<Step>> = named_steps().into_iter().map(|step| vec![step]).collect();
    rounds.extend(any_steps(160).chunks(20).map(<[Step]>::to_vec));
    let views = running.service.views();
    for steps in rounds {
        steps.iter().for_each(|step| play.step(step));
        let last: Vec<Position> = play.last.values().copied().collect();
        views.wait(&last, Duration::from_secs(20)).await.unwrap();
        let mut view = views.begin().await.unwrap();
        compare(&mut view, &play).await;
    }
    // A notice goes neither to a telephone nor to an account, so nobody can read them here.
    for secret in SECRETS {
        let kept: bool = sqlx::query_scalar(
            "select exists (select from notifier.roster_page where position($1 in people) > 0)",
        )
        .bind(secret.as_bytes())
        .fetch_one(&running.pool)
        .await
        .unwrap();
        assert!(!kept, "{secret} is on a page");
    }
    rebuilt_is_equal(&running).await;
    running.end().await;
}
