//! What assessments decided about one person, found by the provider's ids in one statement.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use ristoro_runtime::stored::unsigned;

use super::assessment::{self, AssessmentRow, assessment_row};
use super::decision::{ChunkRow, own_row};

/// A subscription with the assessments that were asked for.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its number.
    pub number: u64,
    /// The provider's subscriber id.
    pub subscriber: String,
    /// The assessments in the order of their proposals, each with the part of a chunk that is about this number alone;
    /// none where it was not decided.
    pub assessments: Vec<(AssessmentRow, Option<ChunkRow>)>,
}

/// Gives the subscriptions with the provider's id, of one subscriber or of any, in number order; with what one assessment,
/// or every one, decided.
///
/// # Errors
/// The database's.
pub async fn find(
    connection: &mut PgConnection,
    subscription: &str,
    subscriber: Option<&str>,
    assessment: Option<&str>,
) -> Result<Vec<Holder>, sqlx::Error> {
    let text = format!(
        "select holder.number, holder.subscriber, chunk.*, {} \
         from holder left join assessment as proposed on $3::text is null or proposed.assessment = $3 \
         left join lateral (select partition, chunk, record_offset, occurred_at, first_number, numbers, entries, reasons \
         from entitlement_chunk where entitlement_chunk.assessment = proposed.assessment \
         and partition = (holder.number >> 48)::integer and first_number <= holder.number \
         order by first_number desc limit 1) as chunk on true \
         where holder.subscription = $1 and ($2::text is null or holder.subscriber = $2) \
         order by holder.number, proposed_at, assessment",
        assessment::COLUMNS
    );
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(subscription)
        .bind(subscriber)
        .bind(assessment)
        .fetch_all(connection)
        .await?;
    let mut holders: Vec<Holder> = Vec::new();
    for row in &rows {
        let number = unsigned(row.try_get("number")?);
        if holders.last().is_none_or(|holder| holder.number != number) {
            let subscriber = row.try_get("subscriber")?;
            holders.push(Holder { number, subscriber, assessments: Vec::new() });
        }
        if row.try_get::<Option<&str>, _>("assessment")?.is_none() {
            continue;
        }
        let chunk = match row.try_get::<Option<i64>, _>("chunk")? {
            Some(_) => own_row(row, number)?,
            None => None,
        };
        let holder = holders.last_mut().expect("this row's holder was pushed");
        holder.assessments.push((assessment_row(row)?, chunk));
    }
    Ok(holders)
}
