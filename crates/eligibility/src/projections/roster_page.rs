//! The roster's batches as pages: whole as they came, and found by number.

use ristoro_domain::roster::ImportRow;
use ristoro_proto::roster_page::{ImportedBatch, RosterPage};
use ristoro_runtime::stored::{decode_error, signed, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

/// A page and where it was recorded.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) page: RosterPage,
    /// The offset of its record.
    pub(super) recorded_at: u64,
}

/// Pages in number order.
#[derive(Debug, Default)]
pub(super) struct Pages(Vec<Kept>);

impl Pages {
    /// Gives the row of a number with the offset at which it was recorded; none for a number that lies in no page.
    pub(super) fn row(&self, number: u64) -> Result<Option<(ImportRow, u64)>, sqlx::Error> {
        let before = self.0.partition_point(|kept| kept.page.first_number() <= number);
        let Some(kept) = before.checked_sub(1).and_then(|place| self.0.get(place)) else {
            return Ok(None);
        };
        let row = kept.page.row(number).map_err(decode_error)?;
        Ok(row.map(|row| (row, kept.recorded_at)))
    }

    /// Gives the last number of the last page.
    pub(super) fn last_number(&self) -> Option<u64> {
        self.0.last().map(|kept| kept.page.last_number())
    }

    /// Gives the numbers of all pages, in order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|kept| kept.page.first_number()..=kept.page.last_number())
    }
}

/// Keeps a batch.
pub(super) async fn insert(
    tx: &mut PgConnection,
    recorded_at: i64,
    batch: ImportedBatch,
) -> Result<(), sqlx::Error> {
    let (first, count) = (batch.first_number(), batch.count());
    let (people, who) = batch.parts();
    sqlx::query(
        "insert into roster_page (first_number, last_number, recorded_at, people, who) values ($1, $2, $3, $4, $5)",
    )
    .bind(signed(first))
    .bind(signed((first + count).saturating_sub(1)))
    .bind(recorded_at)
    .bind(people)
    .bind(who)
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives the pages of numbers, each once.
pub(super) async fn of(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<Pages, sqlx::Error> {
    let numbers: Vec<i64> = numbers.iter().copied().map(signed).collect();
    let rows = sqlx::query(
        "select recorded_at, people || who as columns from roster_page where first_number in (select distinct \
         (select first_number from roster_page where first_number <= number order by first_number desc limit 1) \
         from unnest($1::bigint[]) as wanted (number)) order by first_number",
    )
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    pages(&rows)
}

/// Gives some pages that reach behind a number.
pub(super) async fn behind(
    connection: &mut PgConnection,
    after: u64,
    limit: i64,
) -> Result<Pages, sqlx::Error> {
    let rows = sqlx::query(
        "select recorded_at, people || who as columns from roster_page \
         where first_number >= coalesce((select max(first_number) from roster_page where first_number <= $1), $1) \
         and last_number > $1 order by first_number limit $2",
    )
    .bind(signed(after))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    pages(&rows)
}

fn pages(rows: &[PgRow]) -> Result<Pages, sqlx::Error> {
    let kept = |row: &PgRow| {
        let page = RosterPage::read(row.try_get::<Vec<u8>, _>("columns")?).map_err(decode_error)?;
        Ok(Kept { page, recorded_at: unsigned(row.try_get("recorded_at")?) })
    };
    rows.iter().map(kept).collect::<Result<_, sqlx::Error>>().map(Pages)
}
