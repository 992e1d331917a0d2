//! What is asked of the tables of outages.

use ristoro_domain::outage::StatedImpact;
use ristoro_domain::time::Instant;
use sqlx::PgConnection;

use super::state::{Known, load};
use super::stored::micros;

/// Which outages are listed; none for all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only this provider's.
    pub provider: Option<String>,
    /// Only in this state: open, resolved, withdrawn.
    pub state: Option<&'static str>,
    /// Only those that something of was down at this time.
    pub open_at: Option<Instant>,
}

/// Where a list goes on: after this begin and id, downwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutageKey {
    /// When the outage began, in microseconds.
    pub began_at: i64,
    /// Its id.
    pub outage: String,
}

/// Gives one outage.
///
/// # Errors
/// The database's.
pub async fn find(connection: &mut PgConnection, id: &str) -> Result<Option<Known>, sqlx::Error> {
    Ok(load(connection, &[id.to_owned()]).await?.remove(id))
}

/// Tells whether an outage is known.
///
/// # Errors
/// The database's.
pub async fn exists(connection: &mut PgConnection, id: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from outage where outage = $1)")
        .bind(id)
        .fetch_one(connection)
        .await
}

/// Lists outages by begin, the newest first, each with its key.
///
/// # Errors
/// The database's.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    after: Option<&OutageKey>,
    limit: i64,
) -> Result<Vec<(OutageKey, Known)>, sqlx::Error> {
    let keys: Vec<(i64, String)> = sqlx::query_as(
        "select o.began_at, o.outage from outage o \
         where ($1::text is null or o.provider = $1) and ($2::text is null or o.state = $2) \
         and ($3::bigint is null or (o.state <> 'withdrawn' and (exists (select from impact i \
         where i.outage = o.outage and i.began_at <= $3 and (i.down_until is null or i.down_until > $3)) \
         or (not exists (select from impact i where i.outage = o.outage) \
         and o.began_at <= $3 and (o.ended_at is null or o.ended_at > $3))))) \
         and ($4::bigint is null or (o.began_at, o.outage) < ($4, $5)) \
         order by o.began_at desc, o.outage desc limit $6",
    )
    .bind(&filter.provider)
    .bind(filter.state)
    .bind(filter.open_at.map(micros))
    .bind(after.map(|key| key.began_at))
    .bind(after.map(|key| &key.outage))
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<String> = keys.iter().map(|(_, id)| id.clone()).collect();
    let mut outages = load(connection, &ids).await?;
    let with_key = |(began_at, id): (i64, String)| {
        let known = outages.remove(&id)?;
        Some((OutageKey { began_at, outage: id }, known))
    };
    Ok(keys.into_iter().filter_map(with_key).collect())
}

/// Finds the outage that a source already tells of.
///
/// # Errors
/// The database's.
pub async fn of_source(
    connection: &mut PgConnection,
    source: &str,
) -> Result<Option<String>, sqlx::Error> {
    let found: Option<Option<String>> =
        sqlx::query_scalar("select min(outage) from outage_source where source = $1")
            .bind(source)
            .fetch_optional(connection)
            .await?;
    Ok(found.flatten())
}

/// Finds the earliest outage that another feed or a person tells of and that these impacts are part of: of the
/// provider, with one of the components of the same service, at an overlapping time.
///
/// An outage that the same feed tells of under another id is another outage: the source says so.
///
/// # Errors
/// The database's.
pub async fn overlapping(
    connection: &mut PgConnection,
    provider: &str,
    feed: &str,
    impacts: &[StatedImpact],
) -> Result<Option<String>, sqlx::Error> {
    let components: Vec<&str> = impacts.iter().map(|impact| impact.component.as_str()).collect();
    let services: Vec<Option<&str>> =
        impacts.iter().map(|impact| impact.service.as_deref()).collect();
    let from: Vec<i64> = impacts.iter().map(|impact| micros(impact.window.from)).collect();
    let to: Vec<Option<i64>> = impacts.iter().map(|impact| impact.window.to.map(micros)).collect();
    sqlx::query_scalar(
        "select o.outage from outage o where o.provider = $1 and o.state <> 'withdrawn' \
         and not exists (select from outage_source s \
         where s.outage = o.outage and starts_with(s.source, $2 || '/')) \
         and exists (select from impact i, \
         unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[]) as n (component, service, began_at, ended_at) \
         where i.outage = o.outage and i.component = n.component \
         and (i.service is null or n.service is null or i.service = n.service) \
         and (n.ended_at is null or i.began_at < n.ended_at) \
         and (i.down_until is null or i.down_until > n.began_at)) \
         order by o.began_at, o.outage limit 1",
    )
    .bind(provider)
    .bind(feed)
    .bind(components)
    .bind(services)
    .bind(from)
    .bind(to)
    .fetch_optional(connection)
    .await
}
