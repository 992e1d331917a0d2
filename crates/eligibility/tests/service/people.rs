//! What happens to single people: personal events, the roster of a pin, masks, and tables built again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use prost_types::Timestamp;
use ristoro_domain::facts::{Account, Subscription};
use ristoro_domain::roster::RosterEvent;
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_domain::time::Instant;
use ristoro_eligibility::projections::everybody::Everybody;
use ristoro_log::position::partition_of;
use ristoro_log::{Envelope, EventLog, Topic};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::subscription_service_client::SubscriptionServiceClient;
use ristoro_proto::roster::SubscriberRecord;
use ristoro_proto::wire::Wire;
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::{Comparison, equal};
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::support::{PARTITIONS, Running, as_anna, as_cleo, fresh_id, row, start};

const NAME: &str = "subscribers/p1/subscriptions/s1";
/// 25 January 2023, 00:00 in Rome.
const JANUARY: i64 = 1_674_601_200;
const FEBRUARY: i64 = 1_675_206_000;

fn client(running: &Running) -> SubscriptionServiceClient<Channel> {
    SubscriptionServiceClient::new(running.channel.clone())
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

async fn report(running: &Running, seconds: i64) -> Result<String, Status> {
    let request = api::ReportTroubleRequest {
        request_id: fresh_id(),
        name: NAME.to_owned(),
        component: "imap".to_owned(),
        reported_at: at(seconds),
        ..api::ReportTroubleRequest::default()
    };
    let answer = client(running).report_trouble(as_anna(request)).await?;
    Ok(answer.into_inner().consistency_token)
}

async fn end(running: &Running, name: &str, etag: &str) -> Result<String, Status> {
    let request = api::EndSubscriptionRequest {
        request_id: fresh_id(),
        name: name.to_owned(),
        etag: etag.to_owned(),
        ended_at: at(FEBRUARY),
        ..api::EndSubscriptionRequest::default()
    };
    Ok(client(running).end_subscription(as_anna(request)).await?.into_inner().etag)
}

/// Says what is known of an account.
async fn set_account(
    running: &Running,
    name: &str,
    account: api::Account,
) -> Result<String, Status> {
    let request = api::SetAccountRequest {
        request_id: fresh_id(),
        name: name.to_owned(),
        account: Some(account),
        ..api::SetAccountRequest::default()
    };
    let answer = client(running).set_account(as_anna(request)).await?;
    Ok(answer.into_inner().consistency_token)
}

type Seen = (u64, Subscription, Vec<Instant>, Option<Date>);

/// Reads the partition of `p1` behind a number as of an offset, so many people at a time.
async fn everybody(running: &Running, after: u64, roster_offset: u64, size: usize) -> Vec<Seen> {
    let mut view = running.service.views().begin().await.unwrap();
    let mut everybody = Everybody::behind(partition_of("p1", PARTITIONS), after, roster_offset);
    let mut seen = Vec::new();
    loop {
        let people = everybody.take(&mut view, size).await.unwrap();
        assert!(people.numbers().len() <= size);
        if people.numbers().len() == 0 {
            return seen;
        }
        let shown = people.show(|number, subscription, told| {
            seen.push((number, subscription.clone(), told.reports.to_vec(), told.unpaid_since));
            Ok::<_, ()>(())
        });
        shown.unwrap();
    }
}

/// Reads the partition of `p1` as of an offset.
async fn as_of(running: &Running, roster_offset: u64) -> Vec<Seen> {
    everybody(running, 0, roster_offset, 100).await
}

async fn next_offset(running: &Running) -> u64 {
    let log = EventLog::Memory(running.log.clone());
    let partition = usize::try_from(partition_of("p1", PARTITIONS)).unwrap();
    log.end_offsets(Topic::Subscriber).await.unwrap()[partition]
}

fn payee(iban: &str) -> Option<api::Payee> {
    Some(api::Payee { iban: iban.to_owned(), name: "Ada Rossi".to_owned() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_shows_the_roster_as_it_was() {
    let running = start().await;
    running.import(vec![row(1, "free")]).await;
    let imported = next_offset(&running).await;
    let paid = api::SubscriptionRow { valid_from: at(JANUARY), ..row(1, "plus-5gb") };
    running.import(vec![paid]).await;
    let changed = next_offset(&running).await;
    report(&running, JANUARY).await.unwrap();
    let reported = next_offset(&running).await;
    end(&running, NAME, "").await.unwrap();

    assert!(as_of(&running, 0).await.is_empty(), "before the import there was nobody");
    let plans = |rows: &[Seen]| -> Vec<String> {
        rows[0].1.periods.iter().map(|period| period.plan.clone()).collect()
    };
    let first = as_of(&running, imported).await;
    assert_eq!((plans(&first), first[0].2.len()), (vec!["free".to_owned()], 0));
    let second = as_of(&running, changed).await;
    assert_eq!(plans(&second), ["free", "plus-5gb"]);
    assert!(second[0].2.is_empty(), "the report came later");
    let third = as_of(&running, reported).await;
    assert_eq!(third[0].2.len(), 1);
    assert_eq!(third[0].1.periods[1].window.to, None, "the end came later");
    let now = as_of(&running, next_offset(&running).await).await;
    assert!(now[0].1.periods[1].window.to.is_some());
    running.end().await;
}

/// A number, its plans, the beginning of each, and the account.
type Told = (u64, Vec<String>, Vec<i64>, Account);

/// What the log says as of an offset of the partition of `p1`.
fn told_by(running: &Running, roster_offset: u64) -> Vec<Told> {
    let mut told: BTreeMap<(String, String), Told> = BTreeMap::new();
    let records = running.log.records(Topic::Subscriber, partition_of("p1", PARTITIONS));
    for record in records.into_iter().filter(|one| one.position.offset < roster_offset) {
        let Ok(envelope) = Envelope::decode(record.value) else { continue };
        let whose = envelope.stream.trim_start_matches("subscriber/").to_owned();
        match SubscriberRecord::decode(&envelope.kind, &envelope.payload).unwrap() {
            SubscriberRecord::Roster(RosterEvent::SubscriptionsImported { first_number, rows }) => {
                for (number, row) in (first_number..).zip(rows) {
                    let from = row.valid_from.as_microsecond();
                    let one =
                        (number, vec![row.profile.plan.clone()], vec![from], Account::default());
                    told.insert((row.subscriber, row.subscription), one);
                }
            }
            SubscriberRecord::Person(SubscriberEvent::SubscriptionStarted {
                subscription,
                number,
                profile,
                valid_from,
            }) => {
                let from = vec![valid_from.as_microsecond()];
                let one = (number, vec![profile.plan.clone()], from, Account::default());
                told.insert((whose, subscription), one);
            }
            SubscriberRecord::Person(SubscriberEvent::PlanChanged {
                subscription,
                profile,
                changed_at,
            }) => {
                let (_, plans, from, _) = told.get_mut(&(whose, subscription)).unwrap();
                plans.push(profile.plan.clone());
                from.push(changed_at.as_microsecond());
            }
            SubscriberRecord::Person(SubscriberEvent::AccountSet { subscription, account }) => {
                told.get_mut(&(whose, subscription)).unwrap().3 = account;
            }
            SubscriberRecord::Roster(_) | SubscriberRecord::Person(_) => {}
        }
    }
    let mut told: Vec<_> = told.into_values().collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_as_the_log_says_at_every_pin_and_from_every_place() {
    let running = start().await;
    for batch in 0..3 {
        let rows = (batch * 20 + 1..=batch * 20 + 20).map(|place| row(place, "free"));
        running.import(rows.collect()).await;
        // Some change their plan, and one has a second subscription: its number lies between the batches.
        let known = batch * 20 + 1..=batch * 20 + 5;
        let paid =
            |place| api::SubscriptionRow { valid_from: at(JANUARY), ..row(place, "plus-5gb") };
        let mut rows: Vec<_> = known.map(paid).collect();
        let second = format!("s{batch}-second");
        rows.push(api::SubscriptionRow { subscription_id: second, ..row(batch * 20 + 6, "free") });
        running.import(rows).await;
        // Accounts of somebody with a plan change and of somebody without, the second one's corrected.
        for (place, bytes) in [(batch * 20 + 1, 1), (batch * 20 + 12, 2), (batch * 20 + 12, 3)] {
            let name = format!("subscribers/p{place}/subscriptions/s{place}");
            let account = api::Account {
                in_arrears: bytes != 3,
                unpaid_since: "2022-12-31".to_owned(),
                quota_bytes: Some(bytes),
                term_end: format!("2023-08-0{bytes}"),
            };
            set_account(&running, &name, account).await.unwrap();
        }
    }
    report(&running, JANUARY).await.unwrap();
    let pins = next_offset(&running).await;
    assert!(pins > 8, "the partition has only {pins} records");
    for pin in 0..=pins {
        let rows = told_by(&running, pin);
        for (place, size) in [(0, 100), (0, 1), (rows.len() / 3, 7), (rows.len() / 2, 3)] {
            let after = place.checked_sub(1).and_then(|place| rows.get(place));
            let after = after.map_or(0, |one| one.0);
            let seen = everybody(&running, after, pin, size).await;
            let said = seen.iter().map(|(number, subscription, _, unpaid_since)| {
                let periods = &subscription.periods;
                let plans = periods.iter().map(|period| period.plan.clone()).collect();
                let from = periods.iter().map(|period| period.window.from.as_microsecond());
                let account = Account {
                    in_arrears: subscription.in_arrears,
                    unpaid_since: *unpaid_since,
                    quota_bytes: subscription.quota_bytes,
                    term_end: subscription.term_end,
                };
                (*number, plans, from.collect(), account)
            });
            assert_eq!(said.collect::<Vec<_>>(), rows[place..], "as of {pin}, {size} at a time");
        }
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_with_personal_events_are_built_again_the_same() {
    let running = start().await;
    let mut rows: Vec<_> = (1..=40).map(|place| row(place, "free")).collect();
    running.import(rows.clone()).await;
    for row in rows.iter_mut().step_by(4) {
        row.plan = "plus-5gb".to_owned();
        row.fee = crate::support::row(1, "plus-5gb").fee;
        row.class = api::Class::Principal.into();
        row.valid_from = at(JANUARY);
        row.valid_to = at(FEBRUARY);
        row.payee = payee("IT60 X054 2811 1010 0000 0123 456");
    }
    rows.push(api::SubscriptionRow { subscription_id: "s2b".to_owned(), ..row(2, "free") });
    let answer = running.import(rows.clone()).await;
    assert_eq!((answer.imported, answer.changed, answer.unchanged), (1, 10, 30));
    report(&running, JANUARY).await.unwrap();
    for bytes in [1, 2] {
        let account = api::Account { quota_bytes: Some(bytes), ..api::Account::default() };
        set_account(&running, NAME, account).await.unwrap();
    }
    let again = running.import(rows).await;
    assert_eq!((again.imported, again.changed, again.unchanged), (0, 0, 41));

    let schemas = running.service.schemas();
    let live = rebuild::list(schemas).await.unwrap()[0].number;
    let built = rebuild::start(schemas, Uuid::new_v4()).await.unwrap();
    let comparison = equal(schemas, live, built, Duration::from_secs(60)).await.unwrap();
    assert_eq!(comparison, Comparison::Equal);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_addresses_are_shown_to_support_alone() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb")]).await;
    let contact = api::Contact { email: "ada@posta.example".to_owned(), ..api::Contact::default() };
    let request = api::SetContactRequest {
        request_id: fresh_id(),
        name: "subscribers/p1".to_owned(),
        contact: Some(contact),
        ..api::SetContactRequest::default()
    };
    client(&running).set_contact(as_anna(request)).await.unwrap();
    let request = api::SetPayeeRequest {
        request_id: fresh_id(),
        name: "subscribers/p1".to_owned(),
        payee: payee("IT60 X054 2811 1010 0000 0123 456"),
        ..api::SetPayeeRequest::default()
    };
    let token = client(&running).set_payee(as_anna(request)).await.unwrap().into_inner();
    let asked = || api::GetSubscriptionRequest {
        name: NAME.to_owned(),
        min_position: token.consistency_token.clone(),
    };
    let clear = client(&running).get_subscription(as_anna(asked())).await.unwrap().into_inner();
    let clear = clear.subscription.unwrap();
    assert_eq!(clear.payee.unwrap().iban, "IT60X0542811101000000123456");
    assert_eq!(clear.contact.unwrap().email, "ada@posta.example");
    assert_eq!(clear.etag, "2");
    let masked = client(&running).get_subscription(as_cleo(asked())).await.unwrap().into_inner();
    let masked = masked.subscription.unwrap();
    let (email, iban) = (masked.contact.unwrap().email, masked.payee.unwrap().iban);
    assert!(!email.contains("posta") && !iban.contains("0542811101"), "{email} {iban}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_its_reason() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb")]).await;
    let unknown = end(&running, "subscribers/p1/subscriptions/none", "").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let request = api::SetContactRequest {
        request_id: fresh_id(),
        name: "subscribers/nobody".to_owned(),
        ..api::SetContactRequest::default()
    };
    let nobody = client(&running).set_contact(as_anna(request)).await.unwrap_err();
    assert_eq!(nobody.code(), Code::NotFound);
    let future = report(&running, 32_503_680_000).await.unwrap_err();
    assert_eq!(future.code(), Code::InvalidArgument, "a report of the year 3000");
    assert_eq!(end(&running, NAME, "7").await.unwrap_err().code(), Code::Aborted);
    assert_eq!(end(&running, NAME, "0").await.unwrap(), "1");
    let change = api::ChangeSubscriptionRequest {
        request_id: fresh_id(),
        name: NAME.to_owned(),
        plan: "plus-1tb".to_owned(),
        changed_at: at(JANUARY),
        ..api::ChangeSubscriptionRequest::default()
    };
    let rewritten = client(&running).change_subscription(as_anna(change)).await.unwrap_err();
    assert_eq!(rewritten.code(), Code::FailedPrecondition, "{}", rewritten.message());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_shown_and_refused_where_it_cannot_be() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb")]).await;
    let shown = async |min_position: &str| {
        let min_position = min_position.to_owned();
        let request = api::GetSubscriptionRequest { name: NAME.to_owned(), min_position };
        let answer = client(&running).get_subscription(as_cleo(request)).await.unwrap();
        answer.into_inner().subscription.unwrap().account
    };
    assert_eq!(shown("").await, None);
    let account = api::Account {
        in_arrears: true,
        unpaid_since: "2022-12-31".to_owned(),
        quota_bytes: Some(1 << 30),
        term_end: "2023-08-31".to_owned(),
    };
    let token = set_account(&running, NAME, account.clone()).await.unwrap();
    assert_eq!(shown(&token).await, Some(account));
    let token = set_account(&running, NAME, api::Account::default()).await.unwrap();
    assert_eq!(shown(&token).await, Some(api::Account::default()));

    let none = || api::Account::default();
    let wrong = [
        (
            api::Account { unpaid_since: "2999-01-01".to_owned(), ..none() },
            "account.unpaid_since: ",
        ),
        (api::Account { unpaid_since: "yesterday".to_owned(), ..none() }, "account.unpaid_since: "),
        (api::Account { term_end: "2023-02-29".to_owned(), ..none() }, "account.term_end: "),
        (api::Account { quota_bytes: Some(u64::MAX), ..none() }, "account.quota_bytes: "),
    ];
    for (account, begins) in wrong {
        let refused = set_account(&running, NAME, account).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(begins), "{}", refused.message());
    }
    let name = "subscribers/p1/subscriptions/none";
    assert_eq!(set_account(&running, name, none()).await.unwrap_err().code(), Code::NotFound);
    running.end().await;
}
