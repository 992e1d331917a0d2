//! Published policies, with their text.

use futures::future::BoxFuture;
use ristoro_domain::policy_registry::PolicyEvent;
use ristoro_domain::time::Instant;
use ristoro_log::{Position, Topic};
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{instant, signed, small, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::carry;

/// Folds policy.v1 into `policy` and `leftover_claim`.
#[derive(Debug)]
pub struct Policies;

/// A published version of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRow {
    /// The policy's id.
    pub policy: String,
    /// The version that its file states.
    pub version: String,
    /// The file as it was given.
    pub text: String,
    /// The SHA-256 of the text.
    pub sha256: Vec<u8>,
    /// The record that published it.
    pub position: Position,
    /// When.
    pub published_at: Instant,
    /// Who published it.
    pub published_by: String,
    /// Why it is retired; none while it may be used.
    pub retired: Option<String>,
    /// The version of the policy's stream that last changed it.
    pub stream_version: u64,
}

impl Projection for Policies {
    fn name(&self) -> &'static str {
        "eligibility.policies"
    }

    fn topic(&self) -> Topic {
        Topic::Policy
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                if let Some(id) = record.envelope.stream.strip_prefix("policy/") {
                    apply(tx, id, &decode(record)?, record).await?;
                } else if let Some(policy) = record.envelope.stream.strip_prefix("carry/") {
                    carry::apply(tx, policy, &decode(record)?, record).await?;
                }
            }
            Ok(())
        })
    }
}

async fn apply(
    tx: &mut PgConnection,
    id: &str,
    event: &PolicyEvent,
    record: &Accepted,
) -> Result<(), sqlx::Error> {
    match event {
        PolicyEvent::PolicyPublished { policy_version, text, sha256 } => sqlx::query(
            "insert into policy (policy, policy_version, text, sha256, partition, record_offset, published_at, \
             published_by, stream_version) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id)
        .bind(policy_version)
        .bind(text)
        .bind(sha256.as_slice())
        .bind(small(record.position.partition))
        .bind(signed(record.position.offset))
        .bind(record.envelope.occurred_at.as_microsecond())
        .bind(&record.envelope.actor)
        .bind(signed(record.envelope.version)),
        PolicyEvent::PolicyRetired { policy_version, note } => sqlx::query(
            "update policy set retired = $3, stream_version = $4 where policy = $1 and policy_version = $2",
        )
        .bind(id)
        .bind(policy_version)
        .bind(note)
        .bind(signed(record.envelope.version)),
    }
    .execute(tx)
    .await
    .map(|_| ())
}

const COLUMNS: &str = "policy, policy_version, text, sha256, partition, record_offset, published_at, published_by, \
                       retired, stream_version";

/// Gives a version of a policy, or the one published last that is not retired.
///
/// # Errors
/// The database's.
pub async fn find(
    connection: &mut PgConnection,
    policy: &str,
    version: Option<&str>,
) -> Result<Option<PolicyRow>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from policy where policy = $1 and (policy_version = $2 or $2::text is null and retired \
         is null) order by record_offset desc limit 1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(policy).bind(version);
    row.fetch_optional(connection).await?.as_ref().map(policy_row).transpose()
}

/// Lists policies by id and version after a key; of one policy where one is given.
///
/// # Errors
/// The database's.
pub async fn list(
    connection: &mut PgConnection,
    policy: Option<&str>,
    show_retired: bool,
    after: (&str, &str),
    limit: i64,
) -> Result<Vec<PolicyRow>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from policy where ($1::text is null or policy = $1) and ($2 or retired is null) \
         and (policy, policy_version) > ($3, $4) order by policy, policy_version limit $5"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(policy)
        .bind(show_retired)
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(policy_row).collect()
}

fn policy_row(row: &PgRow) -> Result<PolicyRow, sqlx::Error> {
    let partition: i32 = row.try_get("partition")?;
    Ok(PolicyRow {
        policy: row.try_get("policy")?,
        version: row.try_get("policy_version")?,
        text: row.try_get("text")?,
        sha256: row.try_get("sha256")?,
        position: Position {
            topic: Topic::Policy,
            partition: partition.unsigned_abs(),
            offset: unsigned(row.try_get("record_offset")?),
        },
        published_at: instant(row.try_get("published_at")?)?,
        published_by: row.try_get("published_by")?,
        retired: row.try_get("retired")?,
        stream_version: unsigned(row.try_get("stream_version")?),
    })
}
