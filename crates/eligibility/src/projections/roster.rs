//! The writer of the roster's tables: `holder`, `roster_page`, `subscription`, `account`, `report`, `person`,
//! `reserved_number` and `roster`.

use futures::future::BoxFuture;
use ristoro_domain::roster::{Holder, RosterEvent};
use ristoro_domain::subscriber::{Holding, SubscriberEvent};
use ristoro_log::Topic;
use ristoro_proto::roster_page::ImportedBatch;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{signed, small};
use sqlx::{PgConnection, Row};

use super::{account, holding, person, roster_page};

/// Folds subscriber.v1.
#[derive(Debug)]
pub struct Roster;

impl Projection for Roster {
    fn name(&self) -> &'static str {
        "eligibility.roster"
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
                if record.envelope.stream.starts_with("roster/") {
                    roster(tx, record).await?;
                } else if let Some(id) = record.envelope.stream.strip_prefix("subscriber/") {
                    personal(tx, record, id, decode(record)?).await?;
                }
            }
            Ok(())
        })
    }
}

async fn roster(tx: &mut PgConnection, record: &Accepted) -> Result<(), FoldError> {
    let count = match ImportedBatch::is_kind(&record.envelope.kind) {
        true => {
            let batch: ImportedBatch = decode(record)?;
            insert_holders(tx, batch.holders()).await?;
            let count = batch.count();
            roster_page::insert(tx, signed(record.position.offset), batch).await?;
            count
        }
        false => match decode(record)? {
            RosterEvent::NumbersReserved { first_number, holders } => {
                reserve(tx, first_number, &holders).await?;
                holders.len() as u64
            }
            RosterEvent::SubscriptionsImported { .. } => 0,
        },
    };
    sqlx::query(
        "insert into roster (partition, count) values ($1, $2) \
         on conflict (partition) do update set count = roster.count + $2",
    )
    .bind(small(record.position.partition))
    .bind(signed(count))
    .execute(tx)
    .await?;
    Ok(())
}

async fn reserve(
    tx: &mut PgConnection,
    first_number: u64,
    holders: &[Holder],
) -> Result<(), sqlx::Error> {
    for (number, holder) in (first_number..).zip(holders) {
        sqlx::query(
            "insert into reserved_number (subscriber, subscription, number) values ($1, $2, $3) \
             on conflict do nothing",
        )
        .bind(&holder.subscriber)
        .bind(&holder.subscription)
        .bind(signed(number))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Keeps the numbers of subscriptions, in the order of the key.
async fn insert_holders(
    tx: &mut PgConnection,
    holders: impl Iterator<Item = (&str, &str, u64)>,
) -> Result<(), sqlx::Error> {
    let mut holders: Vec<_> = holders.collect();
    holders.sort_unstable();
    sqlx::query(
        "insert into holder (subscriber, subscription, number) \
         select * from unnest($1::text[], $2::text[], $3::bigint[])",
    )
    .bind(holders.iter().map(|(subscriber, _, _)| *subscriber).collect::<Vec<_>>())
    .bind(holders.iter().map(|(_, subscription, _)| *subscription).collect::<Vec<_>>())
    .bind(holders.iter().map(|(_, _, number)| signed(*number)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}

async fn personal(
    tx: &mut PgConnection,
    record: &Accepted,
    subscriber: &str,
    event: SubscriberEvent,
) -> Result<(), FoldError> {
    let recorded_at = signed(record.position.offset);
    person::note_version(tx, subscriber, record.envelope.version).await?;
    match event {
        SubscriberEvent::SubscriptionStarted { subscription, number, profile, valid_from } => {
            let holding = Holding::begin(number, profile, valid_from, None);
            holding::insert(tx, recorded_at, subscriber, &subscription, &holding).await?;
            let holder = (subscriber, subscription.as_str(), number);
            insert_holders(tx, std::iter::once(holder)).await?;
        }
        SubscriberEvent::PlanChanged { subscription, profile, changed_at } => {
            let mut state = current(tx, record, subscriber, &subscription).await?;
            state.change(profile, changed_at);
            holding::supersede(tx, recorded_at, (subscriber, &subscription), &state).await?;
        }
        SubscriberEvent::SubscriptionEnded { subscription, ended_at } => {
            let mut state = current(tx, record, subscriber, &subscription).await?;
            state.end(ended_at);
            holding::supersede(tx, recorded_at, (subscriber, &subscription), &state).await?;
        }
        SubscriberEvent::ContactSet { contact } => {
            person::set_contact(tx, subscriber, &contact).await?
        }
        SubscriberEvent::PayeeSet { payee } => {
            person::set_payee(tx, subscriber, payee.as_ref()).await?
        }
        SubscriberEvent::AccountSet { subscription, account: set } => {
            let state = current(tx, record, subscriber, &subscription).await?;
            account::supersede(tx, recorded_at, state.number, &set).await?;
        }
        SubscriberEvent::TroubleReported { subscription, component, reported_at } => {
            let state = current(tx, record, subscriber, &subscription).await?;
            sqlx::query(
                "insert into report (number, recorded_at, reported_at, component) values ($1, $2, $3, $4)",
            )
            .bind(signed(state.number))
            .bind(recorded_at)
            .bind(reported_at.as_microsecond())
            .bind(component.unwrap_or_default())
            .execute(tx)
            .await?;
        }
    }
    Ok(())
}

/// Gives the current state of a subscription, which the decider has seen to exist.
async fn current(
    tx: &mut PgConnection,
    record: &Accepted,
    subscriber: &str,
    subscription: &str,
) -> Result<Holding, FoldError> {
    let found = holding::current(tx, subscriber, subscription).await?;
    found.ok_or_else(|| FoldError::Payload {
        position: record.position,
        problem: "it changes a subscription that is not on the roster".to_owned(),
    })
}

/// Gives how many numbers a partition has given out.
///
/// # Errors
/// The database's.
pub async fn count(connection: &mut PgConnection, partition: u32) -> Result<u64, sqlx::Error> {
    let row = sqlx::query("select count from roster where partition = $1")
        .bind(small(partition))
        .fetch_optional(connection)
        .await?;
    row.map_or(Ok(0), |row| row.try_get::<i64, _>("count").map(ristoro_runtime::stored::unsigned))
}
