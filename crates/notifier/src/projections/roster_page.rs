//! The roster's batches as they came, one row each: `roster_page`. Personal data.

use std::collections::VecDeque;

use ristoro_proto::roster_page::{ImportedBatch, Personal, RosterPage};
use ristoro_runtime::stored::{decode_error, signed};
use sqlx::{PgConnection, Row};

/// Pages that a reader keeps: more than the people of a chunk lie on.
const PAGES_KEPT: usize = 16;

/// Keeps a batch. Nobody is called or paid here, so neither telephones nor accounts are kept.
pub(super) async fn insert(tx: &mut PgConnection, batch: ImportedBatch) -> Result<(), sqlx::Error> {
    sqlx::query("insert into roster_page (first_number, people) values ($1, $2)")
        .bind(signed(batch.first_number()))
        .bind(batch.page(Personal::Contacts))
        .execute(tx)
        .await
        .map(|_| ())
}

/// Pages as they are needed: each is read once while a reader goes through neighbouring numbers.
#[derive(Default)]
pub(super) struct Pages {
    /// The last ones that were read.
    kept: VecDeque<RosterPage>,
}

impl Pages {
    /// Gives the page that a number lies on.
    pub(super) async fn page(
        &mut self,
        connection: &mut PgConnection,
        number: u64,
    ) -> Result<Option<&RosterPage>, sqlx::Error> {
        let holds =
            |page: &RosterPage| (page.first_number()..=page.last_number()).contains(&number);
        if !self.kept.iter().any(holds) {
            let row = sqlx::query(
                "select people from roster_page where first_number <= $1 \
                 order by first_number desc limit 1",
            )
            .bind(signed(number))
            .fetch_optional(connection)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let page =
                RosterPage::read(row.try_get::<Vec<u8>, _>("people")?).map_err(decode_error)?;
            if !holds(&page) {
                return Ok(None);
            }
            if self.kept.len() == PAGES_KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(page);
        }
        Ok(self.kept.iter().find(|page| holds(page)))
    }
}
