//! Payment files against the ledger and against what they state: what is at the bank was posted, and nothing else.

use std::collections::BTreeMap;

use ristoro_domain::ledger::{self, Account};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::payment_file::{FileContent, Status};
use ristoro_domain::reservation::{Closing, Phase, ReservationDigest};
use ristoro_runtime::stored::decode_error;
use sqlx::{PgConnection, Row};

use super::check::{Findings, Sums, add, currency};
use super::payment_file::{self, FileRow};
use super::reservation::{self, StreamRow};

/// Files that are read at once.
const FILES_A_READ: i64 = 100;

/// Compares all files; gives those that went to the bank, with their currency.
pub(super) async fn check(
    connection: &mut PgConnection,
    found: &mut Findings,
) -> Result<BTreeMap<String, Currency>, sqlx::Error> {
    let mut submitted = BTreeMap::new();
    let mut after = (i64::MIN, String::new());
    loop {
        let rows = payment_file::list(connection, (after.0, &after.1), FILES_A_READ).await?;
        let Some(last) = rows.last() else { return Ok(submitted) };
        after = (last.created_at.as_microsecond(), last.file.clone());
        for row in &rows {
            if row.status == Status::Submitted {
                submitted.insert(row.file.clone(), row.creation.currency);
            }
            file(connection, row, found).await?;
        }
    }
}

async fn file(
    connection: &mut PgConnection,
    row: &FileRow,
    found: &mut Findings,
) -> Result<(), sqlx::Error> {
    let subject = format!("paymentFiles/{}", row.file);
    let mut held = Vec::new();
    for stream in reservation::streams(connection, &row.file).await? {
        let holds = closing(connection, row, stream.partition).await?;
        if !is_stated(&stream, &holds) {
            let subject = format!("{subject} partition {}: what it states", stream.partition);
            let stated = stream.closing.map_or(stream.total_minor, |closing| closing.total.minor);
            differ(&subject, stated, holds.total, found);
        }
        held.push(holds);
    }
    let content = FileContent::of(&held, row.creation.currency).map_err(decode_error)?;
    if let Some(approved) = row.approved.filter(|_| row.status != Status::Cancelled)
        && approved != content
    {
        let subject = format!("{subject}: what was approved");
        differ(&subject, approved.total.minor, content.total, found);
    }
    let mut payouts = Sums::new();
    if row.status == Status::Submitted {
        add(&mut payouts, &ledger::submitted(content.total).map_err(decode_error)?);
    }
    let posted = posted(connection, &row.file).await?;
    found.compare(&subject, &posted, &payouts);
    Ok(())
}

/// Notes that a file states something other than it holds, be it in the same sum.
fn differ(subject: &str, stated: i64, holds: Money, found: &mut Findings) {
    let account = Account::PayableTransfer.name();
    found.note(subject, account, (i128::from(stated), i128::from(holds.minor)), holds.currency);
}

/// Computes what a partition of a file holds.
async fn closing(
    connection: &mut PgConnection,
    row: &FileRow,
    partition: u32,
) -> Result<Closing, sqlx::Error> {
    let mut digest = ReservationDigest::default();
    for held in reservation::held_chunks(connection, &row.file, partition).await? {
        held.rows.iter().for_each(|one| digest.add(&held.assessment, one));
    }
    Ok(digest.finish(row.creation.currency))
}

fn is_stated(stream: &StreamRow, holds: &Closing) -> bool {
    let counted = stream.count == holds.count && stream.total_minor == holds.total.minor;
    let ended = stream.state.phase == Phase::Closed;
    counted && (!ended || stream.closing.as_ref() == Some(holds))
}

async fn posted(connection: &mut PgConnection, file: &str) -> Result<Sums, sqlx::Error> {
    let rows = sqlx::query(
        "select account, currency, sum(debit_minor - credit_minor)::bigint as minor from posting \
         where file = $1 group by account, currency",
    )
    .bind(file)
    .fetch_all(connection)
    .await?;
    let mut sums = Sums::new();
    for row in &rows {
        let name: &str = row.try_get("account")?;
        let account = Account::named(name).ok_or_else(|| {
            sqlx::Error::Protocol(format!("posting.account {name} is no account of this program"))
        })?;
        let minor: i64 = row.try_get("minor")?;
        sums.insert((account, currency(row.try_get("currency")?)?), i128::from(minor));
    }
    Ok(sums)
}
