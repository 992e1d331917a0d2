//! The log in a Postgres: one table of records with dense offsets per partition, for one machine without a broker.
//!
//! An append moves its partition's `next_offset` and writes its rows in one statement, so it holds the partition's row
//! lock until it is committed: offsets are dense, and whoever sees an offset sees all before it. As durable as the
//! server's `synchronous_commit` says.

mod news;
mod reader;
mod tables;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use crate::append::RawRecord;
use crate::genesis::LogIdentity;
use crate::plan::TopicPlan;
use crate::port::{LogError, Record};
use crate::position::Position;
use crate::topic::Topic;
use news::News;
pub use reader::PostgresReader;

/// An append that is not committed by then counts as unknown.
const APPEND_LIMIT: Duration = Duration::from_secs(15);
/// A free connection is there by then, or the log is unavailable.
const CONNECTION_LIMIT: Duration = Duration::from_secs(5);
/// Connections of one log at most; readers and appends borrow them for one statement.
const CONNECTIONS: u32 = 8;
/// Bytes of values in one statement at most.
const STATEMENT_BYTES: usize = 16 << 20;

/// A log in a Postgres.
#[derive(Clone)]
pub struct PostgresLog {
    identity: LogIdentity,
    pool: PgPool,
    news: Arc<News>,
}

impl fmt::Debug for PostgresLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PostgresLog({})", self.identity.log_id)
    }
}

impl PostgresLog {
    /// Opens a log and checks that all its partitions are there and begin with the same log's genesis.
    ///
    /// # Errors
    /// `Missing`, `Foreign`, `Unavailable`.
    pub async fn open(url: &str) -> Result<Self, LogError> {
        let pool = connect(url).await?;
        let identity = tables::identity(&pool).await?;
        Self::with(pool, identity).await
    }

    /// Makes what is missing of a log, in one transaction, and opens it. Safe to be called by many at once.
    ///
    /// # Errors
    /// `Foreign` where a log with another partition count is there; `Unavailable`.
    pub async fn create(url: &str, log_id: Uuid, partition_count: u32) -> Result<Self, LogError> {
        let pool = connect(url).await?;
        let wanted = LogIdentity::founded_now(log_id, partition_count);
        tables::make(&pool, &wanted, tables::FirstRecords::Written).await?;
        let identity = tables::identity(&pool).await?;
        if identity.partition_count != partition_count {
            return Err(LogError::Foreign(format!(
                "the log has {} partitions and not {partition_count}, which nothing can change",
                identity.partition_count
            )));
        }
        Self::with(pool, identity).await
    }

    /// Makes the partitions without their first records, for a copy that brings them along.
    pub(crate) async fn for_copy(url: &str, identity: LogIdentity) -> Result<Self, LogError> {
        let pool = connect(url).await?;
        tables::make(&pool, &identity, tables::FirstRecords::LeftToCopy).await?;
        Self::with(pool, identity).await
    }

    /// Gives what is there of a log.
    ///
    /// # Errors
    /// `Unavailable`, `Foreign` where a first record is none.
    pub async fn plan(url: &str) -> Result<TopicPlan, LogError> {
        tables::plan(&connect(url).await?).await
    }

    async fn with(pool: PgPool, identity: LogIdentity) -> Result<Self, LogError> {
        let news = Arc::new(News::start(&pool).await?);
        Ok(Self { identity, pool, news })
    }

    /// Gives the log's identity.
    #[must_use]
    pub fn identity(&self) -> LogIdentity {
        self.identity
    }

    /// Appends encoded records; see the port. Of one call all records are written or none.
    pub(crate) async fn append(&self, records: &[RawRecord]) -> Result<Vec<u64>, LogError> {
        // In one order, so that two appends never wait for each other's partition.
        let mut partitions: BTreeMap<(Topic, u32), Vec<usize>> = BTreeMap::new();
        for (place, record) in records.iter().enumerate() {
            partitions.entry((record.topic, record.partition)).or_default().push(place);
        }
        let write = async {
            let mut transaction = self.pool.begin().await.map_err(|error| failure(&error))?;
            let outcome = append_all(&mut transaction, records, &partitions).await;
            match outcome {
                Ok(offsets) => {
                    transaction.commit().await.map_err(|error| failure(&error))?;
                    Ok(offsets)
                }
                Err(error) => {
                    // Awaited, since a transaction that is only dropped keeps its locks for a while.
                    transaction.rollback().await.map_err(|error| failure(&error))?;
                    Err(error)
                }
            }
        };
        let outcome = tokio::time::timeout(APPEND_LIMIT, write).await;
        outcome
            .map_err(|_| LogError::Unavailable("Postgres: an append took too long".to_owned()))?
    }

    /// Opens a reader; see the port.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reader(&self, assignment: &[Position]) -> Result<PostgresReader, LogError> {
        let ends = tables::ends(&self.pool).await?;
        Ok(PostgresReader::new(self.pool.clone(), Arc::clone(&self.news), ends, assignment))
    }

    /// Gives the offset of the next record of each partition.
    ///
    /// # Errors
    /// `Missing`, `Unavailable`.
    pub async fn end_offsets(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        let ends = tables::ends(&self.pool).await?;
        let end = |partition| {
            let end = ends.get(&(topic, partition)).copied();
            end.ok_or(LogError::Missing { topic, partition })
        };
        (0..self.identity.partition_count).map(end).collect()
    }

    /// Gives single records; see the port.
    ///
    /// # Errors
    /// `Unavailable`, `Foreign` where a record is no longer there.
    pub async fn read_many(&self, positions: &[Position]) -> Result<Vec<Option<Record>>, LogError> {
        tables::read_many(&self.pool, positions).await
    }
}

async fn append_all(
    connection: &mut PgConnection,
    records: &[RawRecord],
    partitions: &BTreeMap<(Topic, u32), Vec<usize>>,
) -> Result<Vec<u64>, LogError> {
    let mut offsets = vec![0; records.len()];
    for ((topic, partition), places) in partitions {
        let mut rest = &places[..];
        while !rest.is_empty() {
            let (count, values) = next_values(records, rest);
            let first = append_some(connection, (*topic, *partition), &values).await?;
            for (offset, place) in (first..).zip(&rest[..count]) {
                offsets[*place] = offset;
            }
            rest = &rest[count..];
        }
    }
    Ok(offsets)
}

/// Takes as many values as one statement may carry, one at least.
fn next_values<'a>(records: &'a [RawRecord], places: &[usize]) -> (usize, Vec<&'a [u8]>) {
    let (mut values, mut bytes) = (Vec::new(), 0);
    for place in places {
        let value: &Bytes = &records[*place].value;
        bytes += value.len();
        if !values.is_empty() && bytes > STATEMENT_BYTES {
            break;
        }
        values.push(&value[..]);
    }
    (values.len(), values)
}

/// Appends to one partition and gives the first record's offset.
async fn append_some(
    connection: &mut PgConnection,
    (topic, partition): (Topic, u32),
    values: &[&[u8]],
) -> Result<u64, LogError> {
    let missing = || LogError::Missing { topic, partition };
    let row = sqlx::query(
        "WITH taken AS (
             UPDATE ristoro_log.partition SET next_offset = next_offset + cardinality($3)
             WHERE topic = $1 AND partition = $2
             RETURNING next_offset - cardinality($3) AS first
         ), written AS (
             INSERT INTO ristoro_log.record (topic, partition, \"offset\", value)
             SELECT $1, $2, taken.first + value.place - 1, value.bytes
             FROM taken, UNNEST($3) WITH ORDINALITY AS value (bytes, place)
         )
         SELECT first, pg_notify('ristoro_log', concat_ws('/', $1, $2, first + cardinality($3)))
         FROM taken",
    )
    .bind(tables::topic_number(topic))
    .bind(i32::try_from(partition).map_err(|_| missing())?)
    .bind(values)
    .fetch_optional(connection)
    .await
    .map_err(|error| failure(&error))?;
    let first: i64 = row.ok_or_else(missing)?.get("first");
    Ok(first.unsigned_abs())
}

async fn connect(url: &str) -> Result<PgPool, LogError> {
    let options = PgPoolOptions::new().max_connections(CONNECTIONS);
    match options.acquire_timeout(CONNECTION_LIMIT).connect(url).await {
        Ok(pool) => Ok(pool),
        // The pool tries again where nobody listens, and at last only says that the time is up: one more try tells why.
        Err(sqlx::Error::PoolTimedOut) => {
            let once = tokio::time::timeout(CONNECTION_LIMIT, PgConnection::connect(url)).await;
            let reason = once.ok().and_then(Result::err).unwrap_or(sqlx::Error::PoolTimedOut);
            Err(failure(&reason))
        }
        Err(error) => Err(failure(&error)),
    }
}

/// Maps a database error; a log whose tables are not there has not been created.
fn failure(error: &sqlx::Error) -> LogError {
    const UNDEFINED_TABLE: &str = "42P01";
    let code = error.as_database_error().and_then(|error| error.code());
    if code.as_deref() == Some(UNDEFINED_TABLE) {
        let Position { topic, partition, .. } = crate::genesis::FOUNDING_PARTITION;
        return LogError::Missing { topic, partition };
    }
    LogError::Unavailable(format!("Postgres: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_append_is_cut_into_statements() {
        let record = |bytes: usize| RawRecord {
            topic: Topic::Ops,
            partition: 0,
            value: Bytes::from(vec![0; bytes]),
        };
        let records = [record(STATEMENT_BYTES / 2), record(STATEMENT_BYTES / 2), record(1)];
        assert_eq!(next_values(&records, &[0, 1, 2]).0, 2);
        assert_eq!(next_values(&records, &[2]).0, 1);
        let huge = [record(STATEMENT_BYTES + 1), record(1)];
        assert_eq!(next_values(&huge, &[0, 1]).0, 1);
    }
}
