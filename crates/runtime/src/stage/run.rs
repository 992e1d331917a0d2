//! The stage's batch: read, react, append, wait for the acknowledgement, and only then move the position.
//!
//! A crash in between appends the same records once more, and these are void. The heads of what the
//! stage writes move with its position, so whoever repeats a batch derives the same versions again.

use std::collections::BTreeSet;

use ristoro_log::{NewRecord, Record, StreamHead};
use sqlx::{PgConnection, Row};
use tracing::Instrument;

use super::{Stage, StageContext, StageError};
use crate::accepted::Accepted;
use crate::consumer::{Consumer, GroupError};
use crate::outbox::{Outbox, OutputHeads};
use crate::poison;
use crate::position::heads::{self, Judgement};
use crate::position::{self, Cursor, identity, loaded, stored};
use crate::schema::{self, Mode};
use crate::telemetry::traced;

/// What a batch came to, before anything is written.
struct Answered {
    outbox: Outbox,
    /// The offset of the first record that is not answered.
    until: u64,
    /// Why not all are.
    stopped_by: Option<GroupError>,
}

/// Answers records of one partition, all or the first of them.
pub(crate) async fn group(
    consumer: &Consumer,
    stage: &dyn Stage,
    context: &StageContext,
    partition: u32,
    cursor: &Cursor,
    records: &[Record],
) -> Result<Cursor, GroupError> {
    let (judgement, skipped) = look(consumer, partition, cursor, records).await?;
    let limit = consumer.core.settings.batch_bytes;
    let answered = answer(stage, context, &judgement, &skipped, limit).await;
    let done = records.partition_point(|record| record.position.offset < answered.until);
    if done == 0
        && let Some(error) = answered.stopped_by
    {
        return Err(error);
    }
    let records = &records[..done];
    let (outputs, heads) = seal(consumer, partition, cursor, &answered.outbox).await?;
    if !outputs.is_empty() {
        consumer.core.log.append(&outputs).await?;
    }
    let next = behind(cursor, records);
    commit(consumer, (partition, cursor, &next), records, &skipped, &heads).await?;
    Ok(next)
}

fn behind(cursor: &Cursor, records: &[Record]) -> Cursor {
    let Some(last) = records.last() else { return *cursor };
    let last_event_id = Some(identity::identity(last));
    Cursor { next_offset: last.position.offset + 1, last_event_id, ..*cursor }
}

/// Judges the records as of the cursor, without a lock.
async fn look(
    consumer: &Consumer,
    partition: u32,
    cursor: &Cursor,
    records: &[Record],
) -> Result<(Judgement, BTreeSet<u64>), GroupError> {
    let core = &consumer.core;
    let mut transaction = schema::begin(&core.pool, &consumer.schema, Mode::Snapshot).await?;
    check_cursor(&mut transaction, consumer, partition, cursor).await?;
    let judgement =
        heads::judge(&mut transaction, &consumer.name, records, core.log.log_id()).await?;
    let control = core.service.control();
    let skipped = poison::skipped(&mut transaction, &control, consumer, partition, cursor).await?;
    transaction.rollback().await?;
    Ok((judgement, skipped))
}

async fn check_cursor(
    connection: &mut PgConnection,
    consumer: &Consumer,
    partition: u32,
    cursor: &Cursor,
) -> Result<(), GroupError> {
    let now = position::read(connection, &consumer.name, consumer.topic).await?;
    let same = now.get(&partition).is_some_and(|now| {
        now.next_offset == cursor.next_offset && now.role_epoch == cursor.role_epoch
    });
    if same { Ok(()) } else { Err(GroupError::Fence) }
}

/// Asks the stage for its outputs, until one record cannot be answered or the outputs are enough.
async fn answer(
    stage: &dyn Stage,
    context: &StageContext,
    judgement: &Judgement,
    skipped: &BTreeSet<u64>,
    limit: usize,
) -> Answered {
    let mut outbox = Outbox::default();
    for record in judgement.accepted() {
        let until = record.position.offset;
        if outbox.bytes() >= limit {
            return Answered { outbox, until, stopped_by: None };
        }
        let before = outbox.emitted().len();
        outbox.answer(record);
        let span = traced("react", &record.envelope.stream, &record.envelope.traceparent);
        let answer = async {
            if skipped.contains(&until) {
                stage.skip(context, record, &mut outbox).await
            } else {
                stage.react(context, record, &mut outbox).await
            }
        };
        let result = answer.instrument(span).await;
        if let Err(error) = result {
            outbox.truncate(before);
            return Answered { outbox, until, stopped_by: Some(stopped(record, error)) };
        }
    }
    Answered { outbox, until: u64::MAX, stopped_by: None }
}

fn stopped(record: &Accepted, error: StageError) -> GroupError {
    match error {
        StageError::NotYet => GroupError::NotYet,
        // The stage stops at its input, whatever else it could not read.
        StageError::Payload { position, problem } => {
            let problem = match position == record.position {
                true => problem,
                false => format!("{position}: {problem}"),
            };
            GroupError::Poison { position: record.position, problem }
        }
        StageError::Database(error) => GroupError::Database(error),
        StageError::Log(error) => GroupError::Log(error),
        StageError::Command(error) => GroupError::Command(error.to_string()),
    }
}

/// Gives the outputs their places behind the stage's own heads, as of the cursor.
///
/// Heads and cursor are read in one snapshot: heads that another worker has moved together with the
/// cursor would give valid records that answer the same input twice.
async fn seal(
    consumer: &Consumer,
    partition: u32,
    cursor: &Cursor,
    outbox: &Outbox,
) -> Result<(Vec<NewRecord>, OutputHeads), GroupError> {
    let mut heads = OutputHeads::new();
    if outbox.emitted().is_empty() {
        return Ok((Vec::new(), heads));
    }
    let topics: Vec<&str> = outbox.emitted().iter().map(|one| one.topic.name()).collect();
    let streams: Vec<&str> = outbox.emitted().iter().map(|one| one.stream.as_str()).collect();
    let mut transaction =
        schema::begin(&consumer.core.pool, &consumer.schema, Mode::Snapshot).await?;
    check_cursor(&mut transaction, consumer, partition, cursor).await?;
    let rows = sqlx::query(
        "select topic, stream, version, event_id from stage_output where stage = $1
         and (topic, stream) in (select * from unnest($2::text[], $3::text[]))",
    )
    .bind(&consumer.name)
    .bind(topics)
    .bind(streams)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.rollback().await?;
    for row in rows {
        let version = loaded(row.try_get("version").map_err(GroupError::Database)?);
        let head = StreamHead { version, event_id: row.try_get("event_id")? };
        let topic = row.try_get::<&str, _>("topic")?.parse();
        let topic = topic.map_err(|problem: String| sqlx::Error::Decode(problem.into()))?;
        heads.insert((topic, row.try_get("stream")?), head);
    }
    let outputs = outbox.seal(&mut heads);
    Ok((outputs, heads))
}

/// Moves the position with everything that belongs to it.
async fn commit(
    consumer: &Consumer,
    (partition, from, to): (u32, &Cursor, &Cursor),
    records: &[Record],
    skipped: &BTreeSet<u64>,
    heads: &OutputHeads,
) -> Result<(), GroupError> {
    let mut transaction = schema::begin(&consumer.core.pool, &consumer.schema, Mode::Write).await?;
    let within = async {
        let place = (consumer.topic, partition);
        if !position::advance(&mut transaction, &consumer.name, place, from, to).await? {
            return Err(GroupError::Fence);
        }
        let log_id = consumer.core.log.log_id();
        let judgement = heads::judge(&mut transaction, &consumer.name, records, log_id).await?;
        heads::save(&mut transaction, &consumer.name, place, &judgement).await?;
        let (connection, next) = (&mut *transaction, to.next_offset);
        poison::note_skipped(connection, consumer, partition, skipped, next).await?;
        save_outputs(&mut transaction, &consumer.name, heads).await?;
        Ok(judgement)
    };
    match within.await {
        Ok(judgement) => {
            transaction.commit().await?;
            consumer.count(&judgement);
            Ok(())
        }
        Err(error) => {
            transaction.rollback().await?;
            Err(error)
        }
    }
}

async fn save_outputs(
    connection: &mut PgConnection,
    stage: &str,
    heads: &OutputHeads,
) -> Result<(), sqlx::Error> {
    let (mut topics, mut streams) = (Vec::new(), Vec::new());
    let (mut versions, mut ids) = (Vec::new(), Vec::new());
    for ((topic, stream), head) in heads {
        topics.push(topic.name());
        streams.push(stream.as_str());
        versions.push(stored(head.version));
        ids.push(head.event_id);
    }
    if topics.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into stage_output (stage, topic, stream, version, event_id)
         select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::uuid[])
         on conflict (stage, topic, stream)
         do update set version = excluded.version, event_id = excluded.event_id",
    )
    .bind(stage)
    .bind(topics)
    .bind(streams)
    .bind(versions)
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}
