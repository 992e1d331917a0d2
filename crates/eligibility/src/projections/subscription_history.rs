//! The recorded states of one subscription, for explanations.

use ristoro_runtime::stored::{signed, unsigned};
use sqlx::{PgConnection, Row};

/// Gives the offsets at which a subscription's states were recorded, below a pin, with what each says in words.
///
/// # Errors
/// The database's.
pub async fn recorded(
    connection: &mut PgConnection,
    number: u64,
    roster_offset: u64,
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "select recorded_at, service, plans from subscription where number = $1 and recorded_at < $2 \
         order by recorded_at",
    )
    .bind(signed(number))
    .bind(signed(roster_offset))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let plans: Vec<String> = row.try_get("plans")?;
            let service: &str = row.try_get("service")?;
            let text = format!("the roster has {service} on {}", plans.join(", then "));
            Ok((unsigned(row.try_get("recorded_at")?), text))
        })
        .collect()
}
