//! Readers of `holding` and `payee`: who somebody is, and the account of a payee as of a pin. Personal data.

use std::collections::BTreeMap;
use std::fmt;

use ristoro_runtime::stored::{signed, unsigned};
use sqlx::{PgConnection, Row};

/// An account as of a pin.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The IBAN.
    pub iban: String,
    /// The holder's name.
    pub name: String,
}

impl fmt::Debug for Account {
    /// Shows neither account nor name: a debug line may end in a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Account(..)")
    }
}

/// A subscription by its ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its number.
    pub number: u64,
    /// The provider's subscriber id.
    pub subscriber: String,
    /// The provider's subscription id.
    pub subscription: String,
    /// Whether no other subscriber has a subscription of this id.
    pub unique: bool,
}

/// Gives the accounts of subscriptions as of the roster's next offset; those without one are left out.
///
/// # Errors
/// The database's.
pub async fn accounts(
    connection: &mut PgConnection,
    numbers: &[u64],
    roster_offset: u64,
) -> Result<BTreeMap<u64, Account>, sqlx::Error> {
    let numbers: Vec<i64> = numbers.iter().copied().map(signed).collect();
    let rows = sqlx::query(
        "select number, iban, payee_name from holding \
         join payee on payee.subscriber = holding.subscriber \
         and payee.recorded_at < $2 and (payee.superseded_at is null or payee.superseded_at >= $2) \
         where number = any($1) and holding.recorded_at < $2 \
         and (holding.superseded_at is null or holding.superseded_at >= $2) \
         and iban is not null and payee_name is not null",
    )
    .bind(numbers)
    .bind(signed(roster_offset))
    .fetch_all(connection)
    .await?;
    let mut accounts = BTreeMap::new();
    for row in rows {
        let account = Account { iban: row.try_get("iban")?, name: row.try_get("payee_name")? };
        accounts.insert(unsigned(row.try_get("number")?), account);
    }
    Ok(accounts)
}

/// What tells whether a subscription's id is its alone.
const UNIQUE: &str = "not exists (select from holding as other where other.subscription = holding.subscription \
                      and other.number <> holding.number and other.superseded_at is null) as is_unique";

/// Gives the ids of subscriptions; unknown numbers are left out.
///
/// # Errors
/// The database's.
pub async fn members(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, Member>, sqlx::Error> {
    let numbers: Vec<i64> = numbers.iter().copied().map(signed).collect();
    let text = format!(
        "select number, subscriber, subscription, {UNIQUE} from holding \
         where number = any($1) and superseded_at is null"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(numbers).fetch_all(connection).await?;
    let mut members = BTreeMap::new();
    for row in &rows {
        let member = member(row)?;
        members.insert(member.number, member);
    }
    Ok(members)
}

/// A subscription as callers name it: the provider's id, and its subscriber's where the id is not its alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named<'a> {
    /// The provider's subscription id.
    pub subscription: &'a str,
    /// The provider's subscriber id, where it is given.
    pub subscriber: Option<&'a str>,
}

/// Finds the subscriptions that each name tells, in number order: none, one, or several where the name is not enough.
///
/// # Errors
/// The database's.
pub async fn find(
    connection: &mut PgConnection,
    names: &[Named<'_>],
) -> Result<Vec<Vec<Member>>, sqlx::Error> {
    let text = format!(
        "select place, number, subscriber, holding.subscription, {UNIQUE} \
         from unnest($1::text[], $2::text[]) with ordinality as wish (subscription, owner, place) \
         join holding on holding.subscription = wish.subscription and superseded_at is null \
         and (owner is null or subscriber = owner) order by place, number"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(names.iter().map(|name| name.subscription).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.subscriber).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let mut found = vec![Vec::new(); names.len()];
    for row in &rows {
        let place = unsigned(row.try_get("place")?);
        let place = usize::try_from(place).expect("names are few") - 1;
        found[place].push(member(row)?);
    }
    Ok(found)
}

fn member(row: &sqlx::postgres::PgRow) -> Result<Member, sqlx::Error> {
    Ok(Member {
        number: unsigned(row.try_get("number")?),
        subscriber: row.try_get("subscriber")?,
        subscription: row.try_get("subscription")?,
        unique: row.try_get("is_unique")?,
    })
}
