//! Subscriptions: as their page has them, or as append-only history where an event of their own followed, so that a scan
//! can read the roster of any pin.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::facts::{Class, FeePeriod, Period, Segment, Subscription};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::roster::{ImportRow, Profile};
use ristoro_domain::time::{Instant, Window};
use ristoro_runtime::stored::{instant, signed, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::roster_page;

/// The bits of a number below the partition.
const COUNT_BITS: u32 = 48;
/// Pages that a list reads at once.
const PAGES_A_LIST: i64 = 2;
/// How an open period's end is stored.
const OPEN: i64 = i64::MAX;

/// One state of a subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RosterRow {
    /// Its number.
    pub number: u64,
    /// The provider's subscriber id.
    pub subscriber: String,
    /// What a policy sees.
    pub subscription: Subscription,
}

/// Gives the states in a range of numbers, behind the first up to the last, that are not those of a batch, as of the pin
/// `roster_offset`: every record below that offset of the partition counts, none from it on.
///
/// # Errors
/// The database's, and `Decode` for a row that no version of this program wrote.
pub(super) async fn differing(
    connection: &mut PgConnection,
    (after, last): (u64, u64),
    roster_offset: u64,
) -> Result<BTreeMap<u64, RosterRow>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from subscription where number > $1 and number <= $2 \
         and recorded_at < $3 and (superseded_at is null or superseded_at >= $3)"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(signed(after))
        .bind(signed(last))
        .bind(signed(roster_offset))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| roster_row(row).map(|row| (row.number, row))).collect()
}

/// Finds the subscriptions with the provider's id, of one subscriber or of any; gives (number, subscriber) in number
/// order.
///
/// # Errors
/// The database's.
pub async fn find(
    connection: &mut PgConnection,
    subscription_id: &str,
    subscriber: Option<&str>,
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "select number, subscriber from holder where subscription = $1 \
         and ($2::text is null or subscriber = $2) order by number",
    )
    .bind(subscription_id)
    .bind(subscriber)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(number, subscriber)| (unsigned(number), subscriber)).collect())
}

/// Gives the provider's ids of numbers, as number -> (subscriber, subscription); unknown numbers are left out.
///
/// # Errors
/// The database's.
pub async fn ids(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, (String, String)>, sqlx::Error> {
    let states = states(connection, numbers).await?;
    let pair = |(number, row): (u64, RosterRow)| (number, (row.subscriber, row.subscription.id));
    Ok(states.into_iter().map(pair).collect())
}

/// The columns that `roster_row` reads.
pub(super) const COLUMNS: &str = "number, subscriber, subscription, service, segment, class, cohort, plans, fees_minor, \
                       currencies, fee_periods, valid_from, valid_to";

/// Gives subscriptions as they are now; unknown numbers are left out.
pub(super) async fn states(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, RosterRow>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from subscription where number = any($1) and superseded_at is null"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(numbers.iter().copied().map(signed).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    let mut states = rows
        .iter()
        .map(|row| roster_row(row).map(|row| (row.number, row)))
        .collect::<Result<BTreeMap<_, _>, _>>()?;
    let paged: Vec<u64> =
        numbers.iter().copied().filter(|number| !states.contains_key(number)).collect();
    if paged.is_empty() {
        return Ok(states);
    }
    let pages = roster_page::of(connection, &paged).await?;
    for number in paged {
        if let Some((row, _)) = pages.row(number)? {
            states.insert(number, paged_row(number, &row));
        }
    }
    Ok(states)
}

/// Gives a subscription as it is now.
///
/// # Errors
/// The database's.
pub async fn current(
    connection: &mut PgConnection,
    number: u64,
) -> Result<Option<RosterRow>, sqlx::Error> {
    Ok(states(connection, &[number]).await?.remove(&number))
}

/// Lists subscriptions as they are now, of a (subscriber, service) or of all, in number order after a number.
///
/// # Errors
/// The database's.
pub async fn list(
    connection: &mut PgConnection,
    (subscriber, service): (Option<&str>, Option<&str>),
    after: u64,
    limit: usize,
) -> Result<Vec<RosterRow>, sqlx::Error> {
    let mut found = Vec::new();
    let (mut after, mut through) = (after, false);
    while found.len() < limit && !through {
        let numbers = match subscriber {
            Some(subscriber) => {
                through = true;
                held_by(connection, subscriber, after).await?
            }
            None => next_numbers(connection, after).await?,
        };
        let Some(last) = numbers.last() else { break };
        after = *last;
        let states = states(connection, &numbers).await?.into_values();
        let fits = |row: &RosterRow| service.is_none_or(|name| row.subscription.service == name);
        found.extend(states.filter(fits));
    }
    found.truncate(limit);
    Ok(found)
}

/// Gives the numbers of a subscriber behind a number, ascending.
async fn held_by(
    connection: &mut PgConnection,
    subscriber: &str,
    after: u64,
) -> Result<Vec<u64>, sqlx::Error> {
    let rows: Vec<(i64,)> = sqlx::query_as(
        "select number from holder where subscriber = $1 and number > $2 order by number",
    )
    .bind(subscriber)
    .bind(signed(after))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(number,)| unsigned(number)).collect())
}

/// Gives the next numbers that somebody has, ascending: some of those of pages, and of those that lie in none.
async fn next_numbers(connection: &mut PgConnection, after: u64) -> Result<Vec<u64>, sqlx::Error> {
    let pages = roster_page::behind(connection, after, PAGES_A_LIST).await?;
    let last = pages.last_number().unwrap_or(i64::MAX as u64);
    let rows: Vec<(i64,)> = sqlx::query_as(
        "select distinct number from subscription where number > $1 and number <= $2",
    )
    .bind(signed(after))
    .bind(signed(last))
    .fetch_all(connection)
    .await?;
    let mut numbers: BTreeSet<u64> = rows.into_iter().map(|(number,)| unsigned(number)).collect();
    numbers.extend(pages.numbers().filter(|number| *number > after));
    Ok(numbers.into_iter().collect())
}

/// Gives what was reported of a subscription, in order of time: when, and what did not work.
///
/// # Errors
/// The database's.
pub async fn trouble(
    connection: &mut PgConnection,
    number: u64,
) -> Result<Vec<(Instant, String)>, sqlx::Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "select reported_at, component from report where number = $1 order by reported_at, recorded_at",
    )
    .bind(signed(number))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(at, component)| Ok((instant(at)?, component))).collect()
}

/// Gives when trouble was reported in a range of numbers as of a pin, in order of time.
pub(super) async fn reports(
    connection: &mut PgConnection,
    (after, last): (u64, u64),
    roster_offset: u64,
) -> Result<BTreeMap<u64, Vec<Instant>>, sqlx::Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "select number, reported_at from report where number > $1 and number <= $2 and recorded_at < $3 \
         order by number, reported_at, recorded_at",
    )
    .bind(signed(after))
    .bind(signed(last))
    .bind(signed(roster_offset))
    .fetch_all(connection)
    .await?;
    let mut reports: BTreeMap<u64, Vec<Instant>> = BTreeMap::new();
    for (number, reported_at) in rows {
        reports.entry(unsigned(number)).or_default().push(instant(reported_at)?);
    }
    Ok(reports)
}

pub(super) fn roster_row(row: &PgRow) -> Result<RosterRow, sqlx::Error> {
    let subscription = Subscription {
        id: row.try_get("subscription")?,
        service: row.try_get("service")?,
        segment: segment(row.try_get("segment")?)?,
        class: class(row.try_get("class")?)?,
        cohort: row.try_get("cohort")?,
        quota_bytes: None,
        term_end: None,
        in_arrears: false,
        periods: periods(row)?,
    };
    Ok(RosterRow {
        number: unsigned(row.try_get("number")?),
        subscriber: row.try_get("subscriber")?,
        subscription,
    })
}

/// Makes the row of a number that is as its page has it.
pub(super) fn paged_row(number: u64, row: &ImportRow) -> RosterRow {
    let window = Window { from: row.valid_from, to: row.valid_to };
    let subscription = imported(row.subscription.clone(), &row.profile, window);
    RosterRow { number, subscriber: row.subscriber.clone(), subscription }
}

/// Makes the subscription that a batch brought.
pub(super) fn imported(id: String, profile: &Profile, window: Window) -> Subscription {
    let period = Period {
        plan: profile.plan.clone(),
        fee: profile.fee,
        fee_period: profile.fee_period,
        window,
    };
    Subscription {
        id,
        service: profile.service.clone(),
        segment: profile.segment,
        class: profile.class,
        cohort: profile.cohort.clone(),
        quota_bytes: None,
        term_end: None,
        in_arrears: false,
        periods: vec![period],
    }
}

fn periods(row: &PgRow) -> Result<Vec<Period>, sqlx::Error> {
    let plans: Vec<String> = row.try_get("plans")?;
    let fees: Vec<Option<i64>> = row.try_get("fees_minor")?;
    let currencies: Vec<Option<String>> = row.try_get("currencies")?;
    let fee_periods: Vec<i16> = row.try_get("fee_periods")?;
    let valid_from: Vec<i64> = row.try_get("valid_from")?;
    let valid_to: Vec<i64> = row.try_get("valid_to")?;
    let lengths =
        [fees.len(), currencies.len(), fee_periods.len(), valid_from.len(), valid_to.len()];
    if lengths.iter().any(|length| *length != plans.len()) {
        return Err(undecodable("the columns of the periods differ in length".to_owned()));
    }
    let mut periods = Vec::with_capacity(plans.len());
    for (place, plan) in plans.into_iter().enumerate() {
        let to = match valid_to[place] {
            OPEN => None,
            end => Some(instant(end)?),
        };
        periods.push(Period {
            plan,
            fee: fee(fees[place], currencies[place].as_deref())?,
            fee_period: fee_period(fee_periods[place])?,
            window: Window { from: instant(valid_from[place])?, to },
        });
    }
    Ok(periods)
}

fn fee(minor: Option<i64>, currency: Option<&str>) -> Result<Option<Money>, sqlx::Error> {
    let (Some(minor), Some(code)) = (minor, currency) else { return Ok(None) };
    let currency: Currency = code.parse().map_err(|error| undecodable(format!("{error}")))?;
    Ok(Some(Money::new(minor, currency)))
}

fn segment(code: i16) -> Result<Segment, sqlx::Error> {
    match code {
        1 => Ok(Segment::Consumer),
        2 => Ok(Segment::Business),
        other => Err(undecodable(format!("{other} is no segment"))),
    }
}

fn class(code: i16) -> Result<Class, sqlx::Error> {
    match code {
        1 => Ok(Class::Principal),
        2 => Ok(Class::Accessory),
        3 => Ok(Class::Free),
        other => Err(undecodable(format!("{other} is no class"))),
    }
}

fn fee_period(code: i16) -> Result<FeePeriod, sqlx::Error> {
    match code {
        1 => Ok(FeePeriod::Month),
        2 => Ok(FeePeriod::Year),
        other => Err(undecodable(format!("{other} is no fee period"))),
    }
}

pub(super) fn undecodable(problem: String) -> sqlx::Error {
    sqlx::Error::Decode(problem.into())
}

/// The number below a partition's first.
pub(super) fn first_of(partition: u32) -> i64 {
    i64::from(partition) << COUNT_BITS
}
