//! Queues and their chunks: `queue` and `notice_chunk`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::columns::Columns;
use ristoro_domain::notice::QueuedChunk;
use ristoro_domain::remedy::Remedy;
use ristoro_domain::roster::partition_of_number;
use ristoro_proto::notice::{told_in, told_out};
use ristoro_proto::notifier::v1 as wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::packed::{Packed, unpacked};
use ristoro_runtime::projection::FoldError;
use ristoro_runtime::stored::{decode_error, signed, small, unsigned, unsigned_small};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::streams::ChunkKey;

/// Whether the notices of a queue may go out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueState {
    /// The assessment is still being decided.
    Open,
    /// They may.
    Released {
        /// The outage, for its restorations.
        outage: String,
    },
    /// The assessment was cancelled or stopped.
    Voided,
}

/// A chunk of notices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkRow {
    /// Which.
    pub key: ChunkKey,
    /// The offset of its record, on its own partition of notice.v1.
    pub record_offset: u64,
    /// The trace context of its record.
    pub traceparent: String,
    /// Who, and which of the sets of remedies.
    pub columns: Columns,
    told: Vec<Bytes>,
}

/// A released chunk that has places in no wave yet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Waiting {
    /// Which.
    pub key: ChunkKey,
    /// The outage that its people wait for.
    pub outage: String,
}

impl ChunkRow {
    /// Gives what the notice of a place tells of.
    ///
    /// # Errors
    /// `Decode` for bytes that no version of this program wrote.
    pub fn told(&self, place: u32) -> Result<Vec<Remedy>, sqlx::Error> {
        let Some(bytes) = self.told.get(self.entry_at(place) as usize) else {
            return Ok(Vec::new());
        };
        let told = wire::Told::decode(bytes.clone()).map_err(decode_error)?;
        told_in(&told).map_err(decode_error)
    }

    /// Gives which of the sets of remedies the notice of a place tells of.
    #[must_use]
    pub fn entry_at(&self, place: u32) -> u32 {
        self.columns.entries().get(place as usize).copied().unwrap_or_default()
    }

    /// Gives the place of a number.
    #[must_use]
    pub fn place_of(&self, number: u64) -> Option<u32> {
        let place = self.columns.numbers().binary_search(&number).ok()?;
        u32::try_from(place).ok()
    }

    /// Gives the number at a place.
    #[must_use]
    pub fn number_at(&self, place: u32) -> Option<u64> {
        self.columns.numbers().get(place as usize).copied()
    }
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    key: &ChunkKey,
    record: &Accepted,
    queued: &QueuedChunk,
) -> Result<(), FoldError> {
    let packed = Packed::of(&queued.columns, record.position)?;
    let told: Vec<Vec<u8>> =
        queued.told.iter().map(|remedies| told_out(remedies).encode_to_vec()).collect();
    sqlx::query(
        "insert into notice_chunk (assessment, partition, chunk, record_offset, traceparent, first_number, numbers, \
         entries, told, skipped, unstarted) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&key.assessment)
    .bind(small(key.partition))
    .bind(signed(key.chunk))
    .bind(signed(record.position.offset))
    .bind(&record.envelope.traceparent)
    .bind(packed.first_number.unwrap_or_default())
    .bind(packed.numbers)
    .bind(packed.entries)
    .bind(told)
    .bind(queued.skipped)
    .bind(i32::try_from(queued.columns.len()).expect("a chunk is far shorter than 2^31"))
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a queue.
pub(super) async fn end(
    tx: &mut PgConnection,
    assessment: &str,
    partition: u32,
    state: &QueueState,
) -> Result<(), sqlx::Error> {
    let (number, outage) = match state {
        QueueState::Open => return Ok(()),
        QueueState::Released { outage } => (2_i16, outage.as_str()),
        QueueState::Voided => (3_i16, ""),
    };
    sqlx::query("insert into queue (assessment, partition, state, outage) values ($1, $2, $3, $4)")
        .bind(assessment)
        .bind(small(partition))
        .bind(number)
        .bind(outage)
        .execute(tx)
        .await
        .map(|_| ())
}

/// Keeps that places of a chunk went into a wave of the first attempt.
pub(super) async fn count_started(
    tx: &mut PgConnection,
    key: &ChunkKey,
    places: usize,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update notice_chunk set unstarted = unstarted - $4 \
         where assessment = $1 and partition = $2 and chunk = $3",
    )
    .bind(&key.assessment)
    .bind(small(key.partition))
    .bind(signed(key.chunk))
    .bind(i32::try_from(places).expect("a chunk is far shorter than 2^31"))
    .execute(tx)
    .await
    .map(|_| ())
}

/// Tells how far a queue is.
///
/// # Errors
/// The database's.
pub async fn queue_state(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
) -> Result<QueueState, sqlx::Error> {
    let row =
        sqlx::query("select state, outage from queue where assessment = $1 and partition = $2")
            .bind(assessment)
            .bind(small(partition))
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(QueueState::Open) };
    match row.try_get::<i16, _>("state")? {
        2 => Ok(QueueState::Released { outage: row.try_get("outage")? }),
        _ => Ok(QueueState::Voided),
    }
}

/// Gives a chunk.
///
/// # Errors
/// The database's, and `Decode` for a row that no version of this program wrote.
pub async fn read(
    connection: &mut PgConnection,
    key: &ChunkKey,
) -> Result<Option<ChunkRow>, sqlx::Error> {
    let row = sqlx::query(
        "select assessment, partition, chunk, record_offset, traceparent, first_number, numbers, entries, told \
         from notice_chunk where assessment = $1 and partition = $2 and chunk = $3",
    )
    .bind(&key.assessment)
    .bind(small(key.partition))
    .bind(signed(key.chunk))
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(chunk_row).transpose()
}

/// Gives the chunk that a number would be in.
///
/// # Errors
/// The database's, and `Decode` for a row that no version of this program wrote.
pub async fn of_number(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    number: u64,
) -> Result<Option<ChunkRow>, sqlx::Error> {
    let row = sqlx::query(
        "select assessment, partition, chunk, record_offset, traceparent, first_number, numbers, entries, told \
         from notice_chunk where assessment = $1 and partition = $2 and first_number between 1 and $3 \
         order by first_number desc limit 1",
    )
    .bind(assessment)
    .bind(small(partition))
    .bind(signed(number))
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(chunk_row).transpose()
}

/// Gives up to `limit` chunks of an assessment that begin behind a number, in number order over all partitions.
///
/// # Errors
/// The database's, and `Decode` for a row that no version of this program wrote.
pub async fn behind(
    connection: &mut PgConnection,
    assessment: &str,
    number: u64,
    limit: i64,
) -> Result<Vec<ChunkRow>, sqlx::Error> {
    let rows = sqlx::query(
        "select assessment, partition, chunk, record_offset, traceparent, first_number, numbers, entries, told \
         from notice_chunk \
         where assessment = $1 and first_number > 0 and (partition, first_number) > ($2, $3) \
         order by partition, first_number limit $4",
    )
    .bind(assessment)
    .bind(small(partition_of_number(number)))
    .bind(signed(number))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(chunk_row).collect()
}

/// Tells whether there is any chunk of an assessment.
///
/// # Errors
/// The database's.
pub async fn is_known(
    connection: &mut PgConnection,
    assessment: &str,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "select exists (select from notice_chunk where assessment = $1) \
         or exists (select from queue where assessment = $1) as known",
    )
    .bind(assessment)
    .fetch_one(connection)
    .await?;
    row.try_get("known")
}

/// How far the queue of an assessment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Subscriptions that a notice is queued for.
    pub queued: u64,
    /// Partitions whose notices are released.
    pub released_partitions: u32,
    /// Partitions whose notices are void.
    pub voided_partitions: u32,
}

/// Tells how far the queue of an assessment is. The columns' lengths are known without reading them.
///
/// # Errors
/// The database's.
pub async fn progress(
    connection: &mut PgConnection,
    assessment: &str,
) -> Result<Progress, sqlx::Error> {
    let row = sqlx::query(
        "select (select coalesce(sum(length(numbers) / 4), 0) from notice_chunk where assessment = $1) as queued, \
         (count(*) filter (where state = 2))::integer as released, \
         (count(*) filter (where state = 3))::integer as voided from queue where assessment = $1",
    )
    .bind(assessment)
    .fetch_one(connection)
    .await?;
    Ok(Progress {
        queued: unsigned(row.try_get("queued")?),
        released_partitions: unsigned_small(row.try_get("released")?),
        voided_partitions: unsigned_small(row.try_get("voided")?),
    })
}

/// Lists released chunks of these partitions that have places in no wave of the first attempt.
///
/// # Errors
/// The database's.
pub async fn waiting(
    connection: &mut PgConnection,
    partitions: &[u32],
) -> Result<Vec<Waiting>, sqlx::Error> {
    let partitions: Vec<i32> = partitions.iter().copied().map(small).collect();
    let rows = sqlx::query(
        "select c.assessment, c.partition, c.chunk, q.outage from notice_chunk c \
         join queue q on q.assessment = c.assessment and q.partition = c.partition \
         where c.partition = any($1) and c.unstarted > 0 and q.state = 2 \
         order by c.assessment, c.partition, c.chunk",
    )
    .bind(partitions)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(Waiting { key: key(row)?, outage: row.try_get("outage")? })).collect()
}

/// Reads which chunk a row is about.
pub(super) fn key(row: &PgRow) -> Result<ChunkKey, sqlx::Error> {
    Ok(ChunkKey {
        assessment: row.try_get("assessment")?,
        partition: unsigned_small(row.try_get("partition")?),
        chunk: unsigned(row.try_get("chunk")?),
    })
}

fn chunk_row(row: &PgRow) -> Result<ChunkRow, sqlx::Error> {
    let first_number: i64 = row.try_get("first_number")?;
    let columns = unpacked(Some(first_number), row.try_get("numbers")?, row.try_get("entries")?)?;
    let told: Vec<Vec<u8>> = row.try_get("told")?;
    Ok(ChunkRow {
        key: key(row)?,
        record_offset: unsigned(row.try_get("record_offset")?),
        traceparent: row.try_get("traceparent")?,
        columns,
        told: told.into_iter().map(Bytes::from).collect(),
    })
}
