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
        for chunk in &chunks {
            let postings = postings(chunk, record.position)?;
            let entry = Entry { assessment, chunk: chunk.number, file: "", reason: "released" };
            insert(tx, record, entry, &postings).await?;
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

/// Keeps the lines of an entry, and adds them to the partition's sums.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut PgConnection,
    record: &Accepted,
    entry: Entry<'_>,
    postings: &[Posting],
) -> Result<(), sqlx::Error> {
    if postings.is_empty() {
        return Ok(());
    }
    let texts = |text: fn(&Posting) -> String| postings.iter().map(text).collect::<Vec<_>>();
    let sums = |sum: fn(&Posting) -> i64| postings.iter().map(sum).collect::<Vec<_>>();
    let accounts = texts(|posting| posting.account.name().to_owned());
    let currencies = texts(|posting| posting.currency.code().to_owned());
    let (debits, credits) = (sums(|it| it.debit_minor), sums(|it| it.credit_minor));
    sqlx::query(
        "insert into posting (partition, record_offset, chunk, assessment, file, reason, occurred_at, account, \
         currency, debit_minor, credit_minor) select $1, $2, $3, $4, $5, $6, $7, * \
         from unnest($8::text[], $9::text[], $10::bigint[], $11::bigint[])",
    )
    .bind(small(record.position.partition))
    .bind(signed(record.position.offset))
    .bind(signed(entry.chunk))
    .bind(entry.assessment)
    .bind(entry.file)
    .bind(entry.reason)
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(&accounts)
    .bind(&currencies)
    .bind(&debits)
    .bind(&credits)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "insert into ledger_balance as known (partition, account, currency, debit_minor, credit_minor) \
         select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) \
         on conflict (partition, account, currency) do update \
         set debit_minor = known.debit_minor + excluded.debit_minor, \
         credit_minor = known.credit_minor + excluded.credit_minor",
    )
    .bind(small(record.position.partition))
    .bind(&accounts)
    .bind(&currencies)
    .bind(&debits)
    .bind(&credits)
    .execute(tx)
    .await
    .map(|_| ())
}
