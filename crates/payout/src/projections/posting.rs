//! The general ledger: one balanced entry for each chunk that is released.

use ristoro_domain::ledger::{Posting, released};
use ristoro_log::Position;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::FoldError;
use sqlx::PgConnection;

use super::order::{self, ChunkRow};
use super::stored::{partition_number, signed};

/// Chunks that are read at once.
const CHUNKS_A_READ: i64 = 100;

/// Posts what every chunk of a released stream owes.
///
/// # Errors
/// `Payload` where sums leave 64 bits, and the database's.
pub async fn post_release(
    tx: &mut PgConnection,
    assessment: &str,
    record: &Accepted,
) -> Result<(), FoldError> {
    let partition = record.position.partition;
    let mut after = 0;
    loop {
        let chunks = order::chunks_after(tx, assessment, partition, after, CHUNKS_A_READ).await?;
        let Some(last) = chunks.last() else { return Ok(()) };
        after = last.number;
        for chunk in &chunks {
            let postings = postings(chunk, record.position)?;
            insert(tx, (assessment, chunk.number), record, &postings).await?;
        }
    }
}

fn postings(chunk: &ChunkRow, position: Position) -> Result<Vec<Posting>, FoldError> {
    let postings = chunk.chunk.totals().and_then(|totals| released(&totals));
    postings.map_err(|error| FoldError::Payload {
        position,
        problem: format!("the sums of chunk {} cannot be posted: {error}", chunk.number),
    })
}

async fn insert(
    tx: &mut PgConnection,
    (assessment, chunk): (&str, u64),
    record: &Accepted,
    postings: &[Posting],
) -> Result<(), sqlx::Error> {
    let texts = |text: fn(&Posting) -> String| postings.iter().map(text).collect::<Vec<_>>();
    sqlx::query(
        "insert into posting (partition, record_offset, chunk, assessment, occurred_at, account, currency, \
         debit_minor, credit_minor) select $1, $2, $3, $4, $5, * \
         from unnest($6::text[], $7::text[], $8::bigint[], $9::bigint[])",
    )
    .bind(partition_number(record.position.partition))
    .bind(signed(record.position.offset))
    .bind(signed(chunk))
    .bind(assessment)
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(texts(|posting| posting.account.name().to_owned()))
    .bind(texts(|posting| posting.currency.code().to_owned()))
    .bind(postings.iter().map(|posting| posting.debit_minor).collect::<Vec<_>>())
    .bind(postings.iter().map(|posting| posting.credit_minor).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}
