//! The writer of the general ledger: `posting` and its sums, one balanced entry for each chunk and record.

use ristoro_domain::ledger::{Posting, released};
use ristoro_log::Position;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::FoldError;
use ristoro_runtime::stored::{signed, small};
use sqlx::PgConnection;

use super::order::{self, ChunkRow};

/// Chunks that are read at once.
const CHUNKS_A_READ: i64 = 100;

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// The assessment; empty for a payment file's.
    pub assessment: &'a str,
    /// The chunk; 0 for a payment file's.
    pub chunk: u64,
    /// The payment file; empty for all but its own.
    pub file: &'a str,
    /// What it follows from.
    pub reason: &'static str,
}

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
        let mut entries = Vec::with_capacity(chunks.len());
        for chunk in &chunks {
            let entry = Entry { assessment, chunk: chunk.number, file: "", reason: "released" };
            entries.push((entry, postings(chunk, record.position)?));
        }
        insert_all(tx, record, &entries).await?;
    }
}

fn postings(chunk: &ChunkRow, position: Position) -> Result<Vec<Posting>, FoldError> {
    let postings = chunk.chunk.totals().and_then(|totals| released(&totals));
    postings.map_err(|error| FoldError::Payload {
        position,
        problem: format!("the sums of chunk {} cannot be posted: {error}", chunk.number),
    })
}

/// Keeps the lines of an entry, and adds them to the partition's sums.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut PgConnection,
    record: &Accepted,
    entry: Entry<'_>,
    postings: Vec<Posting>,
) -> Result<(), sqlx::Error> {
    insert_all(tx, record, &[(entry, postings)]).await
}

/// Keeps the lines of a record's entries, all at once.
async fn insert_all(
    tx: &mut PgConnection,
    record: &Accepted,
    entries: &[(Entry<'_>, Vec<Posting>)],
) -> Result<(), sqlx::Error> {
    let lines = entries.iter().flat_map(|(entry, lines)| lines.iter().map(move |one| (entry, one)));
    let lines: Vec<(&Entry<'_>, &Posting)> = lines.collect();
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "with line as (select * from unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], \
         $9::text[], $10::bigint[], $11::bigint[]) as line (chunk, assessment, file, reason, account, currency, \
         debit_minor, credit_minor)), posted as (insert into posting (partition, record_offset, occurred_at, chunk, \
         assessment, file, reason, account, currency, debit_minor, credit_minor) select $1, $2, $3, * from line) \
         insert into ledger_balance as known (partition, account, currency, debit_minor, credit_minor) \
         select $1, account, currency, sum(debit_minor)::bigint, sum(credit_minor)::bigint from line \
         group by account, currency on conflict (partition, account, currency) do update \
         set debit_minor = known.debit_minor + excluded.debit_minor, \
         credit_minor = known.credit_minor + excluded.credit_minor",
    )
    .bind(small(record.position.partition))
    .bind(signed(record.position.offset))
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(lines.iter().map(|(entry, _)| signed(entry.chunk)).collect::<Vec<_>>())
    .bind(lines.iter().map(|(entry, _)| entry.assessment).collect::<Vec<_>>())
    .bind(lines.iter().map(|(entry, _)| entry.file).collect::<Vec<_>>())
    .bind(lines.iter().map(|(entry, _)| entry.reason).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, one)| one.account.name()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, one)| one.currency.code()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, one)| one.debit_minor).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, one)| one.credit_minor).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}
