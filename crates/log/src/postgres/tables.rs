//! The tables, what they say of the log, and single records.

use std::collections::BTreeMap;

use bytes::Bytes;
use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Row};

use super::failure;
use crate::genesis::{FOUNDING_PARTITION, LogIdentity, all_partitions};
use crate::plan::{PlannedTopic, TopicPlan};
use crate::port::{LogError, Record};
use crate::position::Position;
use crate::topic::Topic;

/// Whether a log is made with its first records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FirstRecords {
    /// It is.
    Written,
    /// A copy brings them.
    LeftToCopy,
}

/// Only one process at a time makes tables: `CREATE ... IF NOT EXISTS` alone fails where two are at it.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('ristoro_log', 0))";

const TABLES: [&str; 3] = [
    "CREATE SCHEMA IF NOT EXISTS ristoro_log",
    "CREATE TABLE IF NOT EXISTS ristoro_log.partition (
         topic smallint NOT NULL,
         partition integer NOT NULL,
         next_offset bigint NOT NULL,
         PRIMARY KEY (topic, partition)
     ) WITH (fillfactor = 20)",
    "CREATE TABLE IF NOT EXISTS ristoro_log.record (
         topic smallint NOT NULL,
         partition integer NOT NULL,
         \"offset\" bigint NOT NULL,
         value bytea NOT NULL,
         PRIMARY KEY (topic, partition, \"offset\")
     )",
];

/// Gives a topic's number in the tables. It never changes.
pub(super) fn topic_number(topic: Topic) -> i16 {
    match topic {
        Topic::Signal => 1,
        Topic::Outage => 2,
        Topic::Subscriber => 3,
        Topic::Policy => 4,
        Topic::Settlement => 5,
        Topic::Entitlement => 6,
        Topic::Claim => 7,
        Topic::Payout => 8,
        Topic::Notice => 9,
        Topic::Ops => 10,
    }
}

/// Gives the topic of a number.
pub(super) fn topic_of(number: i16) -> Option<Topic> {
    Topic::ALL.into_iter().find(|topic| topic_number(*topic) == number)
}

/// Makes tables and partitions that are missing, unless a log is there already.
pub(super) async fn make(
    pool: &PgPool,
    identity: &LogIdentity,
    first_records: FirstRecords,
) -> Result<(), LogError> {
    let mut transaction = pool.begin().await.map_err(|error| failure(&error))?;
    let outcome = make_within(&mut transaction, identity, first_records).await;
    match outcome {
        Ok(()) => transaction.commit().await.map_err(|error| failure(&error)),
        Err(error) => {
            transaction.rollback().await.map_err(|error| failure(&error))?;
            Err(failure(&error))
        }
    }
}

async fn make_within(
    connection: &mut PgConnection,
    identity: &LogIdentity,
    first_records: FirstRecords,
) -> Result<(), sqlx::Error> {
    sqlx::query(LOCK).execute(&mut *connection).await?;
    for statement in TABLES {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    let there = sqlx::query("SELECT FROM ristoro_log.partition LIMIT 1");
    if there.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(());
    }
    let next_offset: i64 = match first_records {
        FirstRecords::Written => 1,
        FirstRecords::LeftToCopy => 0,
    };
    for Position { topic, partition, .. } in all_partitions(identity.partition_count) {
        let number = i32::try_from(partition).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query("INSERT INTO ristoro_log.partition VALUES ($1, $2, $3)")
            .bind(topic_number(topic))
            .bind(number)
            .bind(next_offset)
            .execute(&mut *connection)
            .await?;
        if first_records == FirstRecords::Written {
            sqlx::query("INSERT INTO ristoro_log.record VALUES ($1, $2, 0, $3)")
                .bind(topic_number(topic))
                .bind(number)
                .bind(&identity.genesis(topic, partition)[..])
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// Gives the next offset of every partition.
pub(super) async fn ends(pool: &PgPool) -> Result<BTreeMap<(Topic, u32), u64>, LogError> {
    let rows = sqlx::query("SELECT topic, partition, next_offset FROM ristoro_log.partition")
        .fetch_all(pool)
        .await
        .map_err(|error| failure(&error))?;
    let end = |row: sqlx::postgres::PgRow| {
        let partition = row.get::<i32, _>(1).unsigned_abs();
        Some(((topic_of(row.get(0))?, partition), row.get::<i64, _>(2).unsigned_abs()))
    };
    Ok(rows.into_iter().filter_map(end).collect())
}

/// Gives the record at each position, none where the end is not beyond it.
pub(super) async fn read_many(
    pool: &PgPool,
    positions: &[Position],
) -> Result<Vec<Option<Record>>, LogError> {
    let topics: Vec<i16> = positions.iter().map(|at| topic_number(at.topic)).collect();
    let partitions: Vec<i32> =
        positions.iter().map(|at| i32::try_from(at.partition).unwrap_or(-1)).collect();
    let offsets: Vec<i64> =
        positions.iter().map(|at| i64::try_from(at.offset).unwrap_or(i64::MAX)).collect();
    let rows = sqlx::query(
        "SELECT wanted.\"offset\" < partition.next_offset AS written, record.value
         FROM UNNEST($1, $2, $3) WITH ORDINALITY AS wanted (topic, partition, \"offset\", place)
         LEFT JOIN ristoro_log.partition USING (topic, partition)
         LEFT JOIN ristoro_log.record USING (topic, partition, \"offset\")
         ORDER BY place",
    )
    .bind(topics)
    .bind(partitions)
    .bind(offsets)
    .fetch_all(pool)
    .await
    .map_err(|error| failure(&error))?;
    let mut records = Vec::with_capacity(positions.len());
    for (position, row) in positions.iter().zip(rows) {
        let position = *position;
        let Position { topic, partition, .. } = position;
        let written = row.get::<Option<bool>, _>("written");
        let value = row.get::<Option<Vec<u8>>, _>("value");
        records.push(match (written, value) {
            (None, _) => return Err(LogError::Missing { topic, partition }),
            (Some(true), None) => {
                return Err(LogError::Foreign(format!("{position} is deleted")));
            }
            (Some(false), _) => None,
            (Some(true), Some(value)) => Some(Record { position, value: value.into() }),
        });
    }
    Ok(records)
}

/// Reads the log's identity from its first records.
pub(super) async fn identity(pool: &PgPool) -> Result<LogIdentity, LogError> {
    let ends = ends(pool).await?;
    let [first, ..] = Topic::ALL;
    let partition_count = count(ends.keys().filter(|(topic, _)| *topic == first).count());
    if partition_count == 0 {
        return Err(LogError::Missing { topic: first, partition: 0 });
    }
    let all: Vec<_> = all_partitions(partition_count).collect();
    let firsts = read_many(pool, &all).await?.into_iter();
    let firsts: Vec<Option<Bytes>> = firsts.map(|found| found.map(|record| record.value)).collect();
    LogIdentity::agreed(partition_count, &firsts)
}

/// Gives what is there of a log.
pub(super) async fn plan(pool: &PgPool) -> Result<TopicPlan, LogError> {
    let ends = match ends(pool).await {
        Err(LogError::Missing { .. }) => BTreeMap::new(),
        outcome => outcome?,
    };
    let mut plan = TopicPlan { log_id: None, topics: Vec::new() };
    for topic in Topic::ALL {
        let of_topic = ends.iter().filter(|((found, _), _)| *found == topic);
        plan.topics.push(PlannedTopic {
            topic,
            partition_count: count(of_topic.clone().count()),
            without_genesis: count(of_topic.filter(|(_, end)| **end == 0).count()),
            wrong_settings: Vec::new(),
        });
    }
    let Position { topic, partition, .. } = FOUNDING_PARTITION;
    if ends.contains_key(&(topic, partition))
        && let Some(record) = read_many(pool, &[FOUNDING_PARTITION]).await?.pop().flatten()
    {
        let identity = LogIdentity::from_genesis(FOUNDING_PARTITION, &record.value)?;
        plan.log_id = Some(identity.log_id);
    }
    Ok(plan)
}

fn count(found: usize) -> u32 {
    u32::try_from(found).expect("partitions are numbered by u32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_its_own_number() {
        for topic in Topic::ALL {
            assert_eq!(topic_of(topic_number(topic)), Some(topic));
        }
        assert_eq!(topic_of(0), None);
    }
}
