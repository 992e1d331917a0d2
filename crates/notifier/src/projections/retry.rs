//! Notices that are to be sent again and are in no wave yet: `retry`.

use std::collections::BTreeMap;

use ristoro_runtime::stored::{signed, small, unsigned, unsigned_small};
use sqlx::{PgConnection, Row};

use super::chunk;
use crate::streams::DispatchKey;

/// The numbers that wait for an attempt, ascending, by dispatch, each with its outage.
pub type Retries = BTreeMap<DispatchKey, (String, Vec<u64>)>;

pub(super) async fn insert(
    tx: &mut PgConnection,
    (assessment, partition): (&str, u32),
    number: u64,
    attempt: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into retry (assessment, number, attempt, partition, started) values ($1, $2, $3, $4, false)",
    )
    .bind(assessment)
    .bind(signed(number))
    .bind(small(attempt))
    .bind(small(partition))
    .execute(tx)
    .await
    .map(|_| ())
}

pub(super) async fn mark_started(
    tx: &mut PgConnection,
    assessment: &str,
    attempt: u32,
    numbers: &[u64],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update retry set started = true where assessment = $1 and attempt = $2 and number = any($3)",
    )
    .bind(assessment)
    .bind(small(attempt))
    .bind(numbers.iter().copied().map(signed).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}

/// Lists what is to be sent again on these partitions and is in no wave yet.
///
/// # Errors
/// The database's.
pub async fn waiting(
    connection: &mut PgConnection,
    partitions: &[u32],
) -> Result<Retries, sqlx::Error> {
    let partitions: Vec<i32> = partitions.iter().copied().map(small).collect();
    let rows = sqlx::query(
        "select r.assessment, r.partition, r.attempt, r.number, q.outage, c.chunk from retry r \
         join queue q on q.assessment = r.assessment and q.partition = r.partition \
         join lateral (select chunk from notice_chunk where assessment = r.assessment \
         and partition = r.partition and first_number between 1 and r.number \
         order by first_number desc limit 1) c on true \
         where r.partition = any($1) and not r.started order by r.number",
    )
    .bind(partitions)
    .fetch_all(connection)
    .await?;
    let mut retries = Retries::new();
    for row in rows {
        let attempt = unsigned_small(row.try_get("attempt")?);
        let outage: String = row.try_get("outage")?;
        let entry = retries.entry(DispatchKey::email(chunk::key(&row)?, attempt));
        entry.or_insert((outage, Vec::new())).1.push(unsigned(row.try_get("number")?));
    }
    Ok(retries)
}
