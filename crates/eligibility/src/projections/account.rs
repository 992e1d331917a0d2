//! `account`: arrears, unpaid invoices, storage and the term of single subscriptions, as append-only history.

use std::collections::BTreeMap;

use jiff::civil::Date;
use ristoro_domain::facts::Account;
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::PgConnection;

use super::subscription::undecodable;

/// A row: number, offset, arrears, the oldest unpaid invoice, storage, the term's end.
type Row = (i64, i64, bool, Option<String>, Option<i64>, Option<String>);

const COLUMNS: &str = "number, recorded_at, in_arrears, to_char(unpaid_since, 'YYYY-MM-DD'), quota_bytes, \
                       to_char(term_end, 'YYYY-MM-DD')";

/// Records an account in place of the current one, which stays as history.
pub(super) async fn supersede(
    tx: &mut PgConnection,
    recorded_at: i64,
    number: u64,
    account: &Account,
) -> Result<(), sqlx::Error> {
    let query = "update account set superseded_at = $2 where number = $1 and superseded_at is null";
    sqlx::query(query).bind(signed(number)).bind(recorded_at).execute(&mut *tx).await?;
    sqlx::query(
        "insert into account (number, recorded_at, in_arrears, unpaid_since, quota_bytes, term_end) \
         values ($1, $2, $3, $4::text::date, $5, $6::text::date)",
    )
    .bind(signed(number))
    .bind(recorded_at)
    .bind(account.in_arrears)
    .bind(account.unpaid_since.map(|day| day.to_string()))
    .bind(account.quota_bytes.map(signed))
    .bind(account.term_end.map(|day| day.to_string()))
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives the accounts in a range of numbers, behind the first up to the last, as of a pin.
pub(super) async fn as_of(
    connection: &mut PgConnection,
    (after, last): (u64, u64),
    roster_offset: u64,
) -> Result<BTreeMap<u64, Account>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from account where number > $1 and number <= $2 \
         and recorded_at < $3 and (superseded_at is null or superseded_at >= $3)"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(signed(after))
        .bind(signed(last))
        .bind(signed(roster_offset))
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| Ok((unsigned(row.0), account(row)?))).collect()
}

/// Gives what was recorded of a subscription's account below a pin, in that order, each with its offset; the last one holds.
///
/// # Errors
/// The database's, and `Decode` for a row that no version of this program wrote.
pub async fn recorded(
    connection: &mut PgConnection,
    number: u64,
    roster_offset: u64,
) -> Result<Vec<(u64, Account)>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from account where number = $1 and recorded_at < $2 order by recorded_at"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(signed(number))
        .bind(signed(roster_offset))
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| Ok((unsigned(row.1), account(row)?))).collect()
}

fn account(
    (_, _, in_arrears, unpaid_since, quota_bytes, term_end): Row,
) -> Result<Account, sqlx::Error> {
    Ok(Account {
        in_arrears,
        unpaid_since: day(unpaid_since)?,
        quota_bytes: quota_bytes.map(unsigned),
        term_end: day(term_end)?,
    })
}

fn day(text: Option<String>) -> Result<Option<Date>, sqlx::Error> {
    let day = text.map(|text| text.parse().map_err(|_| undecodable(format!("{text} is no day"))));
    day.transpose()
}
