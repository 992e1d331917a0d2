//! Acceptance per consumer: loads the heads of a batch's streams, judges in memory, saves set-based.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_log::acceptance::payload_hash;
use ristoro_log::{
    Cause, Envelope, Heads, LogError, LogIdentity, Position, Record, StreamHead, Topic, Verdict,
};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::accepted::Accepted;
use crate::journal::verdict_text;
use crate::position::{identity, loaded, stored, stored_partition};

/// A record with its verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Judged {
    pub record: Accepted,
    pub verdict: Verdict,
}

/// The verdicts on one partition's records, and what they change.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Every envelope, in offset order.
    pub judged: Vec<Judged>,
    /// Void records by the reason that is counted.
    pub voids: BTreeMap<&'static str, i64>,
    /// Duplicates whose payload differs from the accepted record's.
    pub altered: Vec<Position>,
    streams_before: BTreeSet<String>,
    heads: BTreeMap<String, (StreamHead, i64)>,
    commands: Vec<(String, Uuid)>,
}

/// The reason under which records that are no envelope are counted.
pub(crate) const UNDECODABLE: &str = "undecodable";

/// Why records could not be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JudgeError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Judgement {
    /// Gives the accepted records.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &Accepted> {
        self.judged.iter().filter(|one| one.verdict == Verdict::Accepted).map(|one| &one.record)
    }
}

/// Judges records of one partition behind the heads that are stored.
///
/// The search path is the consumer's schema, and its position in this transaction is the first record's.
pub(crate) async fn judge(
    connection: &mut PgConnection,
    consumer: &str,
    records: &[Record],
    log_id: Uuid,
) -> Result<Judgement, JudgeError> {
    let mut judgement = Judgement::default();
    let mut envelopes = Vec::with_capacity(records.len());
    for record in records {
        if record.position.offset == 0 {
            identity::check_genesis(record, log_id)?;
            continue;
        }
        match Envelope::decode(record.value.clone()) {
            Ok(envelope) => envelopes.push(Accepted { position: record.position, envelope }),
            Err(error) => {
                // Of several processes that create a log at once, all but one write their genesis record in vain.
                if LogIdentity::from_genesis(record.position, &record.value).is_err() {
                    let position = record.position;
                    tracing::warn!(consumer, %position, %error, "a record is void");
                }
                *judgement.voids.entry(UNDECODABLE).or_default() += 1;
            }
        }
    }
    let mut known = load(connection, consumer, &envelopes).await?;
    for record in envelopes {
        known.judge(record, &mut judgement);
    }
    judgement.streams_before = known.streams;
    Ok(judgement)
}

/// What is stored of the streams of a batch.
struct Known {
    heads: Heads,
    hashes: BTreeMap<String, i64>,
    streams: BTreeSet<String>,
}

impl Known {
    fn judge(&mut self, record: Accepted, judgement: &mut Judgement) {
        let envelope = &record.envelope;
        let verdict = self.heads.judge(envelope);
        if verdict == Verdict::Accepted {
            let head = StreamHead { version: envelope.version, event_id: envelope.event_id };
            let hash = payload_hash(&envelope.payload);
            self.hashes.insert(envelope.stream.clone(), hash);
            judgement.heads.insert(envelope.stream.clone(), (head, hash));
            if let Some(command_id) = envelope.command_id {
                judgement.commands.push((envelope.stream.clone(), command_id));
            }
        } else {
            *judgement.voids.entry(verdict_text(verdict)).or_default() += 1;
        }
        // A copy is void either way; but whoever derived other bytes from the same cause derives wrongly. A command that
        // is sent again may well say another time than before, and only what came first counts.
        let derived = matches!(envelope.cause, Cause::Log(_));
        if derived
            && verdict == Verdict::Duplicate
            && self.hashes.get(&envelope.stream) != Some(&payload_hash(&envelope.payload))
        {
            judgement.altered.push(record.position);
        }
        judgement.judged.push(Judged { record, verdict });
    }
}

async fn load(
    connection: &mut PgConnection,
    consumer: &str,
    records: &[Accepted],
) -> Result<Known, sqlx::Error> {
    let streams: BTreeSet<&str> = records.iter().map(|one| one.envelope.stream.as_str()).collect();
    let streams: Vec<&str> = streams.into_iter().collect();
    let mut known =
        Known { heads: Heads::default(), hashes: BTreeMap::new(), streams: BTreeSet::new() };
    if streams.is_empty() {
        return Ok(known);
    }
    let rows = sqlx::query(
        "select stream, version, event_id, payload_hash from stream_head
         where consumer = $1 and stream = any($2)",
    )
    .bind(consumer)
    .bind(&streams)
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let stream: String = row.try_get("stream")?;
        let version = loaded(row.try_get("version")?);
        let head = StreamHead { version, event_id: row.try_get("event_id")? };
        known.hashes.insert(stream.clone(), row.try_get("payload_hash")?);
        known.streams.insert(stream.clone());
        known.heads.load_head(stream, head);
    }
    load_commands(connection, consumer, records, &mut known.heads).await?;
    Ok(known)
}

async fn load_commands(
    connection: &mut PgConnection,
    consumer: &str,
    records: &[Accepted],
    heads: &mut Heads,
) -> Result<(), sqlx::Error> {
    let asked = |one: &Accepted| Some((one.envelope.stream.clone(), one.envelope.command_id?));
    let (streams, ids): (Vec<String>, Vec<Uuid>) = records.iter().filter_map(asked).unzip();
    if ids.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "select stream, command_id from stream_command where consumer = $1
         and (stream, command_id) in (select * from unnest($2::text[], $3::uuid[]))",
    )
    .bind(consumer)
    .bind(streams)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    for row in rows {
        heads.load_command(row.try_get("stream")?, row.try_get("command_id")?);
    }
    Ok(())
}

/// Saves what the verdicts change, in the transaction that moves the position.
pub(crate) async fn save(
    connection: &mut PgConnection,
    consumer: &str,
    place: (Topic, u32),
    judgement: &Judgement,
) -> Result<(), sqlx::Error> {
    let stored_before = |stream: &str| judgement.streams_before.contains(stream);
    save_heads(
        connection,
        consumer,
        judgement.heads.iter().filter(|(stream, _)| stored_before(stream)),
        "update stream_head set version = new.version, event_id = new.event_id,
                payload_hash = new.payload_hash
         from unnest($2::text[], $3::bigint[], $4::uuid[], $5::bigint[])
             new (stream, version, event_id, payload_hash)
         where stream_head.consumer = $1 and stream_head.stream = new.stream",
    )
    .await?;
    save_heads(
        connection,
        consumer,
        judgement.heads.iter().filter(|(stream, _)| !stored_before(stream)),
        "insert into stream_head (consumer, stream, version, event_id, payload_hash)
         select $1, * from unnest($2::text[], $3::bigint[], $4::uuid[], $5::bigint[])",
    )
    .await?;
    if !judgement.commands.is_empty() {
        let (streams, ids): (Vec<String>, Vec<Uuid>) = judgement.commands.iter().cloned().unzip();
        sqlx::query(
            "insert into stream_command (consumer, stream, command_id)
             select $1, * from unnest($2::text[], $3::uuid[])",
        )
        .bind(consumer)
        .bind(streams)
        .bind(ids)
        .execute(&mut *connection)
        .await?;
    }
    for (reason, records) in &judgement.voids {
        sqlx::query(
            "insert into void_count (consumer, topic, partition, reason, records)
             values ($1, $2, $3, $4, $5) on conflict (consumer, topic, partition, reason)
             do update set records = void_count.records + excluded.records",
        )
        .bind(consumer)
        .bind(place.0.name())
        .bind(stored_partition(place.1))
        .bind(reason)
        .bind(records)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn save_heads(
    connection: &mut PgConnection,
    consumer: &str,
    heads: impl Iterator<Item = (&String, &(StreamHead, i64))>,
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    let (mut streams, mut versions) = (Vec::new(), Vec::new());
    let (mut ids, mut hashes) = (Vec::new(), Vec::new());
    for (stream, (head, hash)) in heads {
        streams.push(stream.as_str());
        versions.push(stored(head.version));
        ids.push(head.event_id);
        hashes.push(*hash);
    }
    if streams.is_empty() {
        return Ok(());
    }
    sqlx::query(statement)
        .bind(consumer)
        .bind(streams)
        .bind(versions)
        .bind(ids)
        .bind(hashes)
        .execute(connection)
        .await?;
    Ok(())
}
