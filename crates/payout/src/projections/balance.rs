//! Reads of the general ledger: balances and postings.

use ristoro_domain::ledger::Account;
use ristoro_domain::money::{Currency, Money};
use ristoro_runtime::stored::{decode_error, signed, small, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

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

/// Gives the balances of one account or of all, by account and currency.
///
/// # Errors
/// The database's.
pub async fn balances(
    connection: &mut PgConnection,
    account: Option<Account>,
) -> Result<Vec<BalanceRow>, sqlx::Error> {
    // The sums are kept by partition. One that left 64 bits fails here rather than show a wrong balance.
    let rows = sqlx::query(
        "select account, currency, sum(debit_minor)::bigint as debit_minor, \
         sum(credit_minor)::bigint as credit_minor from ledger_balance \
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
