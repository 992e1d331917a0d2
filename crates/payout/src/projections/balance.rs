//! Reads of the general ledger: balances, postings, and the comparison with the chunks that it controls.

use std::collections::BTreeMap;

use ristoro_domain::ledger::{Account, released};
use ristoro_domain::money::{Currency, Money};
use ristoro_runtime::stored::{decode_error, signed, small, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::order;

/// Chunks that are compared at once.
const CHUNKS_A_READ: i64 = 100;

/// The sums of one account in one currency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalanceRow {
    /// The account's name.
    pub account: String,
    /// All debits.
    pub debit: Money,
    /// All credits.
    pub credit: Money,
}

/// Where a posting stands, in the order of lists.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PostingKey {
    /// The partition.
    pub partition: u32,
    /// The record's offset.
    pub offset: u64,
    /// The chunk.
    pub chunk: u64,
    /// The account's name.
    pub account: String,
    /// The currency's code.
    pub currency: String,
}

/// One line of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostingRow {
    /// Where it stands.
    pub key: PostingKey,
    /// The debit.
    pub debit: Money,
    /// The credit.
    pub credit: Money,
    /// What it follows from: released, submitted, rejected, returned, delivered, exported.
    pub reason: String,
    /// The assessment; empty for a payment file's.
    pub assessment: String,
    /// The payment file; empty for all but its own.
    pub file: String,
    /// Business time in microseconds.
    pub occurred_at: i64,
}

/// Where the ledger and a chunk differ: debits less credits of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The chunk.
    pub subject: String,
    /// The account's name.
    pub account: String,
    /// What the ledger has.
    pub ledger: Money,
    /// What the payouts have.
    pub payouts: Money,
}

/// Gives the balances of one account or of all, by account and currency.
///
/// # Errors
/// The database's.
pub async fn balances(
    connection: &mut PgConnection,
    account: Option<Account>,
) -> Result<Vec<BalanceRow>, sqlx::Error> {
    // A sum that left 64 bits fails here rather than show a wrong balance.
    let rows = sqlx::query(
        "select account, currency, sum(debit_minor)::bigint as debit_minor, \
         sum(credit_minor)::bigint as credit_minor from posting \
         where $1::text is null or account = $1 group by account, currency order by account, currency",
    )
    .bind(account.map(Account::name))
    .fetch_all(connection)
    .await?;
    let balance = |row: &PgRow| {
        let (debit, credit) = sides(row)?;
        Ok(BalanceRow { account: row.try_get("account")?, debit, credit })
    };
    rows.iter().map(balance).collect()
}

fn sides(row: &PgRow) -> Result<(Money, Money), sqlx::Error> {
    let currency: Currency = row.try_get::<&str, _>("currency")?.parse().map_err(decode_error)?;
    let money = |column| Ok::<_, sqlx::Error>(Money::new(row.try_get(column)?, currency));
    Ok((money("debit_minor")?, money("credit_minor")?))
}

/// Lists postings behind a key, by partition and then in the order of the log.
///
/// # Errors
/// The database's.
pub async fn list(
    connection: &mut PgConnection,
    (account, assessment): (Option<Account>, Option<&str>),
    after: &PostingKey,
    limit: i64,
) -> Result<Vec<PostingRow>, sqlx::Error> {
    let rows = sqlx::query(
        "select partition, record_offset, chunk, account, currency, debit_minor, credit_minor, reason, \
         assessment, file, occurred_at from posting where ($1::text is null or account = $1) and ($2::text is null or assessment = $2) \
         and (partition, record_offset, chunk, account, currency) > ($3, $4, $5, $6, $7) \
         order by partition, record_offset, chunk, account, currency limit $8",
    )
    .bind(account.map(Account::name))
    .bind(assessment)
    .bind(small(after.partition))
    .bind(signed(after.offset))
    .bind(signed(after.chunk))
    .bind(&after.account)
    .bind(&after.currency)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let posting = |row: &PgRow| {
        let (debit, credit) = sides(row)?;
        let key = PostingKey {
            partition: row.try_get::<i32, _>("partition")?.unsigned_abs(),
            offset: unsigned(row.try_get("record_offset")?),
            chunk: unsigned(row.try_get("chunk")?),
            account: row.try_get("account")?,
            currency: row.try_get("currency")?,
        };
        Ok(PostingRow {
            key,
            debit,
            credit,
            reason: row.try_get("reason")?,
            assessment: row.try_get("assessment")?,
            file: row.try_get("file")?,
            occurred_at: row.try_get("occurred_at")?,
        })
    };
    rows.iter().map(posting).collect()
}

/// Compares what was posted at the release of every chunk with its orders; gives what differs, at most `most`, and how many
/// chunks were compared.
///
/// # Errors
/// The database's; `Decode` where a chunk's sums leave 64 bits.
pub async fn check(
    connection: &mut PgConnection,
    most: usize,
) -> Result<(Vec<Difference>, u64), sqlx::Error> {
    let streams: Vec<(String, i32)> = sqlx::query_as(
        "select assessment, partition from order_stream where state = 2 order by 1, 2",
    )
    .fetch_all(&mut *connection)
    .await?;
    let (mut differences, mut compared) = (Vec::new(), 0);
    for (assessment, partition) in streams {
        let (partition, mut after) = (partition.unsigned_abs(), 0);
        loop {
            let chunks =
                order::chunks_after(connection, &assessment, partition, after, CHUNKS_A_READ);
            let chunks = chunks.await?;
            let Some(last) = chunks.last() else { break };
            let posted = posted(connection, (&assessment, partition), (after, last.number)).await?;
            after = last.number;
            for row in &chunks {
                let totals = row.chunk.totals().map_err(decode_error)?;
                let mut both: BTreeMap<(Account, Currency), (i64, i64)> = BTreeMap::new();
                for one in released(&totals).map_err(decode_error)? {
                    both.entry((one.account, one.currency)).or_default().1 =
                        one.debit_minor - one.credit_minor;
                }
                for (account, money) in posted.get(&row.number).into_iter().flatten() {
                    both.entry((*account, money.currency)).or_default().0 = money.minor;
                }
                compared += 1;
                let subject =
                    format!("assessments/{assessment} partition {partition} chunk {}", row.number);
                let differing = both.into_iter().filter(|(_, (ledger, payouts))| ledger != payouts);
                differences.extend(differing.map(|((account, currency), (ledger, payouts))| {
                    Difference {
                        subject: subject.clone(),
                        account: account.name().to_owned(),
                        ledger: Money::new(ledger, currency),
                        payouts: Money::new(payouts, currency),
                    }
                }));
                if differences.len() >= most {
                    differences.truncate(most);
                    return Ok((differences, compared));
                }
            }
        }
    }
    Ok((differences, compared))
}

/// Gives debits less credits by chunk and account, of the chunks behind the first number up to the second.
async fn posted(
    connection: &mut PgConnection,
    (assessment, partition): (&str, u32),
    (after, last): (u64, u64),
) -> Result<BTreeMap<u64, Vec<(Account, Money)>>, sqlx::Error> {
    let rows = sqlx::query(
        "select chunk, account, currency, sum(debit_minor - credit_minor)::bigint as debit_minor, \
         0::bigint as credit_minor from posting where assessment = $1 and partition = $2 \
         and reason = 'released' and chunk > $3 and chunk <= $4 group by chunk, account, currency",
    )
    .bind(assessment)
    .bind(small(partition))
    .bind(signed(after))
    .bind(signed(last))
    .fetch_all(connection)
    .await?;
    let mut posted: BTreeMap<u64, Vec<(Account, Money)>> = BTreeMap::new();
    for row in &rows {
        let name: &str = row.try_get("account")?;
        let account = Account::named(name).ok_or_else(|| {
            sqlx::Error::Protocol(format!("posting.account {name} is no account of this program"))
        })?;
        let chunk = unsigned(row.try_get("chunk")?);
        posted.entry(chunk).or_default().push((account, sides(row)?.0));
    }
    Ok(posted)
}
