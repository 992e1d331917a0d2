//! What can be drawn from released chunks: which chunks a file, a lease or an export looks at next, and how much there is.

use ristoro_runtime::stored::{signed, small, unsigned};
use sqlx::{PgConnection, Row};

/// A chunk that something may be drawn from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The assessment.
    pub assessment: String,
    /// The chunk.
    pub chunk: u64,
}

/// Gives the chunks of a partition that a payment file draws on behind a place, in the order of assessment and chunk:
/// those with a transfer that were released before an offset, of these assessments or of all.
///
/// # Errors
/// The database's.
pub async fn with_transfers(
    connection: &mut PgConnection,
    (partition, before_offset): (u32, u64),
    assessments: &[String],
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Place>, sqlx::Error> {
    // The order is that of Rust's strings, whatever the database's collation is.
    let rows = sqlx::query(
        "select assessment, chunk from order_chunk join order_stream using (assessment, partition) \
         where partition = $1 and state = 2 and ended_offset < $2 and transfers > 0 \
         and (cardinality($3::text[]) = 0 or assessment = any($3)) \
         and (assessment collate \"C\", chunk) > ($4::text collate \"C\", $5) \
         order by assessment collate \"C\", chunk limit $6",
    )
    .bind(small(partition))
    .bind(signed(before_offset))
    .bind(assessments)
    .bind(after.map_or("", |place| &place.assessment))
    .bind(after.map_or(0, |place| signed(place.chunk)))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let place = |row: &sqlx::postgres::PgRow| {
        let chunk = unsigned(row.try_get("chunk")?);
        Ok(Place { assessment: row.try_get("assessment")?, chunk })
    };
    rows.iter().map(place).collect()
}

/// Gives, by partition, how many transfers a file of these assessments or of all could hold at most.
///
/// # Errors
/// The database's.
pub async fn available(
    connection: &mut PgConnection,
    assessments: &[String],
    partitions: u32,
) -> Result<Vec<u64>, sqlx::Error> {
    // Every retry makes one more attempt of what a file has held already.
    let rows = sqlx::query(
        "select partition, sum(people)::bigint as people from ( \
         select partition, transfers::bigint as people from order_chunk \
         join order_stream using (assessment, partition) \
         where state = 2 and (cardinality($1::text[]) = 0 or assessment = any($1)) union all \
         select partition, -cardinality(numbers)::bigint from reservation \
         join reservation_stream using (file, partition) \
         where phase < 3 and (cardinality($1::text[]) = 0 or assessment = any($1)) union all \
         select partition, 1 from payout_difference \
         where kind = 'retried' and (cardinality($1::text[]) = 0 or assessment = any($1)) \
         ) as part group by partition",
    )
    .bind(assessments)
    .fetch_all(connection)
    .await?;
    let mut available = vec![0; partitions as usize];
    for row in rows {
        let partition: i32 = row.try_get("partition")?;
        let people: i64 = row.try_get("people")?;
        if let Some(place) = available.get_mut(partition.unsigned_abs() as usize) {
            *place = u64::try_from(people).unwrap_or(0);
        }
    }
    Ok(available)
}

/// Gives the next chunk of a released partition that has grants which were not delivered.
///
/// # Errors
/// The database's.
pub async fn next_with_grants(
    connection: &mut PgConnection,
    (assessment, partition): (&str, u32),
    after: u64,
) -> Result<Option<u64>, sqlx::Error> {
    next(connection, NEXT_GRANTS, (assessment, partition), after).await
}

/// Gives the next chunk of a released partition that has invoice credits which were not exported.
///
/// # Errors
/// The database's.
pub async fn next_with_credits(
    connection: &mut PgConnection,
    (assessment, partition): (&str, u32),
    after: u64,
) -> Result<Option<u64>, sqlx::Error> {
    next(connection, NEXT_CREDITS, (assessment, partition), after).await
}

const NEXT_GRANTS: &str = "select chunk from order_chunk join order_stream using (assessment, partition) \
    where assessment = $1 and partition = $2 and chunk > $3 and state = 2 \
    and grants > (select coalesce(sum(cardinality(numbers)), 0) from grant_outcome as done \
    where done.assessment = $1 and done.partition = $2 and done.chunk = order_chunk.chunk and outcome = 1) \
    order by chunk limit 1";

const NEXT_CREDITS: &str = "select chunk from order_chunk join order_stream using (assessment, partition) \
    where assessment = $1 and partition = $2 and chunk > $3 and state = 2 \
    and invoices > (select coalesce(sum(cardinality(numbers)), 0) from grant_outcome as done \
    where done.assessment = $1 and done.partition = $2 and done.chunk = order_chunk.chunk and outcome = 3) \
    order by chunk limit 1";

async fn next(
    connection: &mut PgConnection,
    query: &'static str,
    (assessment, partition): (&str, u32),
    after: u64,
) -> Result<Option<u64>, sqlx::Error> {
    let chunk: Option<i64> = sqlx::query_scalar(query)
        .bind(assessment)
        .bind(small(partition))
        .bind(signed(after))
        .fetch_optional(connection)
        .await?;
    Ok(chunk.map(unsigned))
}

/// Tells whether anything was ever ordered for an assessment.
///
/// # Errors
/// The database's.
pub async fn is_known(
    connection: &mut PgConnection,
    assessment: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from order_stream where assessment = $1)")
        .bind(assessment)
        .fetch_one(connection)
        .await
}

/// Gives the partitions of an assessment that have orders.
///
/// # Errors
/// The database's.
pub async fn partitions(
    connection: &mut PgConnection,
    assessment: &str,
) -> Result<Vec<u32>, sqlx::Error> {
    let partitions: Vec<i32> = sqlx::query_scalar(
        "select partition from order_stream where assessment = $1 order by partition",
    )
    .bind(assessment)
    .fetch_all(connection)
    .await?;
    Ok(partitions.into_iter().map(i32::unsigned_abs).collect())
}
