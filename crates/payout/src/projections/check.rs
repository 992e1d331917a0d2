//! The proof that the general ledger and what it controls agree: every entry balances, and at every chunk's end the
//! control accounts come to what its people, one by one, are owed and were given.
//!
//! Each side is computed from other rows: the ledger from postings, and what files hold from reservations; the payouts
//! from orders, holds, failures, leases and outcomes.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::ledger::{self, Account, Posting};
use ristoro_domain::money::{Currency, Money};
use ristoro_runtime::stored::{decode_error, signed, small, unsigned, unsigned_small};
use sqlx::{PgConnection, Row};

use super::order::{self, ChunkRow};
use super::standing::{self, Chunk};
use super::{check_file, check_hold};

/// Chunks that are compared at once.
const CHUNKS_A_READ: i64 = 100;

/// Where the ledger and what it controls differ: debits less credits of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The chunk, the payment file or the entry.
    pub subject: String,
    /// The account's name; empty where it is about all accounts of an entry.
    pub account: String,
    /// What the ledger has.
    pub ledger: Money,
    /// What the payouts have.
    pub payouts: Money,
}

/// What a check has found so far.
#[derive(Debug)]
pub(super) struct Findings {
    differences: Vec<Difference>,
    compared: u64,
    most: usize,
}

/// Debits less credits, by account and currency.
pub(super) type Sums = BTreeMap<(Account, Currency), i128>;

impl Findings {
    /// Notes where two sides differ about a subject.
    pub(super) fn compare(&mut self, subject: &str, ledger: &Sums, payouts: &Sums) {
        self.compared += 1;
        let keys: BTreeSet<_> = ledger.keys().chain(payouts.keys()).collect();
        for key @ (account, currency) in keys {
            let side = |sums: &Sums| sums.get(key).copied().unwrap_or(0);
            let sides = (side(ledger), side(payouts));
            if sides.0 != sides.1 {
                self.note(subject, account.name(), sides, *currency);
            }
        }
    }

    /// Notes a difference; what leaves 64 bits is shown as their end.
    pub(super) fn note(
        &mut self,
        subject: &str,
        account: &str,
        (ledger, payouts): (i128, i128),
        currency: Currency,
    ) {
        let money = |sum: i128| {
            let end = if sum < 0 { i64::MIN } else { i64::MAX };
            Money::new(i64::try_from(sum).unwrap_or(end), currency)
        };
        let (subject, account) = (subject.to_owned(), account.to_owned());
        let (ledger, payouts) = (money(ledger), money(payouts));
        self.differences.push(Difference { subject, account, ledger, payouts });
    }

    fn is_full(&self) -> bool {
        self.differences.len() >= self.most
    }
}

/// Adds the lines of an entry.
pub(super) fn add(sums: &mut Sums, postings: &[Posting]) {
    for one in postings {
        let sum = sums.entry((one.account, one.currency)).or_default();
        *sum += i128::from(one.debit_minor) - i128::from(one.credit_minor);
    }
}

/// Compares everything; gives what differs, at most `most`, and how many chunks and files were compared.
///
/// # Errors
/// The database's; `Decode` where sums leave 64 bits.
pub async fn check(
    connection: &mut PgConnection,
    most: usize,
) -> Result<(Vec<Difference>, u64), sqlx::Error> {
    let mut found = Findings { differences: Vec::new(), compared: 0, most };
    entries(connection, &mut found).await?;
    kept_sums(connection, &mut found).await?;
    let files = check_file::check(connection, &mut found).await?;
    let streams: Vec<(String, i32)> =
        sqlx::query_as("select assessment, partition from order_stream order by 1, 2")
            .fetch_all(&mut *connection)
            .await?;
    for (assessment, partition) in streams {
        let place = (assessment.as_str(), unsigned_small(partition));
        if found.is_full() {
            break;
        }
        stream(connection, place, &files, &mut found).await?;
    }
    strays(connection, &mut found).await?;
    found.differences.truncate(most);
    Ok((found.differences, found.compared))
}

/// Every entry balances in every currency.
async fn entries(connection: &mut PgConnection, found: &mut Findings) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "select partition, record_offset, chunk, currency, sum(debit_minor - credit_minor)::bigint as minor \
         from posting group by partition, record_offset, chunk, currency \
         having sum(debit_minor) <> sum(credit_minor) order by 1, 2, 3, 4",
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let (partition, offset): (i32, i64) =
            (row.try_get("partition")?, row.try_get("record_offset")?);
        let chunk: i64 = row.try_get("chunk")?;
        let currency = currency(row.try_get("currency")?)?;
        let minor: i64 = row.try_get("minor")?;
        let subject = format!("entry of ristoro.payout.v1/{partition}/{offset}, chunk {chunk}");
        found.note(&subject, "", (i128::from(minor), 0), currency);
    }
    Ok(())
}

/// The sums that are kept by partition are those of the postings.
async fn kept_sums(connection: &mut PgConnection, found: &mut Findings) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "select partition, account, currency, coalesce(kept.minor, 0) as kept, coalesce(posted.minor, 0) as posted \
         from (select partition, account, currency, sum(debit_minor - credit_minor)::bigint as minor \
         from posting group by 1, 2, 3) as posted full join \
         (select partition, account, currency, debit_minor - credit_minor as minor from ledger_balance) as kept \
         using (partition, account, currency) \
         where coalesce(kept.minor, 0) <> coalesce(posted.minor, 0) order by 1, 2, 3",
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let partition: i32 = row.try_get("partition")?;
        let (kept, posted): (i64, i64) = (row.try_get("kept")?, row.try_get("posted")?);
        let currency = currency(row.try_get("currency")?)?;
        let subject = format!("balances of partition {partition} against its postings");
        let sides = (i128::from(kept), i128::from(posted));
        found.note(&subject, row.try_get("account")?, sides, currency);
    }
    Ok(())
}

/// The chunks of an assessment's partition.
async fn stream(
    connection: &mut PgConnection,
    (assessment, partition): (&str, u32),
    files: &BTreeMap<String, Currency>,
    found: &mut Findings,
) -> Result<(), sqlx::Error> {
    let broken = check_hold::broken(connection, assessment, partition).await?;
    let mut after = 0;
    loop {
        let place = (assessment, partition);
        let rows =
            order::chunks_after(connection, assessment, partition, after, CHUNKS_A_READ).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        let mut posted = posted(connection, place, (after, last.number)).await?;
        after = last.number;
        for row in rows {
            let mut ledger = posted.remove(&row.number).unwrap_or_default();
            let chunk = with_files(connection, place, row, files, &mut ledger).await?;
            let submitted: BTreeSet<String> = files.keys().cloned().collect();
            let positions = ledger::positions(&chunk.standing, &submitted);
            let mut payouts = Sums::new();
            add(&mut payouts, &positions.map_err(decode_error)?);
            let subject =
                format!("assessments/{assessment} partition {partition} chunk {}", chunk.number);
            found.compare(&subject, &ledger, &payouts);
            check_hold::note(&subject, &chunk.standing, &broken, found).map_err(decode_error)?;
            if found.is_full() {
                return Ok(());
            }
        }
    }
}

/// Reads what happened to a chunk's people, and adds to the ledger's side what files at the bank hold of them: a file
/// is posted as a whole.
async fn with_files(
    connection: &mut PgConnection,
    (assessment, partition): (&str, u32),
    row: ChunkRow,
    files: &BTreeMap<String, Currency>,
    ledger: &mut Sums,
) -> Result<Chunk, sqlx::Error> {
    let chunk = standing::of(connection, assessment, partition, row).await?;
    for holding in &chunk.standing.holdings {
        let Some(currency) = files.get(&holding.file) else { continue };
        for row in &holding.rows {
            let postings = ledger::submitted(Money::new(row.amount_minor, *currency));
            add(ledger, &postings.map_err(decode_error)?);
        }
    }
    Ok(chunk)
}

/// Gives what was posted about the chunks behind the first number up to the second.
async fn posted(
    connection: &mut PgConnection,
    (assessment, partition): (&str, u32),
    (after, last): (u64, u64),
) -> Result<BTreeMap<u64, Sums>, sqlx::Error> {
    let rows = sqlx::query(
        "select chunk, account, currency, sum(debit_minor - credit_minor)::bigint as minor from posting \
         where assessment = $1 and partition = $2 and chunk > $3 and chunk <= $4 group by 1, 2, 3",
    )
    .bind(assessment)
    .bind(small(partition))
    .bind(signed(after))
    .bind(signed(last))
    .fetch_all(connection)
    .await?;
    let mut posted: BTreeMap<u64, Sums> = BTreeMap::new();
    for row in &rows {
        let name: &str = row.try_get("account")?;
        let account = Account::named(name).ok_or_else(|| {
            sqlx::Error::Protocol(format!("posting.account {name} is no account of this program"))
        })?;
        let key = (account, currency(row.try_get("currency")?)?);
        let minor: i64 = row.try_get("minor")?;
        let chunk = unsigned(row.try_get("chunk")?);
        posted.entry(chunk).or_default().insert(key, i128::from(minor));
    }
    Ok(posted)
}

/// Nothing is posted about a chunk or a file that is not there.
async fn strays(connection: &mut PgConnection, found: &mut Findings) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "select partition, record_offset, chunk, account, currency, debit_minor - credit_minor as minor \
         from posting where (file = '' and not exists (select from order_chunk as known \
         where known.assessment = posting.assessment and known.partition = posting.partition \
         and known.chunk = posting.chunk)) \
         or (file <> '' and not exists (select from payment_file as known where known.file = posting.file)) \
         order by 1, 2, 3, 4, 5",
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let (partition, offset): (i32, i64) =
            (row.try_get("partition")?, row.try_get("record_offset")?);
        let minor: i64 = row.try_get("minor")?;
        let currency = currency(row.try_get("currency")?)?;
        let subject = format!("entry of ristoro.payout.v1/{partition}/{offset} about nothing");
        found.note(&subject, row.try_get("account")?, (i128::from(minor), 0), currency);
    }
    Ok(())
}

pub(super) fn currency(code: &str) -> Result<Currency, sqlx::Error> {
    code.parse().map_err(decode_error)
}
