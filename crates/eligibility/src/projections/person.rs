//! How a subscriber is reached and paid. Personal data: shown masked unless the caller may see it.

use std::collections::BTreeMap;

use ristoro_domain::roster::{Contact, Payee};
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::holding::held;
use super::roster_page;

/// A person as the roster knows it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PersonRow {
    /// How the person is reached.
    pub contact: Contact,
    /// Where the person is paid.
    pub payee: Option<Payee>,
    /// The version of the subscriber's own stream.
    pub stream_version: u64,
}

/// Gives a person.
///
/// # Errors
/// The database's.
pub async fn find(
    connection: &mut PgConnection,
    subscriber: &str,
) -> Result<Option<PersonRow>, sqlx::Error> {
    let mut found = people(connection, &[subscriber.to_owned()]).await?;
    Ok(found.remove(subscriber))
}

/// Gives people: as events of their own made them, else as their first batch told.
///
/// # Errors
/// The database's.
pub(super) async fn people(
    connection: &mut PgConnection,
    subscribers: &[String],
) -> Result<BTreeMap<String, PersonRow>, sqlx::Error> {
    let rows = sqlx::query(
        "select subscriber, email, phone, locale, iban, payee_name, stream_version from person \
         where subscriber = any($1)",
    )
    .bind(subscribers)
    .fetch_all(&mut *connection)
    .await?;
    let entry = |row: &PgRow| Ok((row.try_get("subscriber")?, person_row(row)?));
    let mut people = rows.iter().map(entry).collect::<Result<BTreeMap<_, _>, sqlx::Error>>()?;
    let paged: Vec<String> =
        subscribers.iter().filter(|id| !people.contains_key(*id)).cloned().collect();
    if paged.is_empty() {
        return Ok(people);
    }
    let held = held(connection, &paged).await?;
    if held.is_empty() {
        return Ok(people);
    }
    let numbers: Vec<u64> = held.iter().map(|(_, number)| *number).collect();
    let pages = roster_page::of(connection, &numbers).await?;
    let mut told_at: BTreeMap<String, u64> = BTreeMap::new();
    for (subscriber, number) in held {
        let Some((row, recorded_at)) = pages.row(number)? else { continue };
        // The first batch tells, and in it the last row.
        if *told_at.entry(subscriber.clone()).or_insert(recorded_at) == recorded_at {
            let (contact, payee) = (row.contact, row.payee);
            people.insert(subscriber, PersonRow { contact, payee, stream_version: 0 });
        }
    }
    Ok(people)
}

/// Notes how far the subscriber's own stream is; the first time, what the batch told is kept as a row of its own.
pub(super) async fn note_version(
    tx: &mut PgConnection,
    subscriber: &str,
    version: u64,
) -> Result<(), sqlx::Error> {
    let person = find(tx, subscriber).await?.unwrap_or_default();
    let PersonRow { contact, payee, .. } = &person;
    sqlx::query(
        "insert into person (subscriber, email, phone, locale, iban, payee_name, stream_version) \
         values ($1, $2, $3, $4, $5, $6, $7) \
         on conflict (subscriber) do update set stream_version = excluded.stream_version",
    )
    .bind(subscriber)
    .bind(&contact.email)
    .bind(&contact.phone)
    .bind(&contact.locale)
    .bind(payee.as_ref().map(|payee| &payee.iban))
    .bind(payee.as_ref().map(|payee| &payee.name))
    .bind(signed(version))
    .execute(tx)
    .await
    .map(|_| ())
}

/// Sets how somebody is reached, whose row is there.
pub(super) async fn set_contact(
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

/// Sets where somebody is paid, whose row is there.
pub(super) async fn set_payee(
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

fn person_row(row: &PgRow) -> Result<PersonRow, sqlx::Error> {
    let contact = Contact {
        email: row.try_get("email")?,
        phone: row.try_get("phone")?,
        locale: row.try_get("locale")?,
    };
    let iban: Option<String> = row.try_get("iban")?;
    let name: Option<String> = row.try_get("payee_name")?;
    let payee = iban.map(|iban| Payee { iban, name: name.unwrap_or_default() });
    Ok(PersonRow { contact, payee, stream_version: unsigned(row.try_get("stream_version")?) })
}
