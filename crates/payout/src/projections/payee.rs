//! Who is paid and where, as history: orders choose channels as of the roster that their assessment is pinned to.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use ristoro_domain::order::Payable;
use ristoro_domain::roster::{ImportRow, Payee, Profile, RosterEvent};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_domain::time::Instant;
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::{PgConnection, Row};

use super::payable;
use crate::sepa::iban::SepaIban;

/// Folds subscriber.v1 into `holding` and `payee`.
#[derive(Debug)]
pub struct Payees;

impl Projection for Payees {
    fn name(&self) -> &'static str {
        "payout.payees"
    }

    fn topic(&self) -> Topic {
        Topic::Subscriber
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                let recorded_at = signed(record.position.offset);
                if record.envelope.stream.starts_with("roster/") {
                    roster(tx, recorded_at, decode(record)?).await?;
                } else if let Some(id) = record.envelope.stream.strip_prefix("subscriber/") {
                    personal(tx, (recorded_at, id), record, decode(record)?).await?;
                }
            }
            Ok(())
        })
    }
}

async fn roster(
    tx: &mut PgConnection,
    recorded_at: i64,
    event: RosterEvent,
) -> Result<(), sqlx::Error> {
    let RosterEvent::SubscriptionsImported { first_number, rows } = event else { return Ok(()) };
    insert_holdings(tx, recorded_at, first_number, &rows).await?;
    let part = |row: &ImportRow, part: fn(&Payee) -> &String| row.payee.as_ref().map(part).cloned();
    let inserted = sqlx::query(
        "insert into payee (subscriber, recorded_at, iban, payee_name) \
         select distinct on (subscriber) subscriber, $1, iban, payee_name \
         from unnest($2::text[], $3::text[], $4::text[]) with ordinality \
         as row (subscriber, iban, payee_name, place) \
         where not exists (select from payee where payee.subscriber = row.subscriber) \
         order by subscriber, place desc",
    )
    .bind(recorded_at)
    .bind(rows.iter().map(|row| &row.subscriber).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| part(row, |found| &found.iban)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| part(row, |found| &found.name)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    let subscribers: BTreeSet<&str> = rows.iter().map(|row| row.subscriber.as_str()).collect();
    let known = match inserted.rows_affected() == subscribers.len() as u64 {
        true => BTreeSet::new(),
        false => told_before(tx, recorded_at, &subscribers).await?,
    };
    payable::insert(tx, recorded_at, first_number, &rows, &known).await
}

/// Gives those of whose account an earlier record told.
async fn told_before(
    tx: &mut PgConnection,
    recorded_at: i64,
    subscribers: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, sqlx::Error> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "select distinct subscriber from payee where subscriber = any($1) and recorded_at <> $2",
    )
    .bind(subscribers.iter().copied().collect::<Vec<_>>())
    .bind(recorded_at)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(subscriber,)| subscriber).collect())
}

async fn insert_holdings(
    tx: &mut PgConnection,
    recorded_at: i64,
    first_number: u64,
    rows: &[ImportRow],
) -> Result<(), sqlx::Error> {
    let numbers = (signed(first_number)..).take(rows.len()).collect::<Vec<_>>();
    sqlx::query(
        "insert into holding (number, recorded_at, subscriber, subscription, paying, valid_to) \
         select number, $1, subscriber, subscription, paying, valid_to \
         from unnest($2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::bigint[]) \
         as row (number, subscriber, subscription, paying, valid_to)",
    )
    .bind(recorded_at)
    .bind(numbers)
    .bind(rows.iter().map(|row| &row.subscriber).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.subscription).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.profile.fee.is_some()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.valid_to.map(Instant::as_microsecond)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}

async fn personal(
    tx: &mut PgConnection,
    (recorded_at, subscriber): (i64, &str),
    record: &Accepted,
    event: SubscriberEvent,
) -> Result<(), FoldError> {
    let changed = match event {
        SubscriberEvent::SubscriptionStarted { subscription, number, profile, .. } => {
            return Ok(start(tx, (recorded_at, subscriber), &subscription, number, &profile).await?);
        }
        SubscriberEvent::PayeeSet { payee } => {
            return Ok(set_payee(tx, recorded_at, subscriber, payee.as_ref()).await?);
        }
        SubscriberEvent::ContactSet { .. } | SubscriberEvent::TroubleReported { .. } => {
            return Ok(());
        }
        SubscriberEvent::PlanChanged { subscription, profile, .. } => {
            let paying = Some(profile.fee.is_some());
            supersede(tx, (recorded_at, subscriber), &subscription, paying, None).await?
        }
        SubscriberEvent::SubscriptionEnded { subscription, ended_at } => {
            let end = Some(ended_at.as_microsecond());
            supersede(tx, (recorded_at, subscriber), &subscription, None, end).await?
        }
    };
    match changed {
        true => Ok(()),
        false => Err(FoldError::Payload {
            position: record.position,
            problem: "it changes a subscription that is not on the roster".to_owned(),
        }),
    }
}

async fn start(
    tx: &mut PgConnection,
    (recorded_at, subscriber): (i64, &str),
    subscription: &str,
    number: u64,
    profile: &Profile,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into holding (number, recorded_at, subscriber, subscription, paying) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(signed(number))
    .bind(recorded_at)
    .bind(subscriber)
    .bind(subscription)
    .bind(profile.fee.is_some())
    .execute(&mut *tx)
    .await?;
    payable::change(tx, recorded_at, subscriber).await
}

/// Ends the current state of a subscription and begins the next; tells whether there was one.
async fn supersede(
    tx: &mut PgConnection,
    (recorded_at, subscriber): (i64, &str),
    subscription: &str,
    paying: Option<bool>,
    valid_to: Option<i64>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "with before as (update holding set superseded_at = $1 \
         where subscriber = $2 and subscription = $3 and superseded_at is null \
         returning number, paying) \
         insert into holding (number, recorded_at, subscriber, subscription, paying, valid_to) \
         select number, $1, $2, $3, coalesce($4, paying), $5 from before",
    )
    .bind(recorded_at)
    .bind(subscriber)
    .bind(subscription)
    .bind(paying)
    .bind(valid_to)
    .execute(&mut *tx)
    .await?;
    payable::change(tx, recorded_at, subscriber).await?;
    Ok(done.rows_affected() == 1)
}

async fn set_payee(
    tx: &mut PgConnection,
    recorded_at: i64,
    subscriber: &str,
    payee: Option<&Payee>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update payee set superseded_at = $1 where subscriber = $2 and superseded_at is null",
    )
    .bind(recorded_at)
    .bind(subscriber)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "insert into payee (subscriber, recorded_at, iban, payee_name) values ($1, $2, $3, $4)",
    )
    .bind(subscriber)
    .bind(recorded_at)
    .bind(payee.map(|payee| &payee.iban))
    .bind(payee.map(|payee| &payee.name))
    .execute(&mut *tx)
    .await?;
    payable::change(tx, recorded_at, subscriber).await
}

/// Tells whether a transfer can go to an account.
pub(super) fn reaches(iban: &str, name: &str) -> bool {
    SepaIban::parse(iban).is_ok() && !name.trim().is_empty()
}

/// Gives how subscriptions can be paid, as of the roster's next offset and a time at which their plans run.
pub(super) async fn payables(
    connection: &mut PgConnection,
    numbers: &[u64],
    roster_offset: u64,
    at: Instant,
) -> Result<BTreeMap<u64, Payable>, sqlx::Error> {
    let numbers: Vec<i64> = numbers.iter().copied().map(signed).collect();
    let rows = sqlx::query(
        "select number, iban, payee_name, paying and (valid_to is null or valid_to > $3) as paying \
         from holding left join payee on payee.subscriber = holding.subscriber \
         and payee.recorded_at < $2 and (payee.superseded_at is null or payee.superseded_at >= $2) \
         where number = any($1) and holding.recorded_at < $2 \
         and (holding.superseded_at is null or holding.superseded_at >= $2)",
    )
    .bind(numbers)
    .bind(signed(roster_offset))
    .bind(at.as_microsecond())
    .fetch_all(connection)
    .await?;
    let mut payables = BTreeMap::new();
    for row in rows {
        let iban: Option<&str> = row.try_get("iban")?;
        let name: Option<&str> = row.try_get("payee_name")?;
        let by_transfer = iban.zip(name).is_some_and(|(iban, name)| reaches(iban, name));
        let payable = Payable { by_transfer, by_invoice: row.try_get("paying")? };
        payables.insert(unsigned(row.try_get("number")?), payable);
    }
    Ok(payables)
}
