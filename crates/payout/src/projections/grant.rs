//! Leases, outcomes and exports, chunk by chunk, as far as they took effect.

use std::collections::BTreeMap;

use ristoro_domain::grant::{Event, Lease};
use ristoro_domain::ledger;
use ristoro_domain::order::Channel;
use ristoro_domain::payout_chunk::Given;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::FoldError;
use ristoro_runtime::stored::{instant, signed, small, unsigned};
use sqlx::{PgConnection, Row};

use super::posting::{self, Entry};
use super::standing::{self, Chunk};

/// What became of lent places, or an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Delivered = 1,
    Failed = 2,
    Exported = 3,
}

/// Folds an event of `grant/{assessment}/{partition}`.
///
/// # Errors
/// `Payload` where sums leave 64 bits, and the database's.
pub async fn fold(
    tx: &mut PgConnection,
    assessment: &str,
    record: &Accepted,
    event: &Event,
) -> Result<(), FoldError> {
    let partition = record.position.partition;
    match event {
        Event::GrantsLeased(lease) => {
            if let Some(chunk) = standing::at(tx, assessment, partition, lease.chunk).await? {
                insert_lease(tx, assessment, record, lease, &chunk).await?;
            }
        }
        Event::GrantsDelivered { numbers } => {
            for (chunk, numbers) in by_chunk(tx, assessment, partition, numbers).await? {
                let new = |number: &u64| {
                    let given = chunk.standing.given.get(number);
                    given.is_some_and(|it| it.place.lent_until.is_some() && !it.place.delivered)
                };
                let numbers: Vec<u64> = numbers.into_iter().filter(new).collect();
                let place = (assessment, &chunk, Outcome::Delivered, "");
                outcome(tx, record, place, &numbers).await?;
                let moved = (Channel::Provisioning, "delivered");
                give(tx, record, (assessment, &chunk), moved, &numbers).await?;
            }
        }
        Event::GrantFailed { number, note } => {
            if let Some(chunk) = standing::of_number(tx, assessment, partition, *number).await? {
                let place = (assessment, &chunk, Outcome::Failed, note.as_str());
                outcome(tx, record, place, &[*number]).await?;
            }
        }
        Event::InvoiceCreditsExported(export) => {
            let chunk = standing::at(tx, assessment, partition, export.chunk).await?;
            let Some(chunk) = chunk else { return Ok(()) };
            let taken = |number: &u64| chunk.standing.may_export(*number);
            let numbers: Vec<u64> = export.numbers.iter().copied().filter(taken).collect();
            let place = (assessment, &chunk, Outcome::Exported, export.export.as_str());
            outcome(tx, record, place, &numbers).await?;
            let moved = (Channel::Invoice, "exported");
            give(tx, record, (assessment, &chunk), moved, &numbers).await?;
        }
    }
    Ok(())
}

/// Finds the chunks of numbers that ascend.
async fn by_chunk(
    tx: &mut PgConnection,
    assessment: &str,
    partition: u32,
    numbers: &[u64],
) -> Result<Vec<(Chunk, Vec<u64>)>, sqlx::Error> {
    let mut found = Vec::new();
    let mut rest = numbers;
    while let Some(first) = rest.first() {
        let Some(chunk) = standing::of_number(tx, assessment, partition, *first).await? else {
            rest = &rest[1..];
            continue;
        };
        let last = chunk.standing.orders.columns.numbers().last().copied().unwrap_or(*first);
        let (here, after) = rest.split_at(rest.partition_point(|number| *number <= last));
        found.push((chunk, here.to_vec()));
        rest = after;
    }
    Ok(found)
}

async fn insert_lease(
    tx: &mut PgConnection,
    assessment: &str,
    record: &Accepted,
    lease: &Lease,
    chunk: &Chunk,
) -> Result<(), sqlx::Error> {
    let leased_at = record.envelope.occurred_at;
    let taken = |number: &&u64| chunk.standing.may_lend(**number, leased_at);
    let numbers: Vec<i64> = lease.numbers.iter().filter(taken).map(|it| signed(*it)).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into grant_lease (assessment, partition, chunk, record_offset, lease, client, leased_at, expires_at, \
         numbers) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(assessment)
    .bind(small(record.position.partition))
    .bind(signed(chunk.number))
    .bind(signed(record.position.offset))
    .bind(&lease.lease)
    .bind(&record.envelope.actor)
    .bind(leased_at.as_microsecond())
    .bind(lease.expires_at.as_microsecond())
    .bind(numbers)
    .execute(tx)
    .await
    .map(|_| ())
}

async fn outcome(
    tx: &mut PgConnection,
    record: &Accepted,
    (assessment, chunk, outcome, note): (&str, &Chunk, Outcome, &str),
    numbers: &[u64],
) -> Result<(), sqlx::Error> {
    if numbers.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into grant_outcome (assessment, partition, chunk, record_offset, outcome, note, numbers) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(assessment)
    .bind(small(record.position.partition))
    .bind(signed(chunk.number))
    .bind(signed(record.position.offset))
    .bind(outcome as i16)
    .bind(note)
    .bind(numbers.iter().copied().map(signed).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}

/// Posts what these people were given over a channel.
async fn give(
    tx: &mut PgConnection,
    record: &Accepted,
    (assessment, chunk): (&str, &Chunk),
    (channel, reason): (Channel, &'static str),
    numbers: &[u64],
) -> Result<(), FoldError> {
    let amounts = chunk.standing.amounts(numbers, channel);
    let postings = amounts.and_then(|amounts| ledger::given(channel, &amounts));
    let postings = postings.map_err(|error| FoldError::Payload {
        position: record.position,
        problem: format!("its sums cannot be posted: {error}"),
    })?;
    let entry = Entry { assessment, chunk: chunk.number, file: "", reason };
    posting::insert(tx, record, entry, postings).await?;
    Ok(())
}

/// Gives what became of the people of a chunk, those with whom a lease, an outcome or an export has to do.
///
/// # Errors
/// The database's.
pub async fn given(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    chunk: u64,
) -> Result<BTreeMap<u64, Given>, sqlx::Error> {
    // Leases and outcomes in the order of the partition: a later lease ends an earlier failure.
    let rows = sqlx::query(
        "select record_offset, 0::smallint as what, lease as text, expires_at, numbers from grant_lease \
         where assessment = $1 and partition = $2 and chunk = $3 union all \
         select record_offset, outcome, note, null, numbers from grant_outcome \
         where assessment = $1 and partition = $2 and chunk = $3 order by record_offset",
    )
    .bind(assessment)
    .bind(small(partition))
    .bind(signed(chunk))
    .fetch_all(connection)
    .await?;
    let mut given: BTreeMap<u64, Given> = BTreeMap::new();
    for row in &rows {
        let offset = unsigned(row.try_get("record_offset")?);
        let what: i16 = row.try_get("what")?;
        let text: &str = row.try_get("text")?;
        let expires: Option<i64> = row.try_get("expires_at")?;
        let expires_at = expires.map(instant).transpose()?;
        for number in row.try_get::<Vec<i64>, _>("numbers")? {
            let one = given.entry(unsigned(number)).or_default();
            match what {
                0 => {
                    one.place.lent_until = expires_at;
                    one.place.failed = false;
                    text.clone_into(&mut one.lease);
                }
                1 => one.place.delivered = true,
                2 => {
                    one.place.failed = true;
                    one.failed_at = Some(offset);
                    one.failures += 1;
                }
                _ => one.place.exported = true,
            }
        }
    }
    Ok(given)
}

/// Gives what an export holds of an assessment, in the order of partitions and chunks: (partition, chunk, numbers).
///
/// # Errors
/// The database's.
pub async fn exported(
    connection: &mut PgConnection,
    assessment: &str,
    export: &str,
) -> Result<Vec<(u32, u64, Vec<u64>)>, sqlx::Error> {
    let rows = sqlx::query(
        "select partition, chunk, numbers from grant_outcome \
         where assessment = $1 and note = $2 and outcome = 3 order by partition, chunk, record_offset",
    )
    .bind(assessment)
    .bind(export)
    .fetch_all(connection)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let partition: i32 = row.try_get("partition")?;
        let numbers: Vec<i64> = row.try_get("numbers")?;
        let numbers = numbers.into_iter().map(unsigned).collect();
        found.push((partition.unsigned_abs(), unsigned(row.try_get("chunk")?), numbers));
    }
    Ok(found)
}
