//! A subscription's state as a row, and the row as a state.

use std::collections::BTreeMap;
use std::sync::Arc;

use ristoro_domain::facts::{Class, FeePeriod, Segment};
use ristoro_domain::money::Money;
use ristoro_domain::roster::Profile;
use ristoro_domain::subscriber::{Base, Holding, Stretch};
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::PgConnection;

use super::subscription::{self, COLUMNS, RosterRow, paged_row, roster_row};
use super::{person, roster_page};

/// A holding's columns; one element per stretch.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) number: i64,
    pub(super) segment: i16,
    pub(super) class: i16,
    pub(super) plans: Vec<String>,
    pub(super) fees: Vec<Option<i64>>,
    pub(super) currencies: Vec<Option<String>>,
    pub(super) fee_periods: Vec<i16>,
    pub(super) valid_from: Vec<i64>,
    pub(super) valid_to: Vec<i64>,
}

impl Columns {
    pub(super) fn of(holding: &Holding) -> Self {
        let profile = &holding.last().profile;
        let stretches = &holding.stretches;
        let fee = |stretch: &Stretch| stretch.profile.fee;
        Self {
            number: signed(holding.number),
            segment: match profile.segment {
                Segment::Consumer => 1,
                Segment::Business => 2,
            },
            class: match profile.class {
                Class::Principal => 1,
                Class::Accessory => 2,
                Class::Free => 3,
            },
            plans: stretches.iter().map(|stretch| stretch.profile.plan.clone()).collect(),
            fees: stretches.iter().map(|stretch| fee(stretch).map(|fee| fee.minor)).collect(),
            currencies: stretches
                .iter()
                .map(|stretch| fee(stretch).map(|fee| fee.currency.code().to_owned()))
                .collect(),
            fee_periods: stretches
                .iter()
                .map(|stretch| match stretch.profile.fee_period {
                    FeePeriod::Month => 1,
                    FeePeriod::Year => 2,
                })
                .collect(),
            valid_from: stretches.iter().map(|stretch| stretch.from.as_microsecond()).collect(),
            valid_to: stretches
                .iter()
                .map(|stretch| stretch.to.map_or(i64::MAX, |to| to.as_microsecond()))
                .collect(),
        }
    }
}

/// Records a state.
pub(super) async fn insert(
    tx: &mut PgConnection,
    recorded_at: i64,
    subscriber: &str,
    subscription: &str,
    holding: &Holding,
) -> Result<(), sqlx::Error> {
    let columns = Columns::of(holding);
    let profile = &holding.last().profile;
    sqlx::query(
        "insert into subscription (number, recorded_at, subscription, subscriber, service, segment, class, cohort, \
         plans, fees_minor, currencies, fee_periods, valid_from, valid_to) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(columns.number)
    .bind(recorded_at)
    .bind(subscription)
    .bind(subscriber)
    .bind(&profile.service)
    .bind(columns.segment)
    .bind(columns.class)
    .bind(&profile.cohort)
    .bind(columns.plans)
    .bind(columns.fees)
    .bind(columns.currencies)
    .bind(columns.fee_periods)
    .bind(columns.valid_from)
    .bind(columns.valid_to)
    .execute(tx)
    .await
    .map(|_| ())
}

/// Records a state in place of the current one, which stays as history; where that is on a page there is no row to end.
pub(super) async fn supersede(
    tx: &mut PgConnection,
    recorded_at: i64,
    (subscriber, subscription): (&str, &str),
    holding: &Holding,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update subscription set superseded_at = $2 where number = $1 and superseded_at is null",
    )
    .bind(signed(holding.number))
    .bind(recorded_at)
    .execute(&mut *tx)
    .await?;
    insert(tx, recorded_at, subscriber, subscription, holding).await
}

/// Gives the current state of a subscription.
pub(super) async fn current(
    tx: &mut PgConnection,
    subscriber: &str,
    subscription: &str,
) -> Result<Option<Holding>, sqlx::Error> {
    let number: Option<(i64,)> =
        sqlx::query_as("select number from holder where subscriber = $1 and subscription = $2")
            .bind(subscriber)
            .bind(subscription)
            .fetch_optional(&mut *tx)
            .await?;
    let Some((number,)) = number else { return Ok(None) };
    let found = subscription::current(tx, unsigned(number)).await?;
    Ok(found.as_ref().map(holding_of))
}

/// Which state of a subscription is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// As it came to the roster: what a subscriber's own stream begins with.
    First,
    /// As it is now.
    Current,
}

/// Gives what is recorded of subscribers: their subscriptions, contact and payee.
///
/// # Errors
/// The database's.
pub async fn people(
    connection: &mut PgConnection,
    subscribers: &[String],
    recorded: Recorded,
) -> Result<BTreeMap<String, Base>, sqlx::Error> {
    let numbers: Vec<u64> =
        held(connection, subscribers).await?.into_iter().map(|(_, number)| number).collect();
    let mut people: BTreeMap<String, Base> = BTreeMap::new();
    if numbers.is_empty() {
        return Ok(people);
    }
    let states = match recorded {
        Recorded::Current => subscription::states(connection, &numbers).await?,
        Recorded::First => first(connection, &numbers).await?,
    };
    for row in states.values() {
        let base = people.entry(row.subscriber.clone()).or_default();
        base.holdings.insert(row.subscription.id.clone(), holding_of(row));
    }
    for (subscriber, person) in person::people(connection, subscribers).await? {
        let base = people.entry(subscriber).or_default();
        (base.contact, base.payee) = (person.contact, person.payee);
    }
    Ok(people)
}

/// Gives the numbers that subscribers have, as (subscriber, number).
pub(super) async fn held(
    connection: &mut PgConnection,
    subscribers: &[String],
) -> Result<Vec<(String, u64)>, sqlx::Error> {
    // One by one through the key: for a long list the server may otherwise take it for better to walk the whole table.
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select wanted.subscriber, held.number from unnest($1::text[]) as wanted (subscriber) \
         cross join lateral (select number from holder where holder.subscriber = wanted.subscriber offset 0) as held \
         order by wanted.subscriber, held.number",
    )
    .bind(subscribers)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(subscriber, number)| (subscriber, unsigned(number))).collect())
}

/// Gives subscriptions as they came to the roster.
async fn first(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, RosterRow>, sqlx::Error> {
    let text = format!(
        "select distinct on (number) {COLUMNS} from subscription where number = any($1) \
         order by number, recorded_at"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(numbers.iter().copied().map(signed).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    let mut states = BTreeMap::new();
    for row in &rows {
        let row = roster_row(row)?;
        states.insert(row.number, row);
    }
    let pages = roster_page::of(connection, numbers).await?;
    for number in numbers {
        if let Some((row, _)) = pages.row(*number)? {
            states.insert(*number, paged_row(*number, &row));
        }
    }
    Ok(states)
}

/// Gives the numbers that were set aside for subscriptions of these subscribers.
///
/// # Errors
/// The database's.
pub async fn reserved(
    connection: &mut PgConnection,
    subscribers: &[String],
) -> Result<BTreeMap<(String, String), u64>, sqlx::Error> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select subscriber, subscription, number from reserved_number where subscriber = any($1)",
    )
    .bind(subscribers)
    .fetch_all(connection)
    .await?;
    let entry = |(subscriber, subscription, number)| ((subscriber, subscription), unsigned(number));
    Ok(rows.into_iter().map(entry).collect())
}

fn holding_of(row: &RosterRow) -> Holding {
    let subscription = &row.subscription;
    let stretch = |period: &ristoro_domain::facts::Period| Stretch {
        profile: Arc::new(Profile {
            service: subscription.service.clone(),
            plan: period.plan.clone(),
            segment: subscription.segment,
            class: subscription.class,
            cohort: subscription.cohort.clone(),
            fee: period.fee.map(|fee| Money::new(fee.minor, fee.currency)),
            fee_period: period.fee_period,
        }),
        from: period.window.from,
        to: period.window.to,
    };
    Holding { number: row.number, stretches: subscription.periods.iter().map(stretch).collect() }
}
