//! Outages as their events stand on the log, folded when somebody asks whose mailbox is back.

use bytes::Bytes;
use futures::future::BoxFuture;
use ristoro_domain::outage;
use ristoro_log::{Position, Topic};
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{fold_events, signed, small, unsigned, unsigned_small};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

/// Folds outage.v1 into `outage_event`.
#[derive(Debug)]
pub struct OutageEvents;

/// An outage as of its last event.
#[derive(Debug)]
pub struct OutageNow {
    /// Everything that is known of it.
    pub state: outage::Outage,
    /// The version of its last event.
    pub version: u64,
    /// The position of its last event.
    pub position: Position,
}

impl Projection for OutageEvents {
    fn name(&self) -> &'static str {
        "notifier.outages"
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
                // What cannot be read must stop here, not later in the middle of a dispatch.
                decode::<outage::Event>(record)?;
                insert(tx, id, record).await?;
            }
            Ok(())
        })
    }
}

async fn insert(tx: &mut PgConnection, id: &str, record: &Accepted) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into outage_event (outage, version, partition, record_offset, kind, payload) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(signed(record.envelope.version))
    .bind(small(record.position.partition))
    .bind(signed(record.position.offset))
    .bind(&record.envelope.kind)
    .bind(record.envelope.payload.as_ref())
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives the version of an outage's last event; zero where the outage is not known.
///
/// # Errors
/// The database's.
pub async fn version(connection: &mut PgConnection, id: &str) -> Result<u64, sqlx::Error> {
    let row = sqlx::query(
        "select coalesce(max(version), 0) as version from outage_event where outage = $1",
    )
    .bind(id)
    .fetch_one(connection)
    .await?;
    row.try_get("version").map(unsigned)
}

/// Gives an outage as it is now; none where it is not known.
///
/// # Errors
/// The database's, and `Decode` for a payload that no version of this program wrote.
pub async fn read(
    connection: &mut PgConnection,
    id: &str,
) -> Result<Option<OutageNow>, sqlx::Error> {
    let rows = sqlx::query(
        "select version, partition, record_offset, kind, payload from outage_event \
         where outage = $1 order by version",
    )
    .bind(id)
    .fetch_all(connection)
    .await?;
    let Some(last) = rows.last() else { return Ok(None) };
    let position = Position {
        topic: Topic::Outage,
        partition: unsigned_small(last.try_get("partition")?),
        offset: unsigned(last.try_get("record_offset")?),
    };
    let version = unsigned(last.try_get("version")?);
    let payload = |row: &PgRow| -> Result<(String, Bytes), sqlx::Error> {
        Ok((row.try_get("kind")?, row.try_get::<Vec<u8>, _>("payload")?.into()))
    };
    let events = rows.iter().map(payload).collect::<Result<Vec<_>, _>>()?;
    let events = events.iter().map(|(kind, payload)| (kind.as_str(), payload));
    Ok(Some(OutageNow { state: fold_events::<outage::Outage>(events)?, version, position }))
}
