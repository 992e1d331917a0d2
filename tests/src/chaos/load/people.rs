//! The roster: so many people with one mailbox each, imported under faults, and their own events all along.

use std::time::Duration;

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::subscription_service_client::SubscriptionServiceClient;
use ristoro_proto::google::r#type::Money;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use super::super::client::{Command, Person, Told, tolerated};
use super::super::random::Random;

/// Rows of one message of an import.
const ROWS: usize = 500;
/// The cohort that the many outages without notices hit: one person in twenty.
pub const FEW: &str = "c0";
/// Personal events race on the streams of so many people.
const BUSY: u64 = 6;

/// Gives the subscriber of a place.
#[must_use]
pub fn subscriber(place: u64) -> String {
    format!("u{place:06}")
}

/// Gives the subscription of a place.
#[must_use]
pub fn subscription(place: u64) -> String {
    format!("s{place:06}")
}

/// Names a subscription.
#[must_use]
pub fn name(place: u64) -> String {
    format!("subscribers/{}/subscriptions/{}", subscriber(place), subscription(place))
}

/// A third has a free mailbox, a third a paid one and an account, a third a paid one without an account.
#[must_use]
pub fn has_account(place: u64) -> bool {
    place % 3 == 1
}

/// Gives the group of mailboxes that come back together.
#[must_use]
pub fn cohort(place: u64) -> &'static str {
    match (place % 20, place % 3) {
        (7, _) => FEW,
        (_, 0) => "c1",
        (_, 1) => "c2",
        (_, _) => "c3",
    }
}

/// Gives a valid account at a bank that is none. ISO 13616: 98 less the remainder modulo 97.
fn iban(place: u64) -> String {
    let national = format!("99999999{place:010}");
    let digits = format!("{national}131400");
    let remainder = digits.bytes().fold(0, |rest, byte| (rest * 10 + u64::from(byte - b'0')) % 97);
    format!("DE{:02}{national}", 98 - remainder)
}

fn row(place: u64) -> api::SubscriptionRow {
    let free = place.is_multiple_of(3);
    let fee = Money { currency_code: "EUR".to_owned(), units: 19, nanos: 990_000_000 };
    let payee = api::Payee { iban: iban(place), name: format!("Person Number {}", letters(place)) };
    let email = if place % 50 == 49 { String::new() } else { format!("u{place}@people.example") };
    let locale = ["it", "en", "de"][usize::try_from(place % 3).expect("it is below three")];
    api::SubscriptionRow {
        row: place + 2,
        subscription_id: subscription(place),
        subscriber_id: subscriber(place),
        service: "libero-mail".to_owned(),
        plan: if free { "free" } else { "plus-5gb" }.to_owned(),
        segment: api::Segment::Consumer.into(),
        class: if free { api::Class::Free } else { api::Class::Principal }.into(),
        cohort: cohort(place).to_owned(),
        fee: (!free).then_some(fee),
        fee_period: if free { 0 } else { api::FeePeriod::Year.into() },
        valid_from: Some(prost_types::Timestamp { seconds: 1_600_000_000, nanos: 0 }),
        valid_to: None,
        contact: Some(api::Contact { email, phone: String::new(), locale: locale.to_owned() }),
        payee: has_account(place).then_some(payee),
    }
}

/// Writes a number in letters, since names of people have no figures.
fn letters(number: u64) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

/// Imports everybody, twice under different request ids: the second time changes nothing.
///
/// # Errors
/// A refusal, or no answer at all.
///
/// # Panics
/// Where the import takes something other than everybody once.
pub async fn import(ada: &Person, people: u64) -> Result<(), Status> {
    let once = send_rows(ada, people, Uuid::new_v4()).await?;
    assert_eq!(once.rejected, 0, "{:?}", once.rejects.first());
    let again = send_rows(ada, people, Uuid::new_v4()).await?;
    assert_eq!((again.imported, again.changed, again.unchanged), (0, 0, people));
    Ok(())
}

async fn send_rows(
    ada: &Person,
    people: u64,
    request_id: Uuid,
) -> Result<api::ImportSubscriptionsResponse, Status> {
    let rows: Vec<api::SubscriptionRow> = (0..people).map(row).collect();
    let caller = &ada.eligibility;
    let messages: Vec<api::ImportSubscriptionsRequest> = rows
        .chunks(ROWS)
        .map(|rows| api::ImportSubscriptionsRequest {
            request_id: request_id.to_string(),
            rows: rows.to_vec(),
            ..api::ImportSubscriptionsRequest::default()
        })
        .collect();
    caller
        .ask_long(|channel| {
            let mut client = SubscriptionServiceClient::new(channel);
            let request = caller.stream(tokio_stream::iter(messages.clone()));
            async move { client.import_subscriptions(request).await }
        })
        .await
}

/// Reports trouble, changes contacts and plans of a few people again and again, several callers at a time.
///
/// # Errors
/// A refusal that is none of a lost race.
pub async fn bother(
    person: Person,
    mut random: Random,
    end: CancellationToken,
) -> Result<(), Status> {
    while !end.is_cancelled() {
        let place = random.below(BUSY) * 2;
        let outcome = match random.below(3) {
            0 | 1 => report(&person, place, random.chance(800)).await,
            _ => set_contact(&person, place, random.chance(800)).await,
        };
        tolerated(outcome)?;
        tokio::time::sleep(Duration::from_millis(20 + random.below(200))).await;
    }
    Ok(())
}

async fn report(person: &Person, place: u64, persistent: bool) -> Result<(), Status> {
    let command = Command { persistent, ..Command::new("ReportTrouble") };
    let caller = &person.eligibility;
    let message = api::ReportTroubleRequest {
        request_id: command.id(),
        name: name(place),
        component: "mailbox".to_owned(),
        ..api::ReportTroubleRequest::default()
    };
    let told = |answer: &api::ReportTroubleResponse| Told {
        token: answer.consistency_token.clone(),
        version: answer.etag.parse().ok(),
    };
    let call = |channel| {
        let mut client = SubscriptionServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.report_trouble(request).await }
    };
    caller.command(command, told, call).await.map(|_| ())
}

/// Sets the contact as it was, but for a phone number that nobody has: notices go where they went.
async fn set_contact(person: &Person, place: u64, persistent: bool) -> Result<(), Status> {
    let caller = &person.eligibility;
    let asked = api::GetSubscriptionRequest { name: name(place), ..Default::default() };
    let known = caller
        .ask(|channel| {
            let mut client = SubscriptionServiceClient::new(channel);
            let request = caller.request(asked.clone());
            async move { client.get_subscription(request).await }
        })
        .await?;
    let known = known.subscription.unwrap_or_default();
    let version = known.etag.parse().unwrap_or(0);
    let command = Command { persistent, ..Command::new("SetContact").on(version) };
    let digits = command.request_id.as_u128() % 1_000_000_000;
    let contact =
        api::Contact { phone: format!("+999{digits:09}"), ..known.contact.unwrap_or_default() };
    let message = api::SetContactRequest {
        request_id: command.id(),
        etag: command.etag(),
        name: format!("subscribers/{}", subscriber(place)),
        contact: Some(contact),
        ..api::SetContactRequest::default()
    };
    let told = |answer: &api::SetContactResponse| Told {
        token: answer.consistency_token.clone(),
        version: answer.etag.parse().ok(),
    };
    let call = |channel| {
        let mut client = SubscriptionServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.set_contact(request).await }
    };
    caller.command(command, told, call).await.map(|_| ())
}
