//! Poison: records that count and cannot be folded. They stop their consumer's partition, loudly, and are
//! listed, until a newer program can fold them or two people decide that they are skipped.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::time::Instant;
use ristoro_log::{Envelope, Position, Record, Topic};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row};

use crate::consumer::{Consumer, GroupError, Task};
use crate::position::{Cursor, loaded, loaded_partition, stored, stored_partition};
use crate::schema::{self, Mode, SchemaName, ServiceName};

pub(crate) mod obey;

/// The stream of all skips. Every service decides on it, so every service keeps it in its journal.
pub(crate) const SKIPS: &str = "ops/skips";

pub use obey::{consumers_that_passed, skip_consumer};

/// A consumer that stands still.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poisoned {
    /// The consumer, such as `payout.orders`.
    pub consumer: String,
    /// The schema that it feeds; control for stages.
    pub schema: String,
    /// The record that it cannot fold.
    pub position: Position,
    /// The record's stream.
    pub stream: String,
    /// The payload's message name.
    pub kind: String,
    /// What is wrong with it.
    pub problem: String,
    /// Since when it stands there.
    pub stopped_at: Instant,
}

/// Lists the consumers of a service that stand still.
///
/// # Errors
/// The database's.
pub async fn list(pool: &PgPool, service: ServiceName) -> Result<Vec<Poisoned>, sqlx::Error> {
    let mut transaction = schema::begin(pool, &service.control(), Mode::Snapshot).await?;
    let rows = sqlx::query(
        "select consumer, schema_name, topic, partition, \"offset\", stream, kind, problem,
                (extract(epoch from stopped_at) * 1000000)::bigint as stopped_at
         from poison order by consumer, schema_name, topic, partition",
    )
    .fetch_all(&mut *transaction)
    .await?;
    transaction.rollback().await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let Ok(topic) = row.try_get::<&str, _>("topic")?.parse::<Topic>() else { continue };
        let partition = loaded_partition(row.try_get("partition")?);
        let stopped_at = Instant::from_microsecond(row.try_get("stopped_at")?);
        all.push(Poisoned {
            consumer: row.try_get("consumer")?,
            schema: row.try_get("schema_name")?,
            position: Position { topic, partition, offset: loaded(row.try_get("offset")?) },
            stream: row.try_get("stream")?,
            kind: row.try_get("kind")?,
            problem: row.try_get("problem")?,
            stopped_at: stopped_at.map_err(|error| sqlx::Error::Decode(error.into()))?,
        });
    }
    Ok(all)
}

/// Notes that a consumer stands still at a record.
pub(crate) async fn stop(
    consumer: &Consumer,
    position: Position,
    record: Option<&Record>,
    problem: &str,
) -> Result<(), sqlx::Error> {
    let value = record.filter(|record| record.position == position).map(|one| one.value.clone());
    let envelope = Envelope::decode(value.unwrap_or_default()).ok();
    let (stream, kind) = envelope.map_or_else(Default::default, |one| (one.stream, one.kind));
    tracing::error!(
        consumer = %consumer.name, schema = %consumer.schema, %position, stream, kind, problem,
        "a record cannot be folded: this consumer's partition stands still until a newer program or a skip helps"
    );
    consumer.core.telemetry.metrics.stopped(&consumer.label(), position);
    let mut transaction =
        schema::begin(&consumer.core.pool, &consumer.core.service.control(), Mode::Write).await?;
    sqlx::query(
        "insert into poison (consumer, schema_name, topic, partition, \"offset\", stream, kind, problem)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (consumer, schema_name, topic, partition) do update
         set \"offset\" = excluded.\"offset\", stream = excluded.stream, kind = excluded.kind,
             problem = excluded.problem,
             stopped_at = case when poison.\"offset\" = excluded.\"offset\" then poison.stopped_at
                               else excluded.stopped_at end",
    )
    .bind(&consumer.name)
    .bind(consumer.schema.as_str())
    .bind(position.topic.name())
    .bind(stored_partition(position.partition))
    .bind(stored(position.offset))
    .bind(stream)
    .bind(kind)
    .bind(problem)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Takes the records that a consumer has passed off the list, and gives where it is still listed.
pub(crate) async fn settle(
    consumer: &Consumer,
    cursors: &BTreeMap<u32, Cursor>,
) -> Result<BTreeSet<u32>, sqlx::Error> {
    let mut transaction =
        schema::begin(&consumer.core.pool, &consumer.core.service.control(), Mode::Write).await?;
    for (partition, cursor) in cursors {
        sqlx::query(
            "delete from poison where consumer = $1 and schema_name = $2 and topic = $3
             and partition = $4 and \"offset\" < $5",
        )
        .bind(&consumer.name)
        .bind(consumer.schema.as_str())
        .bind(consumer.topic.name())
        .bind(stored_partition(*partition))
        .bind(stored(cursor.next_offset))
        .execute(&mut *transaction)
        .await?;
    }
    let listed: Vec<i32> = sqlx::query_scalar(
        "select partition from poison where consumer = $1 and schema_name = $2 and topic = $3",
    )
    .bind(&consumer.name)
    .bind(consumer.schema.as_str())
    .bind(consumer.topic.name())
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(listed.into_iter().map(loaded_partition).collect())
}

/// Gives the offsets, from the cursor on, that a consumer must leave out on a partition.
///
/// A projection that has folded a record before it was skipped holds rows that no rebuild would give:
/// it stops, and is rebuilt.
pub(crate) async fn skipped(
    connection: &mut PgConnection,
    control: &SchemaName,
    consumer: &Consumer,
    partition: u32,
    cursor: &Cursor,
) -> Result<BTreeSet<u64>, GroupError> {
    let statement = format!(
        "select s.\"offset\", r.\"offset\" is not null as obeyed from {control}.record_skip s
         left join {schema}.skipped_record r using (consumer, topic, partition, \"offset\")
         where consumer = $1 and topic = $2 and partition = $3 order by s.\"offset\"",
        schema = consumer.schema
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(&consumer.name)
        .bind(consumer.topic.name())
        .bind(stored_partition(partition))
        .fetch_all(connection)
        .await?;
    let mut ahead = BTreeSet::new();
    for row in rows {
        let offset = loaded(row.try_get("offset")?);
        let folded = offset < cursor.next_offset && !row.try_get::<bool, _>("obeyed")?;
        let position = Position { topic: consumer.topic, partition, offset };
        match consumer.task {
            Task::Fold(_) if folded => {
                let problem =
                    "it was folded before it was skipped: rebuild the projection".to_owned();
                return Err(GroupError::Poison { position, problem });
            }
            Task::Fold(_) | Task::Stage(..) => {
                if offset >= cursor.next_offset {
                    ahead.insert(offset);
                }
            }
        }
    }
    Ok(ahead)
}

/// Notes which of a batch's records were left out.
pub(crate) async fn note_skipped(
    connection: &mut PgConnection,
    consumer: &Consumer,
    partition: u32,
    skipped: &BTreeSet<u64>,
    next_offset: u64,
) -> Result<(), sqlx::Error> {
    let passed: Vec<i64> =
        skipped.iter().filter(|offset| **offset < next_offset).map(|one| stored(*one)).collect();
    if passed.is_empty() {
        return Ok(());
    }
    tracing::warn!(consumer = %consumer.name, partition, offsets = ?passed, "records are skipped");
    sqlx::query(
        "insert into skipped_record (consumer, topic, partition, \"offset\")
         select $1, $2, $3, * from unnest($4::bigint[])",
    )
    .bind(&consumer.name)
    .bind(consumer.topic.name())
    .bind(stored_partition(partition))
    .bind(passed)
    .execute(connection)
    .await?;
    Ok(())
}
