//! How subscriptions can be paid, in pages: a byte for each of a batch, and the other tables where that is not enough.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::order::Payable;
use ristoro_domain::roster::ImportRow;
use ristoro_domain::time::Instant;
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::{PgConnection, Row};

use super::payee::{self, reaches};

const BY_TRANSFER: u8 = 1;
const BY_INVOICE: u8 = 2;
const ASK: u8 = 4;

/// Keeps a batch as a page. `known` are those of its subscribers whose account an earlier batch told.
pub(super) async fn insert(
    tx: &mut PgConnection,
    recorded_at: i64,
    first_number: u64,
    rows: &[ImportRow],
    known: &BTreeSet<String>,
) -> Result<(), sqlx::Error> {
    let mut rows_of: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *rows_of.entry(&row.subscriber).or_default() += 1;
    }
    let byte = |row: &ImportRow| {
        // An account belongs to the subscriber: where several rows tell of it, the tables know which counts.
        let shared = rows_of[row.subscriber.as_str()] > 1 || known.contains(&row.subscriber);
        if shared || row.valid_to.is_some() {
            return ASK;
        }
        let payee = row.payee.as_ref();
        let by_transfer = payee.is_some_and(|payee| reaches(&payee.iban, &payee.name));
        let by_invoice = row.profile.fee.is_some();
        u8::from(by_transfer) * BY_TRANSFER + u8::from(by_invoice) * BY_INVOICE
    };
    sqlx::query(
        "insert into payable_page (first_number, last_number, recorded_at, payables) values ($1, $2, $3, $4)",
    )
    .bind(signed(first_number))
    .bind(signed(first_number + rows.len() as u64 - 1))
    .bind(recorded_at)
    .bind(rows.iter().map(byte).collect::<Vec<u8>>())
    .execute(tx)
    .await
    .map(|_| ())
}

/// Notes that the pages are no longer right for a subscriber's subscriptions.
pub(super) async fn change(
    tx: &mut PgConnection,
    recorded_at: i64,
    subscriber: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into payable_change (number, recorded_at) \
         select distinct number, $2::bigint from holding where subscriber = $1 on conflict do nothing",
    )
    .bind(subscriber)
    .bind(recorded_at)
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives how subscriptions can be paid, one for each number, as of the roster's next offset and a time at which their
/// plans run. The numbers are ascending.
///
/// # Errors
/// The database's.
pub async fn payables(
    connection: &mut PgConnection,
    numbers: &[u64],
    roster_offset: u64,
    at: Instant,
) -> Result<Vec<Payable>, sqlx::Error> {
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
        return Ok(Vec::new());
    };
    let rows = sqlx::query(
        "select first_number, payables, null::bigint as changed from payable_page \
         where last_number >= $1 and first_number <= $2 and recorded_at < $3 \
         union all select null, null, number from payable_change \
         where number between $1 and $2 and recorded_at < $3 order by first_number",
    )
    .bind(signed(*first))
    .bind(signed(*last))
    .bind(signed(roster_offset))
    .fetch_all(&mut *connection)
    .await?;
    let (mut pages, mut changed) = (Vec::new(), BTreeSet::new());
    for row in &rows {
        match row.try_get::<Option<i64>, _>("changed")? {
            Some(number) => drop(changed.insert(unsigned(number))),
            None => pages.push((
                unsigned(row.try_get("first_number")?),
                row.try_get::<&[u8], _>("payables")?,
            )),
        }
    }
    let mut page = 0;
    let mut byte = |number: u64| {
        while pages.get(page).is_some_and(|(first, bytes)| first + bytes.len() as u64 <= number) {
            page += 1;
        }
        let (first, bytes) = pages.get(page)?;
        bytes.get(usize::try_from(number.checked_sub(*first)?).ok()?).copied()
    };
    let bytes: Vec<u8> = numbers
        .iter()
        .map(|number| match changed.contains(number) {
            true => ASK,
            false => byte(*number).unwrap_or(ASK),
        })
        .collect();
    let asked: Vec<u64> = numbers
        .iter()
        .zip(&bytes)
        .filter(|(_, byte)| **byte == ASK)
        .map(|(number, _)| *number)
        .collect();
    let told = match asked.is_empty() {
        true => BTreeMap::new(),
        false => payee::payables(connection, &asked, roster_offset, at).await?,
    };
    let payable = |(number, byte): (&u64, u8)| match byte {
        ASK => told.get(number).copied().unwrap_or_default(),
        bits => {
            Payable { by_transfer: bits & BY_TRANSFER != 0, by_invoice: bits & BY_INVOICE != 0 }
        }
    };
    Ok(numbers.iter().zip(bytes).map(payable).collect())
}
