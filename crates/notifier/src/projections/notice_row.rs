//! What differs from "sent at the first attempt", person by person: `notice_row`, append-only.

use std::collections::BTreeMap;

use ristoro_domain::dispatch::Outcome;
use ristoro_runtime::stored::{signed, small, unsigned, unsigned_small};
use sqlx::{PgConnection, Row};

/// What a row says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Difference {
    /// What became of an attempt.
    Outcome(Outcome),
    /// It came back.
    Bounced,
    /// It is to be sent again.
    Retried,
}

/// The last that differs for one person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoticeRow {
    /// The attempt that it is about.
    pub attempt: u32,
    /// What it says.
    pub difference: Difference,
    /// The enhanced status code of a bounce; else empty.
    pub detail: String,
}

impl Difference {
    fn number(self) -> i16 {
        match self {
            Difference::Outcome(Outcome::Sent) => 1,
            Difference::Outcome(Outcome::Refused) => 2,
            Difference::Outcome(Outcome::Unknown) => 3,
            Difference::Outcome(Outcome::NoChannel) => 4,
            Difference::Outcome(Outcome::Deferred) => 5,
            Difference::Bounced => 6,
            Difference::Retried => 7,
        }
    }

    fn from_number(number: i16) -> Result<Self, sqlx::Error> {
        match number {
            1 => Ok(Difference::Outcome(Outcome::Sent)),
            2 => Ok(Difference::Outcome(Outcome::Refused)),
            3 => Ok(Difference::Outcome(Outcome::Unknown)),
            4 => Ok(Difference::Outcome(Outcome::NoChannel)),
            5 => Ok(Difference::Outcome(Outcome::Deferred)),
            6 => Ok(Difference::Bounced),
            7 => Ok(Difference::Retried),
            other => Err(sqlx::Error::Decode(format!("{other} is no state of a notice").into())),
        }
    }
}

/// Keeps what became of people at one attempt, as of one record.
pub(super) async fn insert_outcomes(
    tx: &mut PgConnection,
    (assessment, record_offset): (&str, u64),
    attempt: u32,
    outcomes: &[(u64, Outcome)],
) -> Result<(), sqlx::Error> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let state = |(_, outcome): &(u64, Outcome)| Difference::Outcome(*outcome).number();
    sqlx::query(
        "insert into notice_row (assessment, number, record_offset, attempt, state, detail) \
         select $1, number, $2, $3, state, '' from unnest($4::bigint[], $5::smallint[]) as row (number, state)",
    )
    .bind(assessment)
    .bind(signed(record_offset))
    .bind(small(attempt))
    .bind(outcomes.iter().map(|(number, _)| signed(*number)).collect::<Vec<_>>())
    .bind(outcomes.iter().map(state).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}

/// Keeps what happened to one person's notice. An attempt of none is that of the row before.
pub(super) async fn insert(
    tx: &mut PgConnection,
    (assessment, number, record_offset): (&str, u64, u64),
    attempt: Option<u32>,
    difference: Difference,
    detail: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into notice_row (assessment, number, record_offset, attempt, state, detail) \
         values ($1, $2, $3, coalesce($4, (select attempt from notice_row where assessment = $1 and number = $2 \
         order by record_offset desc limit 1), 1), $5, $6)",
    )
    .bind(assessment)
    .bind(signed(number))
    .bind(signed(record_offset))
    .bind(attempt.map(small))
    .bind(difference.number())
    .bind(detail)
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives the last that differs for each of the numbers; none for those who are as the chunk says.
///
/// # Errors
/// The database's, and `Decode` for a row that no version of this program wrote.
pub async fn last(
    connection: &mut PgConnection,
    assessment: &str,
    numbers: &[u64],
) -> Result<BTreeMap<u64, NoticeRow>, sqlx::Error> {
    let numbers: Vec<i64> = numbers.iter().copied().map(signed).collect();
    let rows = sqlx::query(
        "select distinct on (number) number, attempt, state, detail from notice_row \
         where assessment = $1 and number = any($2) order by number, record_offset desc",
    )
    .bind(assessment)
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let notice = NoticeRow {
            attempt: unsigned_small(row.try_get("attempt")?),
            difference: Difference::from_number(row.try_get("state")?)?,
            detail: row.try_get("detail")?,
        };
        found.insert(unsigned(row.try_get("number")?), notice);
    }
    Ok(found)
}
