//! The recorded states of one subscription, for explanations.

use ristoro_domain::roster::Profile;
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::{PgConnection, Row};

use super::roster_page;

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
    .fetch_all(&mut *connection)
    .await?;
    let told = |service: &str, plans: &[String]| {
        format!("the roster has {service} on {}", plans.join(", then "))
    };
    let mut states = Vec::new();
    if let Some((row, recorded_at)) = roster_page::of(connection, &[number]).await?.row(number)?
        && recorded_at < roster_offset
    {
        let Profile { service, plan, .. } = row.profile.as_ref();
        states.push((recorded_at, told(service, std::slice::from_ref(plan))));
    }
    for row in &rows {
        let plans: Vec<String> = row.try_get("plans")?;
        let recorded_at = unsigned(row.try_get("recorded_at")?);
        states.push((recorded_at, told(row.try_get("service")?, &plans)));
    }
    Ok(states)
}
