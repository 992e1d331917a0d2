//! Readers of the roster: who somebody is, and the account of a payee as of a pin. Personal data.

use std::collections::BTreeMap;
use std::fmt;

use ristoro_domain::roster::{ImportRow, Payee};
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::{PgConnection, Row};

use super::page;

/// An account as of a pin.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The IBAN.
    pub iban: String,
    /// The holder's name.
    pub name: String,
}

impl Account {
    /// Makes the account of a payee.
    pub(super) fn of(payee: Payee) -> Self {
        Self { iban: payee.iban, name: payee.name }
    }
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
    let rows = page::rows(connection, numbers, signed(roster_offset)).await?;
    let told = |(number, row): (u64, ImportRow)| Some((number, Account::of(row.payee?)));
    let mut accounts: BTreeMap<u64, Account> = rows.into_iter().filter_map(told).collect();
    let differing = sqlx::query(
        "select number, iban, payee_name from payee where number = any($1) \
         and recorded_at < $2 and (superseded_at is null or superseded_at >= $2)",
    )
    .bind(numbers.iter().copied().map(signed).collect::<Vec<_>>())
    .bind(signed(roster_offset))
    .fetch_all(connection)
    .await?;
    for row in &differing {
        let number = unsigned(row.try_get("number")?);
        let iban: Option<String> = row.try_get("iban")?;
        match iban.zip(row.try_get("payee_name")?) {
            Some((iban, name)) => accounts.insert(number, Account { iban, name }),
            None => accounts.remove(&number),
        };
    }
    Ok(accounts)
}

/// What is shown of a holder, with whether a subscription's id is its alone.
const MEMBER: &str = "number, subscriber, holder.subscription, \
                      not exists (select from holder as other where other.subscription = holder.subscription \
                      and other.number <> holder.number) as is_unique";

/// Gives the ids of subscriptions; unknown numbers are left out.
///
/// # Errors
/// The database's.
pub async fn members(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, Member>, sqlx::Error> {
    let rows = page::rows(connection, numbers, i64::MAX).await?;
    let (mut subscribers, mut subscriptions): (Vec<String>, Vec<String>) =
        rows.into_values().map(|row| (row.subscriber, row.subscription)).unzip();
    // Numbers that were set aside lie in no page.
    let further: Vec<(String, String)> = sqlx::query_as(
        "select subscriber, subscription from holding where number = any($1) and superseded_at is null",
    )
    .bind(numbers.iter().copied().map(signed).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    for (subscriber, subscription) in further {
        subscribers.push(subscriber);
        subscriptions.push(subscription);
    }
    let text = format!(
        "select {MEMBER} from unnest($1::text[], $2::text[]) as wanted (owner, id) \
         join holder on holder.subscriber = owner and holder.subscription = id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(subscribers)
        .bind(subscriptions)
        .fetch_all(connection)
        .await?;
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
        "select place, {MEMBER} \
         from unnest($1::text[], $2::text[]) with ordinality as wish (subscription, owner, place) \
         join holder on holder.subscription = wish.subscription \
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
