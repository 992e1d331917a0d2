//! Decisions in chunks: one row per chunk of a scan, found by binary search where one person is asked for.

use std::ops::RangeInclusive;

use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message as _;
use ristoro_domain::columns::Columns;
use ristoro_domain::decided::{Chunk, Event};
use ristoro_domain::remedy::{Reason, Remedy};
use ristoro_domain::time::Instant;
use ristoro_domain::totals::Totals;
use ristoro_log::{Position, Topic};
use ristoro_proto::dictionary;
use ristoro_proto::eligibility::v1::EntitlementsDecided;
use ristoro_proto::types::{reason_in, reason_out, totals_in, totals_out};
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::packed::{Packed, entry_of, unpacked};
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{decode_error, instant, signed, small, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

/// Folds entitlement.v1 into `scan` and `entitlement_chunk`.
#[derive(Debug)]
pub struct Decisions;

/// A chunk with its place.
#[derive(Clone, Debug)]
pub struct ChunkRow {
    /// The assessment.
    pub assessment: String,
    /// The chunk's number, which is its version.
    pub number: u64,
    /// The record that decided it.
    pub position: Position,
    /// Business time.
    pub occurred_at: Instant,
    /// Its decisions.
    pub chunk: Chunk,
}

/// How far a partition's scan is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanRow {
    /// The partition.
    pub partition: u32,
    /// Accepted chunks.
    pub chunks: u64,
    /// Subscriptions in them.
    pub decided: u64,
    /// What it gave, once it is completed.
    pub result: Option<(Totals, [u8; 32])>,
    /// Whether it is void.
    pub voided: bool,
}

impl Projection for Decisions {
    fn name(&self) -> &'static str {
        "eligibility.decisions"
    }

    fn topic(&self) -> Topic {
        Topic::Entitlement
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                if let Some(assessment) = scan_of(&record.envelope.stream) {
                    let event: Event = decode(record)?;
                    apply(tx, assessment, &event, record).await?;
                }
            }
            Ok(())
        })
    }
}

/// Gives the assessment of `scan/{assessment}/{partition}`.
fn scan_of(stream: &str) -> Option<&str> {
    stream.strip_prefix("scan/")?.rsplit_once('/').map(|(assessment, _)| assessment)
}

async fn apply(
    tx: &mut PgConnection,
    assessment: &str,
    event: &Event,
    record: &Accepted,
) -> Result<(), FoldError> {
    let partition = small(record.position.partition);
    match event {
        Event::EntitlementsDecided(chunk) => {
            insert_chunk(tx, assessment, chunk, record).await?;
            let people = i64::try_from(chunk.columns.len()).expect("a chunk is small");
            sqlx::query(
                "insert into scan (assessment, partition, chunks, decided, state) values ($1, $2, 1, $3, 1) \
                 on conflict (assessment, partition) \
                 do update set chunks = scan.chunks + 1, decided = scan.decided + $3",
            )
            .bind(assessment)
            .bind(partition)
            .bind(people)
            .execute(tx)
            .await?;
        }
        Event::ScanCompleted { totals, digest, .. } => {
            let totals = Bytes::from(totals_out(totals).encode_to_vec());
            end(tx, (assessment, partition), 2, Some((totals, *digest))).await?;
        }
        Event::ScanVoided => end(tx, (assessment, partition), 3, None).await?,
    }
    Ok(())
}

async fn end(
    tx: &mut PgConnection,
    (assessment, partition): (&str, i32),
    state: i16,
    result: Option<(Bytes, [u8; 32])>,
) -> Result<(), sqlx::Error> {
    let (totals, digest) =
        result.map(|(totals, digest)| (totals.to_vec(), digest.to_vec())).unzip();
    sqlx::query(
        "insert into scan (assessment, partition, chunks, decided, state, totals, digest) \
         values ($1, $2, 0, 0, $3, $4, $5) on conflict (assessment, partition) \
         do update set state = $3, totals = coalesce($4, scan.totals), digest = coalesce($5, scan.digest)",
    )
    .bind(assessment)
    .bind(partition)
    .bind(state)
    .bind(totals)
    .bind(digest)
    .execute(tx)
    .await
    .map(|_| ())
}

async fn insert_chunk(
    tx: &mut PgConnection,
    assessment: &str,
    chunk: &Chunk,
    record: &Accepted,
) -> Result<(), FoldError> {
    let packed = Packed::of(&chunk.columns, record.position)?;
    let dictionary = EntitlementsDecided {
        reasons: chunk.reasons.iter().map(reason_out).collect(),
        ..EntitlementsDecided::default()
    };
    sqlx::query(
        "insert into entitlement_chunk (assessment, partition, first_number, last_number, chunk, record_offset, \
         occurred_at, numbers, entries, reasons, remedies) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)",
    )
    .bind(assessment)
    .bind(small(record.position.partition))
    .bind(packed.first_number.unwrap_or_default())
    .bind(packed.last_number.unwrap_or_default())
    .bind(signed(record.envelope.version))
    .bind(signed(record.position.offset))
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(packed.numbers)
    .bind(packed.entries)
    .bind(dictionary.encode_to_vec())
    .bind(remedies_json(&chunk.reasons))
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes what SQL shows of each reason: a list per reason of its remedies.
fn remedies_json(reasons: &[Reason]) -> String {
    let remedy = |remedy: &Remedy| {
        let amount = remedy.grant.amount();
        let minor = amount.map_or_else(|| "null".to_owned(), |money| money.minor.to_string());
        let currency =
            amount.map_or_else(|| "null".to_owned(), |money| format!("\"{}\"", money.currency));
        format!(
            "{{\"kind\":\"{}\",\"grant\":\"{}\",\"minor\":{minor},\"currency\":{currency},\"payer\":\"{}\"}}",
            remedy.kind.name(),
            remedy.grant.type_name(),
            remedy.payer.name()
        )
    };
    let list = |reason: &Reason| {
        let remedies: Vec<String> = reason.remedies.iter().map(remedy).collect();
        format!("[{}]", remedies.join(","))
    };
    format!("[{}]", reasons.iter().map(list).collect::<Vec<_>>().join(","))
}

/// The columns that `chunk_row` reads.
const COLUMNS: &str = "assessment, partition, chunk, record_offset, occurred_at, first_number, numbers, entries, reasons";

/// Gives the chunks of a partition that hold numbers of an inclusive range, in number order.
///
/// # Errors
/// The database's.
pub async fn chunks_between(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    numbers: RangeInclusive<u64>,
    limit: i64,
) -> Result<Vec<ChunkRow>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from entitlement_chunk where assessment = $1 and partition = $2 \
         and first_number >= coalesce((select max(first_number) from entitlement_chunk where assessment = $1 \
         and partition = $2 and first_number <= $3), $3) \
         and last_number >= $3 and first_number <= $4 order by first_number limit $5"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(assessment)
        .bind(small(partition))
        .bind(signed(*numbers.start()))
        .bind(signed(*numbers.end()))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(chunk_row).collect()
}

/// Gives the scans of an assessment, by partition.
///
/// # Errors
/// The database's.
pub async fn scans(
    connection: &mut PgConnection,
    assessment: &str,
) -> Result<Vec<ScanRow>, sqlx::Error> {
    let rows = sqlx::query(
        "select partition, chunks, decided, state, totals, digest from scan where assessment = $1 order by partition",
    )
    .bind(assessment)
    .fetch_all(connection)
    .await?;
    rows.iter().map(scan_row).collect()
}

fn scan_row(row: &PgRow) -> Result<ScanRow, sqlx::Error> {
    let partition: i32 = row.try_get("partition")?;
    let state: i16 = row.try_get("state")?;
    let totals: Option<Vec<u8>> = row.try_get("totals")?;
    let digest: Option<Vec<u8>> = row.try_get("digest")?;
    let result = totals.zip(digest).map(|(totals, digest)| {
        let message = ristoro_proto::log::v1::Totals::decode(totals.as_slice());
        let totals = totals_in(&message.map_err(decode_error)?).map_err(decode_error)?;
        let digest = <[u8; 32]>::try_from(digest.as_slice()).map_err(decode_error)?;
        Ok::<_, sqlx::Error>((totals, digest))
    });
    Ok(ScanRow {
        partition: partition.unsigned_abs(),
        chunks: unsigned(row.try_get("chunks")?),
        decided: unsigned(row.try_get("decided")?),
        result: result.transpose()?,
        voided: state == 3,
    })
}

fn chunk_row(row: &PgRow) -> Result<ChunkRow, sqlx::Error> {
    let message = EntitlementsDecided::decode(row.try_get::<&[u8], _>("reasons")?);
    let reasons = message.map_err(decode_error)?.reasons;
    let reasons = reasons.iter().map(reason_in).collect::<Result<_, _>>().map_err(decode_error)?;
    let first_number: i64 = row.try_get("first_number")?;
    let columns = unpacked(Some(first_number), row.try_get("numbers")?, row.try_get("entries")?)?;
    placed(row, Chunk { reasons, columns })
}

/// Reads of a chunk only what it decided about one number; none where it holds another's.
pub(super) fn own_row(row: &PgRow, number: u64) -> Result<Option<ChunkRow>, sqlx::Error> {
    let (numbers, entries) = (row.try_get("numbers")?, row.try_get("entries")?);
    let Some(entry) = entry_of(number, row.try_get("first_number")?, numbers, entries)? else {
        return Ok(None);
    };
    let reasons: Vec<u8> = row.try_get("reasons")?;
    let reason = dictionary::entry(reasons, entry.into()).map_err(decode_error)?;
    let reason = reason.ok_or_else(|| sqlx::Error::Decode("a chunk lacks a reason".into()))?;
    let mut columns = Columns::default();
    columns.push(number, 0).map_err(decode_error)?;
    let reasons = vec![reason_in(&reason).map_err(decode_error)?];
    placed(row, Chunk { reasons, columns }).map(Some)
}

fn placed(row: &PgRow, chunk: Chunk) -> Result<ChunkRow, sqlx::Error> {
    let partition: i32 = row.try_get("partition")?;
    Ok(ChunkRow {
        assessment: row.try_get("assessment")?,
        number: unsigned(row.try_get("chunk")?),
        position: Position {
            topic: Topic::Entitlement,
            partition: partition.unsigned_abs(),
            offset: unsigned(row.try_get("record_offset")?),
        },
        occurred_at: instant(row.try_get("occurred_at")?)?,
        chunk,
    })
}
