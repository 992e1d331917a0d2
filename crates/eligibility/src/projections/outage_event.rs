//! Outages as this service sees them: their events as they stand on the log, folded when a decision needs the facts.

use futures::future::BoxFuture;
use ristoro_domain::outage;
use ristoro_log::{Position, Topic};
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{fold_events, signed, small};
use sqlx::{PgConnection, Row};

use super::stored::{StoredEvent, stored_event};

/// Folds outage.v1 into `outage_event`.
#[derive(Debug)]
pub struct OutageEvents;

impl Projection for OutageEvents {
    fn name(&self) -> &'static str {
        "eligibility.outages"
    }

    fn topic(&self) -> Topic {
        Topic::Outage
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                let Some(id) = record.envelope.stream.strip_prefix("outage/") else { continue };
                // A record that cannot be folded later must stop here, not in the middle of a decision.
                decode::<outage::Event>(record)?;
                insert(tx, id, record).await?;
            }
            Ok(())
        })
    }
}

async fn insert(tx: &mut PgConnection, id: &str, record: &Accepted) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into outage_event (outage, version, partition, record_offset, kind, occurred_at, actor, \
         traceparent, payload) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(signed(record.envelope.version))
    .bind(small(record.position.partition))
    .bind(signed(record.position.offset))
    .bind(&record.envelope.kind)
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(&record.envelope.actor)
    .bind(&record.envelope.traceparent)
    .bind(record.envelope.payload.as_ref())
    .execute(tx)
    .await
    .map(|_| ())
}

/// An outage as of one of its events.
#[derive(Debug)]
pub struct OutageAsOf {
    /// Everything that is known of it.
    pub state: outage::Outage,
    /// The position of the last event that counts.
    pub position: Position,
}

/// Gives the events of an outage up to and including the pinned position; all where none is given.
///
/// # Errors
/// The database's.
pub async fn events(
    connection: &mut PgConnection,
    id: &str,
    up_to: Option<Position>,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let last = up_to.map_or(i64::MAX, |position| signed(position.offset));
    sqlx::query(
        "select version, partition, record_offset, kind, occurred_at, actor, traceparent, payload \
         from outage_event \
         where outage = $1 and record_offset <= $2 order by version",
    )
    .bind(id)
    .bind(last)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| stored_event(row, Topic::Outage, format!("outage/{id}")))
    .collect()
}

/// Gives an outage as of a pinned position, or as it is now; none where it is not known.
///
/// # Errors
/// The database's, and `Decode` for a payload that no version of this program wrote.
pub async fn read(
    connection: &mut PgConnection,
    id: &str,
    up_to: Option<Position>,
) -> Result<Option<OutageAsOf>, sqlx::Error> {
    let stored = events(connection, id, up_to).await?;
    let Some(last) = stored.last() else { return Ok(None) };
    let position = last.position;
    let events = stored.iter().map(|event| (event.kind.as_str(), &event.payload));
    Ok(Some(OutageAsOf { state: fold_events::<outage::Outage>(events)?, position }))
}

/// Tells whether the outage's event at a position is there.
///
/// # Errors
/// The database's.
pub async fn has_passed(
    connection: &mut PgConnection,
    position: Position,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "select exists (select from outage_event where partition = $1 and record_offset = $2) as there",
    )
    .bind(small(position.partition))
    .bind(signed(position.offset))
    .fetch_one(connection)
    .await?;
    row.try_get("there")
}
