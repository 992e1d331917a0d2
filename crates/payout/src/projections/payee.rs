//! Who is paid and where, as history: orders choose channels as of the roster that their assessment is pinned to.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use ristoro_domain::roster::{ImportRow, Profile, RosterEvent};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::PgConnection;

use super::account::{self, Account};
use super::{page, payable};

/// Folds subscriber.v1 into `holder`, `roster_page`, `holding` and `payee`.
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
                    roster(tx, recorded_at, record).await?;
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
    record: &Accepted,
) -> Result<(), FoldError> {
    let RosterEvent::SubscriptionsImported { first_number, rows } = decode(record)? else {
        return Ok(());
    };
    page::insert(tx, recorded_at, decode(record)?, &rows).await?;
    let known = insert_holders(tx, first_number, &rows).await?;
    Ok(insert_differing(tx, recorded_at, (first_number, &rows), &known).await?)
}

/// Keeps who has which number; gives those subscribers who had one before, each with one of theirs.
async fn insert_holders(
    tx: &mut PgConnection,
    first_number: u64,
    rows: &[ImportRow],
) -> Result<BTreeMap<String, u64>, sqlx::Error> {
    let mut holders: Vec<(&str, &str, i64)> = rows
        .iter()
        .zip(signed(first_number)..)
        .map(|(row, number)| (row.subscriber.as_str(), row.subscription.as_str(), number))
        .collect();
    // In the order of the index, which is written and searched faster so.
    holders.sort_unstable();
    // One by one through the key: for a long list the server may otherwise take it for better to walk the whole table.
    let known: Vec<(String, i64)> = sqlx::query_as(
        "with added as (insert into holder (subscriber, subscription, number) \
         select * from unnest($1::text[], $2::text[], $3::bigint[])) \
         select wanted.subscriber, min(held.number) from unnest($1::text[]) as wanted (subscriber) \
         cross join lateral (select number from holder where holder.subscriber = wanted.subscriber offset 0) as held \
         group by wanted.subscriber",
    )
    .bind(holders.iter().map(|(subscriber, ..)| *subscriber).collect::<Vec<_>>())
    .bind(holders.iter().map(|(_, subscription, _)| *subscription).collect::<Vec<_>>())
    .bind(holders.iter().map(|(.., number)| *number).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(known.into_iter().map(|(subscriber, number)| (subscriber, unsigned(number))).collect())
}

/// Gives the account that a row tells: IBAN and name.
fn told(row: &ImportRow) -> Option<(&str, &str)> {
    row.payee.as_ref().map(|payee| (payee.iban.as_str(), payee.name.as_str()))
}

/// Keeps the accounts of those whose own row does not tell it: an earlier record does, or a later row of the batch.
async fn insert_differing(
    tx: &mut PgConnection,
    recorded_at: i64,
    (first_number, rows): (u64, &[ImportRow]),
    known: &BTreeMap<String, u64>,
) -> Result<(), sqlx::Error> {
    let earlier: Vec<u64> = known.values().copied().collect();
    // A batch normally is of new people.
    let accounts = match earlier.is_empty() {
        true => BTreeMap::new(),
        false => account::accounts(tx, &earlier, unsigned(recorded_at)).await?,
    };
    let mut counts: BTreeMap<&str, Option<(&str, &str)>> =
        rows.iter().map(|row| (row.subscriber.as_str(), told(row))).collect();
    for (subscriber, number) in known {
        let account = accounts.get(number);
        counts.insert(subscriber, account.map(|it| (it.iban.as_str(), it.name.as_str())));
    }
    let counts = |row: &ImportRow| counts.get(row.subscriber.as_str()).copied().flatten();
    let differing: Vec<(i64, Option<(&str, &str)>)> = (signed(first_number)..)
        .zip(rows)
        .filter(|(_, row)| counts(row) != told(row))
        .map(|(number, row)| (number, counts(row)))
        .collect();
    if differing.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into payee (number, recorded_at, iban, payee_name) \
         select number, $1, iban, name from unnest($2::bigint[], $3::text[], $4::text[]) as row (number, iban, name)",
    )
    .bind(recorded_at)
    .bind(differing.iter().map(|(number, _)| *number).collect::<Vec<_>>())
    .bind(differing.iter().map(|(_, account)| account.map(|(iban, _)| iban)).collect::<Vec<_>>())
    .bind(differing.iter().map(|(_, account)| account.map(|(_, name)| name)).collect::<Vec<_>>())
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
            let numbers = numbers_of(tx, subscriber).await?;
            let account = payee.map(Account::of);
            set_account(tx, recorded_at, &numbers, account.as_ref()).await?;
            !numbers.is_empty()
        }
        SubscriberEvent::ContactSet { .. }
        | SubscriberEvent::AccountSet { .. }
        | SubscriberEvent::TroubleReported { .. } => {
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
            problem: "it changes somebody who is not on the roster".to_owned(),
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
    let earlier = numbers_of(tx, subscriber).await?;
    sqlx::query("insert into holder (subscriber, subscription, number) values ($1, $2, $3)")
        .bind(subscriber)
        .bind(subscription)
        .bind(signed(number))
        .execute(&mut *tx)
        .await?;
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
    let Some(one) = earlier.first().copied().map(unsigned) else { return Ok(()) };
    match account::accounts(tx, &[one], unsigned(recorded_at)).await?.get(&one) {
        Some(account) => set_account(tx, recorded_at, &[signed(number)], Some(account)).await,
        None => Ok(()),
    }
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
        "with holder as (select number from holder where subscriber = $2 and subscription = $3), \
         before as (update holding set superseded_at = $1 from holder \
         where holding.number = holder.number and superseded_at is null returning paying) \
         insert into holding (number, recorded_at, subscriber, subscription, paying, valid_to) \
         select number, $1, $2, $3, coalesce($4, (select paying from before), \
         (select get_byte(payables, (number - first_number)::integer) & $6 <> 0 from roster_page \
         where first_number <= number order by first_number desc limit 1)), $5 from holder",
    )
    .bind(recorded_at)
    .bind(subscriber)
    .bind(subscription)
    .bind(paying)
    .bind(valid_to)
    .bind(i32::from(payable::BY_INVOICE))
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the numbers that a subscriber has.
async fn numbers_of(tx: &mut PgConnection, subscriber: &str) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar("select number from holder where subscriber = $1")
        .bind(subscriber)
        .fetch_all(tx)
        .await
}

/// Gives numbers an account, or none, from a record on.
async fn set_account(
    tx: &mut PgConnection,
    recorded_at: i64,
    numbers: &[i64],
    account: Option<&Account>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with before as (update payee set superseded_at = $1 \
         where number = any($2) and superseded_at is null) \
         insert into payee (number, recorded_at, iban, payee_name) \
         select number, $1, $3, $4 from unnest($2::bigint[]) as holder (number)",
    )
    .bind(recorded_at)
    .bind(numbers)
    .bind(account.map(|account| &account.iban))
    .bind(account.map(|account| &account.name))
    .execute(tx)
    .await
    .map(|_| ())
}
