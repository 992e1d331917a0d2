//! `leftover_claim`: which assessments stand in the chain of each policy that carries over, in their order.

use ristoro_domain::carry::Event;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::stored::signed;
use sqlx::PgConnection;

/// Folds an event of a policy's chain.
pub(super) async fn apply(
    tx: &mut PgConnection,
    policy: &str,
    event: &Event,
    record: &Accepted,
) -> Result<(), sqlx::Error> {
    match event {
        Event::LeftoversTaken { assessment, .. } => sqlx::query(
            "insert into leftover_claim (policy, assessment, stream_version) values ($1, $2, $3)",
        )
        .bind(policy)
        .bind(assessment)
        .bind(signed(record.envelope.version)),
        Event::LeftoversGivenBack { assessment } => {
            sqlx::query("delete from leftover_claim where policy = $1 and assessment = $2")
                .bind(policy)
                .bind(assessment)
        }
    }
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives the last completed assessment in a policy's chain: what it left is there to be taken over.
///
/// # Errors
/// The database's.
pub async fn last_completed(
    connection: &mut PgConnection,
    policy: &str,
) -> Result<Option<String>, sqlx::Error> {
    let last: Option<(String,)> = sqlx::query_as(
        "select claim.assessment from leftover_claim as claim join assessment using (assessment) \
         where claim.policy = $1 and assessment.state = 3 order by claim.stream_version desc limit 1",
    )
    .bind(policy)
    .fetch_optional(connection)
    .await?;
    Ok(last.map(|(assessment,)| assessment))
}
