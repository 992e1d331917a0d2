//! How subscriptions can be paid: a byte for each on the pages of the roster, and the rows that differ from them.

use std::collections::BTreeMap;

use ristoro_domain::order::Payable;
use ristoro_domain::roster::ImportRow;
use ristoro_domain::time::Instant;
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::{PgConnection, Row};

use crate::sepa::iban::SepaIban;

const BY_TRANSFER: u8 = 1;
/// The bit of a plan with a fee.
pub(super) const BY_INVOICE: u8 = 2;

/// Gives the byte of a row: by transfer to its own account, and by invoice while its plan runs.
pub(super) fn byte(row: &ImportRow) -> u8 {
    let by_transfer = row.payee.as_ref().is_some_and(|payee| reaches(&payee.iban, &payee.name));
    let by_invoice = row.profile.fee.is_some();
    u8::from(by_transfer) * BY_TRANSFER + u8::from(by_invoice) * BY_INVOICE
}

/// Tells whether a transfer can go to an account.
fn reaches(iban: &str, name: &str) -> bool {
    SepaIban::parse(iban).is_ok() && !name.trim().is_empty()
}

/// The roster as of its next offset, from one number to another.
#[derive(Clone, Copy)]
struct Extract {
    first: i64,
    last: i64,
    roster_offset: i64,
    /// The time at which plans run, in microseconds.
    at: i64,
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
    let extract = Extract {
        first: signed(*first),
        last: signed(*last),
        roster_offset: signed(roster_offset),
        at: at.as_microsecond(),
    };
    let mut payables = paged(connection, numbers, extract).await?;
    for (number, difference) in differing(connection, extract).await? {
        let Ok(place) = numbers.binary_search(&number) else { continue };
        let payable = &mut payables[place];
        payable.by_transfer = difference.by_transfer.unwrap_or(payable.by_transfer);
        payable.by_invoice = difference.by_invoice.unwrap_or(payable.by_invoice);
    }
    Ok(payables)
}

/// A page, without its people.
struct Page {
    first_number: u64,
    payables: Vec<u8>,
    ends_at: BTreeMap<u64, i64>,
}

impl Page {
    fn payable(&self, number: u64, at: i64) -> Option<Payable> {
        let place = usize::try_from(number.checked_sub(self.first_number)?).ok()?;
        let byte = self.payables.get(place)?;
        let runs = self.ends_at.get(&number).is_none_or(|end| *end > at);
        let (by_transfer, by_invoice) = (byte & BY_TRANSFER != 0, byte & BY_INVOICE != 0);
        Some(Payable { by_transfer, by_invoice: by_invoice && runs })
    }
}

/// Gives what the pages say, and nothing of numbers that lie in none.
async fn paged(
    connection: &mut PgConnection,
    numbers: &[u64],
    extract: Extract,
) -> Result<Vec<Payable>, sqlx::Error> {
    let rows = sqlx::query(
        "select first_number, payables, ending, ends_at from roster_page \
         where first_number >= coalesce((select max(first_number) from roster_page where first_number <= $1), $1) \
         and first_number <= $2 and recorded_at < $3 order by first_number",
    )
    .bind(extract.first)
    .bind(extract.last)
    .bind(extract.roster_offset)
    .fetch_all(connection)
    .await?;
    let page = |row: &sqlx::postgres::PgRow| {
        let ending: Vec<i64> = row.try_get("ending")?;
        let ends_at: Vec<i64> = row.try_get("ends_at")?;
        Ok(Page {
            first_number: unsigned(row.try_get("first_number")?),
            payables: row.try_get("payables")?,
            ends_at: ending.into_iter().map(unsigned).zip(ends_at).collect(),
        })
    };
    let pages = rows.iter().map(page).collect::<Result<Vec<Page>, sqlx::Error>>()?;
    let payable = |number: &u64| {
        let below = pages.partition_point(|page| page.first_number <= *number);
        let page = below.checked_sub(1).map(|place| &pages[place]);
        page.and_then(|page| page.payable(*number, extract.at)).unwrap_or_default()
    };
    Ok(numbers.iter().map(payable).collect())
}

/// What is not as a page says.
struct Difference {
    by_transfer: Option<bool>,
    by_invoice: Option<bool>,
}

async fn differing(
    connection: &mut PgConnection,
    extract: Extract,
) -> Result<Vec<(u64, Difference)>, sqlx::Error> {
    let rows = sqlx::query(
        "select number, paying and (valid_to is null or valid_to > $4) as by_invoice, told, iban, payee_name \
         from (select number, paying, valid_to from holding where number between $1 and $2 \
         and recorded_at < $3 and (superseded_at is null or superseded_at >= $3)) as holding \
         full join (select number, true as told, iban, payee_name from payee where number between $1 and $2 \
         and recorded_at < $3 and (superseded_at is null or superseded_at >= $3)) as payee using (number)",
    )
    .bind(extract.first)
    .bind(extract.last)
    .bind(extract.roster_offset)
    .bind(extract.at)
    .fetch_all(connection)
    .await?;
    let mut differing = Vec::with_capacity(rows.len());
    for row in &rows {
        let told: Option<bool> = row.try_get("told")?;
        let iban: Option<&str> = row.try_get("iban")?;
        let name: Option<&str> = row.try_get("payee_name")?;
        let reached = iban.zip(name).is_some_and(|(iban, name)| reaches(iban, name));
        let by_transfer = told.map(|_| reached);
        let difference = Difference { by_transfer, by_invoice: row.try_get("by_invoice")? };
        differing.push((unsigned(row.try_get("number")?), difference));
    }
    Ok(differing)
}
