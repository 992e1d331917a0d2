//! Assessments as the settlement streams tell of them, and the streams themselves for explanations.

use futures::future::BoxFuture;
use ristoro_domain::money::Money;
use ristoro_domain::settlement::{Event, Proposal, Status};
use ristoro_domain::time::Instant;
use ristoro_log::Topic;
use ristoro_proto::wire::Wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{decode_error, instant, signed, small, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::stored::{StoredEvent, stored_event};

/// Folds settlement.v1 into `settlement_event` and `assessment`.
#[derive(Debug)]
pub struct Assessments;

/// One assessment as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssessmentRow {
    /// Its id.
    pub assessment: String,
    /// How far it is.
    pub status: Status,
    /// The version of the settlement that last changed it.
    pub version: u64,
    /// The version of its proposal.
    pub proposal_version: u64,
    /// What was proposed.
    pub proposal: Proposal,
    /// When.
    pub proposed_at: Instant,
    /// Who approved it; empty until then.
    pub approved_by: String,
    /// The most that may be given.
    pub cap: Option<Money>,
    /// Why it was rejected, cancelled or stopped.
    pub note: String,
    /// The record that approved it, as text; empty until then.
    pub approved_position: String,
    /// The record that ended it, as text; empty until then.
    pub ended_position: String,
}

impl Projection for Assessments {
    fn name(&self) -> &'static str {
        "eligibility.assessments"
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
                let Some(outage) = record.envelope.stream.strip_prefix("settlement/") else {
                    continue;
                };
                let event: Event = decode(record)?;
                insert_event(tx, outage, record).await?;
                apply(tx, &event, record).await?;
            }
            Ok(())
        })
    }
}

async fn insert_event(
    tx: &mut PgConnection,
    outage: &str,
    record: &Accepted,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into settlement_event (outage, version, partition, record_offset, kind, occurred_at, actor, \
         traceparent, payload) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(outage)
    .bind(signed(record.envelope.version))
    .bind(small(record.position.partition))
    .bind(signed(record.position.offset))
    .bind(&record.envelope.kind)
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(&record.envelope.actor)
    .bind(&record.envelope.traceparent)
    .bind(record.envelope.payload.as_ref())
    .execute(tx)
    .await
    .map(|_| ())
}

async fn apply(tx: &mut PgConnection, event: &Event, record: &Accepted) -> Result<(), sqlx::Error> {
    let position = record.position.to_string();
    match event {
        Event::AssessmentProposed(proposal) => insert(tx, proposal, record).await,
        Event::AssessmentApproved { assessment, cap, approved_by, .. } => sqlx::query(
            "update assessment set state = $2, version = $3, approved_by = $4, cap_minor = $5, \
                 cap_currency = $6, approved_position = $7 where assessment = $1",
        )
        .bind(assessment)
        .bind(state_number(Status::Deciding))
        .bind(signed(record.envelope.version))
        .bind(approved_by)
        .bind(cap.minor)
        .bind(cap.currency.code())
        .bind(position)
        .execute(tx)
        .await
        .map(|_| ()),
        Event::AssessmentRejected { assessment, note } => {
            end(tx, assessment, Status::Rejected, note, record).await
        }
        Event::AssessmentCompleted { assessment, .. } => {
            end(tx, assessment, Status::Completed, "", record).await
        }
        Event::AssessmentCancelled { assessment, note } => {
            end(tx, assessment, Status::Cancelled, note, record).await
        }
        Event::AssessmentStopped { assessment, partition, .. } => {
            let note = format!("partition {partition} gave something other than what was approved");
            end(tx, assessment, Status::Stopped, &note, record).await
        }
    }
}

async fn insert(
    tx: &mut PgConnection,
    proposal: &Proposal,
    record: &Accepted,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into assessment (assessment, outage, policy, policy_version, state, proposal_version, version, \
         digest, proposal, proposed_by, proposed_at) values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)",
    )
    .bind(&proposal.assessment)
    .bind(&proposal.outage)
    .bind(&proposal.pins.policy)
    .bind(&proposal.pins.policy_version)
    .bind(state_number(Status::Proposed))
    .bind(signed(record.envelope.version))
    .bind(proposal.digest().as_slice())
    .bind(record.envelope.payload.as_ref())
    .bind(&proposal.proposed_by)
    .bind(record.envelope.occurred_at.as_microsecond())
    .execute(tx)
    .await
    .map(|_| ())
}

async fn end(
    tx: &mut PgConnection,
    assessment: &str,
    status: Status,
    note: &str,
    record: &Accepted,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update assessment set state = $2, version = $3, note = $4, ended_position = $5 where assessment = $1",
    )
    .bind(assessment)
    .bind(state_number(status))
    .bind(signed(record.envelope.version))
    .bind(note)
    .bind(record.position.to_string())
    .execute(tx)
    .await
    .map(|_| ())
}

/// The columns that `assessment_row` reads.
pub(super) const COLUMNS: &str = "assessment, state, version, proposal_version, proposal, proposed_at, approved_by, cap_minor, \
                       cap_currency, note, approved_position, ended_position";

/// Gives one assessment.
///
/// # Errors
/// The database's.
pub async fn find(
    connection: &mut PgConnection,
    assessment: &str,
) -> Result<Option<AssessmentRow>, sqlx::Error> {
    let text = format!("select {COLUMNS} from assessment where assessment = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(assessment).fetch_optional(connection);
    row.await?.as_ref().map(assessment_row).transpose()
}

/// Lists assessments of one outage or of all, in the order of their proposals and ids, after a key.
///
/// # Errors
/// The database's.
pub async fn list(
    connection: &mut PgConnection,
    outage: Option<&str>,
    after: (i64, &str),
    limit: i64,
) -> Result<Vec<AssessmentRow>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from assessment where ($1::text is null or outage = $1) \
         and (proposed_at, assessment) > ($2, $3) order by proposed_at, assessment limit $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(outage)
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(assessment_row).collect()
}

/// Lists the assessments in a state, in the order of their proposals.
///
/// # Errors
/// The database's.
pub async fn in_state(
    connection: &mut PgConnection,
    status: Status,
) -> Result<Vec<AssessmentRow>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from assessment where state = $1 order by proposed_at, assessment"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(state_number(status))
        .fetch_all(connection)
        .await?;
    rows.iter().map(assessment_row).collect()
}

/// Lists the assessments that were cancelled or stopped and whose scan of a partition is not void yet.
///
/// # Errors
/// The database's.
pub async fn to_void(
    connection: &mut PgConnection,
    partition: u32,
) -> Result<Vec<AssessmentRow>, sqlx::Error> {
    let text = format!(
        "select {COLUMNS} from assessment where state in (5, 6) and not exists (select from scan \
         where scan.assessment = assessment.assessment and scan.partition = $1 and scan.state = 3)"
    );
    let rows =
        sqlx::query(sqlx::AssertSqlSafe(text)).bind(small(partition)).fetch_all(connection).await?;
    rows.iter().map(assessment_row).collect()
}

/// Gives the events of an outage's settlement.
///
/// # Errors
/// The database's.
pub async fn events(
    connection: &mut PgConnection,
    outage: &str,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    sqlx::query(
        "select version, partition, record_offset, kind, occurred_at, actor, traceparent, payload \
         from settlement_event \
         where outage = $1 order by version",
    )
    .bind(outage)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| stored_event(row, Topic::Settlement, format!("settlement/{outage}")))
    .collect()
}

pub(super) fn assessment_row(row: &PgRow) -> Result<AssessmentRow, sqlx::Error> {
    let payload: Vec<u8> = row.try_get("proposal")?;
    let event = Event::decode("AssessmentProposed", &payload.into()).map_err(decode_error)?;
    let Event::AssessmentProposed(proposal) = event else {
        unreachable!("the type that was asked for decodes to its own variant")
    };
    let minor: Option<i64> = row.try_get("cap_minor")?;
    let currency: Option<&str> = row.try_get("cap_currency")?;
    let cap = minor.zip(currency).map(|(minor, code)| {
        code.parse().map(|currency| Money::new(minor, currency)).map_err(decode_error)
    });
    Ok(AssessmentRow {
        assessment: row.try_get("assessment")?,
        status: status_of(row.try_get("state")?)?,
        version: unsigned(row.try_get("version")?),
        proposal_version: unsigned(row.try_get("proposal_version")?),
        proposal: *proposal,
        proposed_at: instant(row.try_get("proposed_at")?)?,
        approved_by: row.try_get("approved_by")?,
        cap: cap.transpose()?,
        note: row.try_get("note")?,
        approved_position: row.try_get("approved_position")?,
        ended_position: row.try_get("ended_position")?,
    })
}

/// The states and their numbers in the table.
const STATES: [(Status, i16); 6] = [
    (Status::Proposed, 1),
    (Status::Deciding, 2),
    (Status::Completed, 3),
    (Status::Rejected, 4),
    (Status::Cancelled, 5),
    (Status::Stopped, 6),
];

fn state_number(status: Status) -> i16 {
    STATES.iter().find(|(known, _)| *known == status).map_or(0, |(_, number)| *number)
}

fn status_of(number: i16) -> Result<Status, sqlx::Error> {
    let found = STATES.iter().find(|(_, known)| *known == number);
    found.map(|(status, _)| *status).ok_or_else(|| {
        sqlx::Error::Protocol(format!("assessment.state {number} is not a state of this program"))
    })
}
