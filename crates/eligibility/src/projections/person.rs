//! How a subscriber is reached and paid. Personal data: shown masked unless the caller may see it.

use ristoro_runtime::stored::unsigned;
use sqlx::{PgConnection, Row};

/// A person as the roster knows it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PersonRow {
    /// The address for notices.
    pub email: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// The language.
    pub locale: Option<String>,
    /// The account.
    pub iban: Option<String>,
    /// The account's holder.
    pub payee_name: Option<String>,
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
    let row = sqlx::query(
        "select email, phone, locale, iban, payee_name, stream_version from person where subscriber = $1",
    )
    .bind(subscriber)
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(PersonRow {
            email: row.try_get("email")?,
            phone: row.try_get("phone")?,
            locale: row.try_get("locale")?,
            iban: row.try_get("iban")?,
            payee_name: row.try_get("payee_name")?,
            stream_version: unsigned(row.try_get("stream_version")?),
        })
    })
    .transpose()
}
