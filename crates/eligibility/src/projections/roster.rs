//! The writer of the roster's tables: `subscription`, `roster_page`, `report`, `person`, `reserved_number` and
//! `roster`.

use std::sync::Arc;

use futures::future::BoxFuture;
use ristoro_domain::roster::{Contact, ImportRow, Payee, RosterEvent, partition_of_number};
use ristoro_domain::subscriber::{Holding, SubscriberEvent};
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{signed, small};
use sqlx::{PgConnection, Row};

use super::holding::{self, Columns, CurrentState};
use super::page;

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
                    roster(tx, record, &decode(record)?).await?;
                } else if let Some(id) = record.envelope.stream.strip_prefix("subscriber/") {
                    personal(tx, record, id, decode(record)?).await?;
                }
            }
            Ok(())
        })
    }
}

async fn roster(
    tx: &mut PgConnection,
    record: &Accepted,
    event: &RosterEvent,
) -> Result<(), sqlx::Error> {
    let count = match event {
        RosterEvent::SubscriptionsImported { first_number, rows } => {
            let recorded_at = signed(record.position.offset);
            page::insert(tx, recorded_at, *first_number, rows).await?;
            insert_batch(tx, recorded_at, *first_number, rows).await?;
            insert_people(tx, record.position.partition, rows).await?;
            rows.len()
        }
        RosterEvent::NumbersReserved { first_number, holders } => {
            for (number, holder) in (*first_number..).zip(holders) {
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
            holders.len()
        }
    };
    sqlx::query(
        "insert into roster (partition, count) values ($1, $2) \
         on conflict (partition) do update set count = roster.count + $2",
    )
    .bind(small(record.position.partition))
    .bind(i64::try_from(count).expect("a batch is small"))
    .execute(tx)
    .await
    .map(|_| ())
}

async fn insert_batch(
    tx: &mut PgConnection,
    recorded_at: i64,
    first_number: u64,
    rows: &[ImportRow],
) -> Result<(), sqlx::Error> {
    let holdings = rows.iter().zip(first_number..).map(|(row, number)| {
        Holding::begin(number, Arc::clone(&row.profile), row.valid_from, row.valid_to)
    });
    let columns: Vec<Columns> = holdings.map(|holding| Columns::of(&holding)).collect();
    let texts = |text: fn(&ImportRow) -> &String| rows.iter().map(text).collect::<Vec<_>>();
    let each = |value: fn(&Columns) -> i64| columns.iter().map(value).collect::<Vec<_>>();
    sqlx::query(
        "insert into subscription (number, recorded_at, imported, partition, subscription, subscriber, service, \
         segment, class, cohort, plans, fees_minor, currencies, fee_periods, valid_from, valid_to) \
         select number, $2, true, $3, subscription, subscriber, service, segment, class, cohort, array[plan], array[fee], \
         array[currency], array[fee_period], array[valid_from], array[valid_to] \
         from unnest($1::bigint[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::smallint[], $9::text[], \
         $10::text[], $11::bigint[], $12::text[], $13::smallint[], $14::bigint[], $15::bigint[]) \
         as row (number, subscription, subscriber, service, segment, class, cohort, plan, fee, currency, fee_period, \
         valid_from, valid_to)",
    )
    .bind(each(|columns| columns.number))
    .bind(recorded_at)
    .bind(small(partition_of_number(first_number)))
    .bind(texts(|row| &row.subscription))
    .bind(texts(|row| &row.subscriber))
    .bind(texts(|row| &row.profile.service))
    .bind(columns.iter().map(|columns| columns.segment).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.class).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.profile.cohort.as_ref()).collect::<Vec<_>>())
    .bind(texts(|row| &row.profile.plan))
    .bind(columns.iter().map(|columns| columns.fees[0]).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.currencies[0].clone()).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.fee_periods[0]).collect::<Vec<_>>())
    .bind(each(|columns| columns.valid_from[0]))
    .bind(each(|columns| columns.valid_to[0]))
    .execute(tx)
    .await
    .map(|_| ())
}

async fn insert_people(
    tx: &mut PgConnection,
    partition: u32,
    rows: &[ImportRow],
) -> Result<(), sqlx::Error> {
    let payee =
        |row: &ImportRow, part: fn(&Payee) -> &String| row.payee.as_ref().map(part).cloned();
    sqlx::query(
        "insert into person (subscriber, partition, email, phone, locale, iban, payee_name) \
         select distinct on (subscriber) subscriber, $1, email, phone, locale, iban, payee_name \
         from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) with ordinality \
         as row (subscriber, email, phone, locale, iban, payee_name, place) order by subscriber, place desc \
         on conflict (subscriber) do nothing",
    )
    .bind(small(partition))
    .bind(rows.iter().map(|row| &row.subscriber).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.contact.email.as_ref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.contact.phone.as_ref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.contact.locale.as_ref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| payee(row, |found| &found.iban)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| payee(row, |found| &found.name)).collect::<Vec<_>>())
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
    sqlx::query("update person set stream_version = $2 where subscriber = $1")
        .bind(subscriber)
        .bind(signed(record.envelope.version))
        .execute(&mut *tx)
        .await?;
    match event {
        SubscriberEvent::SubscriptionStarted { subscription, number, profile, valid_from } => {
            let holding = Holding::begin(number, profile, valid_from, None);
            holding::insert(tx, recorded_at, subscriber, &subscription, &holding).await?;
        }
        SubscriberEvent::PlanChanged { subscription, profile, changed_at } => {
            let mut state = current(tx, record, subscriber, &subscription).await?;
            state.holding.change(profile, changed_at);
            holding::supersede(tx, recorded_at, (subscriber, &subscription), &state).await?;
        }
        SubscriberEvent::SubscriptionEnded { subscription, ended_at } => {
            let mut state = current(tx, record, subscriber, &subscription).await?;
            state.holding.end(ended_at);
            holding::supersede(tx, recorded_at, (subscriber, &subscription), &state).await?;
        }
        SubscriberEvent::ContactSet { contact } => set_contact(tx, subscriber, &contact).await?,
        SubscriberEvent::PayeeSet { payee } => set_payee(tx, subscriber, payee.as_ref()).await?,
        SubscriberEvent::TroubleReported { subscription, component, reported_at } => {
            let state = current(tx, record, subscriber, &subscription).await?;
            sqlx::query(
                "insert into report (number, recorded_at, reported_at, component) values ($1, $2, $3, $4)",
            )
            .bind(signed(state.holding.number))
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
) -> Result<CurrentState, FoldError> {
    let found = holding::current(tx, subscriber, subscription).await?;
    found.ok_or_else(|| FoldError::Payload {
        position: record.position,
        problem: "it changes a subscription that is not on the roster".to_owned(),
    })
}

async fn set_contact(
    tx: &mut PgConnection,
    subscriber: &str,
    contact: &Contact,
) -> Result<(), sqlx::Error> {
    sqlx::query("update person set email = $2, phone = $3, locale = $4 where subscriber = $1")
        .bind(subscriber)
        .bind(&contact.email)
        .bind(&contact.phone)
        .bind(&contact.locale)
        .execute(tx)
        .await
        .map(|_| ())
}

async fn set_payee(
    tx: &mut PgConnection,
    subscriber: &str,
    payee: Option<&Payee>,
) -> Result<(), sqlx::Error> {
    sqlx::query("update person set iban = $2, payee_name = $3 where subscriber = $1")
        .bind(subscriber)
        .bind(payee.map(|payee| &payee.iban))
        .bind(payee.map(|payee| &payee.name))
        .execute(tx)
        .await
        .map(|_| ())
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
