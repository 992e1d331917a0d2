//! Waves of dispatches: `dispatch_wave`.

use std::collections::BTreeMap;

use ristoro_domain::dispatch::{Dispatch, Wave};
use ristoro_runtime::stored::{instant, signed, small, unsigned, unsigned_small};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::chunk;
use crate::streams::{ChunkKey, DispatchKey};

/// A wave that is not through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenWave {
    /// Its dispatch.
    pub key: DispatchKey,
    /// The wave.
    pub wave: Wave,
    /// The outage that it was computed from.
    pub outage: String,
}

/// Gives the state of a dispatch before the event of `version`.
pub(super) async fn load(
    tx: &mut PgConnection,
    key: &DispatchKey,
    version: u64,
) -> Result<Dispatch, sqlx::Error> {
    let rows = sqlx::query(
        "select started_version, wave_at, places, owner, next_block, reported from dispatch_wave \
         where assessment = $1 and partition = $2 and chunk = $3 and channel = $4 and attempt = $5 \
         order by started_version",
    )
    .bind(&key.chunk.assessment)
    .bind(small(key.chunk.partition))
    .bind(signed(key.chunk.chunk))
    .bind(&key.channel)
    .bind(small(key.attempt))
    .fetch_all(tx)
    .await?;
    let waves = rows.iter().map(wave).collect::<Result<_, _>>()?;
    Ok(Dispatch { version: version.saturating_sub(1), waves })
}

/// Keeps one wave of a dispatch as it is now.
pub(super) async fn save(
    tx: &mut PgConnection,
    key: &DispatchKey,
    wave: &Wave,
    outage_position: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into dispatch_wave (assessment, partition, chunk, channel, attempt, started_version, wave_at, \
         outage_position, places, owner, next_block, blocks, reported) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         on conflict (assessment, partition, chunk, channel, attempt, started_version) \
         do update set owner = excluded.owner, next_block = excluded.next_block, \
         reported = excluded.reported",
    )
    .bind(&key.chunk.assessment)
    .bind(small(key.chunk.partition))
    .bind(signed(key.chunk.chunk))
    .bind(&key.channel)
    .bind(small(key.attempt))
    .bind(signed(wave.started_version))
    .bind(wave.at.as_microsecond())
    .bind(outage_position)
    .bind(wave.places.iter().copied().map(small).collect::<Vec<_>>())
    .bind(&wave.owner)
    .bind(small(wave.next_block))
    .bind(small(wave.blocks()))
    .bind(small(wave.reported))
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives the dispatches of some chunks, by chunk and attempt. The version of their streams is not known here.
///
/// # Errors
/// The database's, and `Decode` for a row that no version of this program wrote.
pub async fn of_chunks(
    connection: &mut PgConnection,
    assessment: &str,
    chunks: &[ChunkKey],
) -> Result<BTreeMap<(ChunkKey, u32), Dispatch>, sqlx::Error> {
    let partitions: Vec<i32> = chunks.iter().map(|key| small(key.partition)).collect();
    let numbers: Vec<i64> = chunks.iter().map(|key| signed(key.chunk)).collect();
    let rows = sqlx::query(
        "select assessment, partition, chunk, attempt, started_version, wave_at, places, owner, next_block, \
         reported from dispatch_wave where assessment = $1 \
         and (partition, chunk) in (select * from unnest($2::integer[], $3::bigint[])) \
         order by partition, chunk, attempt, started_version",
    )
    .bind(assessment)
    .bind(partitions)
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    let mut dispatches: BTreeMap<(ChunkKey, u32), Dispatch> = BTreeMap::new();
    for row in &rows {
        let attempt = unsigned_small(row.try_get("attempt")?);
        dispatches.entry((chunk::key(row)?, attempt)).or_default().waves.push(wave(row)?);
    }
    Ok(dispatches)
}

/// Lists the waves of these partitions that are not through.
///
/// # Errors
/// The database's, and `Decode` for a row that no version of this program wrote.
pub async fn open(
    connection: &mut PgConnection,
    partitions: &[u32],
) -> Result<Vec<OpenWave>, sqlx::Error> {
    let partitions: Vec<i32> = partitions.iter().copied().map(small).collect();
    let rows = sqlx::query(
        "select w.assessment, w.partition, w.chunk, w.channel, w.attempt, w.started_version, w.wave_at, w.places, \
         w.owner, w.next_block, w.reported, q.outage from dispatch_wave w \
         join queue q on q.assessment = w.assessment and q.partition = w.partition \
         where w.partition = any($1) and w.next_block < w.blocks \
         order by w.wave_at, w.assessment, w.partition, w.chunk",
    )
    .bind(partitions)
    .fetch_all(connection)
    .await?;
    let one = |row: &PgRow| {
        let (channel, attempt) = (row.try_get("channel")?, unsigned_small(row.try_get("attempt")?));
        let key = DispatchKey { chunk: chunk::key(row)?, channel, attempt };
        Ok(OpenWave { key, wave: wave(row)?, outage: row.try_get("outage")? })
    };
    rows.iter().map(one).collect()
}

fn wave(row: &PgRow) -> Result<Wave, sqlx::Error> {
    let places: Vec<i32> = row.try_get("places")?;
    Ok(Wave {
        started_version: unsigned(row.try_get("started_version")?),
        at: instant(row.try_get("wave_at")?)?,
        places: places.into_iter().map(unsigned_small).collect(),
        owner: row.try_get("owner")?,
        next_block: unsigned_small(row.try_get("next_block")?),
        reported: unsigned_small(row.try_get("reported")?),
    })
}
