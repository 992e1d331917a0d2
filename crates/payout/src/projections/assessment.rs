//! Assessments as far as orders need them: the roster that each is pinned to, and whether it was completed.

use futures::future::BoxFuture;
use ristoro_domain::settlement::Event;
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::PgConnection;

/// Folds settlement.v1 into `assessment`.
#[derive(Debug)]
pub struct Assessments;

impl Projection for Assessments {
    fn name(&self) -> &'static str {
        "payout.assessments"
    }

    fn topic(&self) -> Topic {
        Topic::Settlement
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                if record.envelope.stream.starts_with("settlement/") {
                    apply(tx, &decode(record)?).await?;
                }
            }
            Ok(())
        })
    }
}

async fn apply(tx: &mut PgConnection, event: &Event) -> Result<(), sqlx::Error> {
    let stored = |numbers: &[u64]| numbers.iter().copied().map(signed).collect::<Vec<i64>>();
    let query = match event {
        Event::AssessmentProposed(proposal) => sqlx::query(
            "insert into assessment (assessment, outage, roster_offsets) values ($1, $2, $3)",
        )
        .bind(&proposal.assessment)
        .bind(&proposal.outage)
        .bind(stored(&proposal.pins.roster_offsets)),
        Event::AssessmentCompleted { assessment, chunks, .. } => {
            sqlx::query("update assessment set chunks = $2 where assessment = $1")
                .bind(assessment)
                .bind(stored(chunks))
        }
        Event::AssessmentApproved { .. }
        | Event::AssessmentRejected { .. }
        | Event::AssessmentCancelled { .. }
        | Event::AssessmentStopped { .. } => return Ok(()),
    };
    query.execute(tx).await.map(|_| ())
}

/// Gives the roster's next offset of each partition that an assessment is pinned to; none while it is not known.
///
/// # Errors
/// The database's.
pub async fn roster_offsets(
    connection: &mut PgConnection,
    assessment: &str,
) -> Result<Option<Vec<u64>>, sqlx::Error> {
    let offsets: Option<Vec<i64>> =
        sqlx::query_scalar("select roster_offsets from assessment where assessment = $1")
            .bind(assessment)
            .fetch_optional(connection)
            .await?;
    Ok(offsets.map(|offsets| offsets.into_iter().map(unsigned).collect()))
}
