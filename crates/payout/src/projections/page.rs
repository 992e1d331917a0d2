//! The roster's batches as pages: whole as they came, and found by number. Personal data.

use std::collections::BTreeMap;

use ristoro_domain::roster::ImportRow;
use ristoro_domain::time::Instant;
use ristoro_proto::roster_page::{ImportedBatch, Personal, RosterPage};
use ristoro_runtime::stored::{decode_error, signed};
use sqlx::{PgConnection, Row};

use super::payable;

/// Keeps a batch.
pub(super) async fn insert(
    tx: &mut PgConnection,
    recorded_at: i64,
    batch: ImportedBatch,
    rows: &[ImportRow],
) -> Result<(), sqlx::Error> {
    let first_number = batch.first_number();
    let ends = (signed(first_number)..)
        .zip(rows)
        .filter_map(|(number, row)| Some((number, row.valid_to.map(Instant::as_microsecond)?)));
    let (ending, ends_at): (Vec<i64>, Vec<i64>) = ends.unzip();
    sqlx::query(
        "insert into roster_page (first_number, recorded_at, payables, ending, ends_at, people) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(signed(first_number))
    .bind(recorded_at)
    .bind(rows.iter().map(payable::byte).collect::<Vec<u8>>())
    .bind(ending)
    .bind(ends_at)
    .bind(batch.page(Personal::Payees))
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives the rows of numbers, of pages recorded before an offset; those that lie in no page are left out.
pub(super) async fn rows(
    connection: &mut PgConnection,
    numbers: &[u64],
    before: i64,
) -> Result<BTreeMap<u64, ImportRow>, sqlx::Error> {
    let found = sqlx::query(
        "select people from roster_page where recorded_at < $2 and first_number = any(array(select distinct \
         (select first_number from roster_page where first_number <= number order by first_number desc limit 1) \
         from unnest($1::bigint[]) as wanted (number))) order by first_number",
    )
    .bind(numbers.iter().copied().map(signed).collect::<Vec<_>>())
    .bind(before)
    .fetch_all(connection)
    .await?;
    let page =
        |row| RosterPage::read(Row::try_get::<Vec<u8>, _>(row, "people")?).map_err(decode_error);
    let pages = found.iter().map(page).collect::<Result<Vec<_>, sqlx::Error>>()?;
    let mut rows = BTreeMap::new();
    for number in numbers {
        let below = pages.partition_point(|page| page.first_number() <= *number);
        let Some(page) = below.checked_sub(1).map(|place| &pages[place]) else { continue };
        let row = page.row(*number).map_err(decode_error)?;
        rows.extend(row.map(|row| (*number, row)));
    }
    Ok(rows)
}
