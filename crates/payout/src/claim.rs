//! Claims that decide on the tables: the state and the head of a stream are read in one snapshot, and the record counts
//! only where nothing came between.
//!
//! The streams of reservations and grants have thousands of events, so nobody folds them again for each decision: the
//! tables are their fold. Each attempt has an id of its own, so that what two workers write differs.

use std::time::Duration;

use ristoro_domain::decider::Decider;
use ristoro_domain::time::Instant;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::{Cause, Envelope, EventLog, LogError, NewRecord, Position, StreamHead, Verdict};
use ristoro_proto::wire::Wire;
use ristoro_runtime::command::StreamRef;
use ristoro_runtime::journal::Journal;
use ristoro_runtime::stored::unsigned;
use ristoro_runtime::views::Views;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::projections::fold::CONSUMER;

/// How long a claim waits until its record can be read in the tables.
const WAIT: Duration = Duration::from_secs(10);

/// What a claim writes with.
#[derive(Clone, Debug)]
pub struct Claims {
    log: EventLog,
    journal: Journal,
    views: Views,
}

/// Who claims, when and in which trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// Who asks, as authenticated; empty for a loop.
    pub actor: String,
    /// W3C trace context; may be empty.
    pub traceparent: String,
    /// Business time.
    pub occurred_at: Instant,
}

/// What became of a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim<E> {
    /// There is nothing to do.
    Nothing,
    /// The record counts; only now may the owner act.
    Won {
        /// What was decided.
        event: E,
        /// Where it stands.
        position: Position,
    },
    /// Somebody else was first: look again.
    Lost,
}

/// Why a claim has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError<R> {
    /// The decider refuses.
    #[error("refused")]
    Rejected(R),
    /// Whether the record counts is not known.
    #[error("the outcome of a claim is not known: {0}")]
    Unknown(String),
    /// The log refused the record.
    #[error(transparent)]
    Log(LogError),
}

impl Claims {
    /// Makes claims on these.
    #[must_use]
    pub fn new(log: EventLog, journal: Journal, views: Views) -> Self {
        Self { log, journal, views }
    }

    /// Decides on a state that was read together with the stream's head, appends what follows, and waits until the
    /// tables show it.
    ///
    /// # Errors
    /// See `ClaimError`.
    pub async fn claim<D>(
        &self,
        (stream, head): (&StreamRef, Option<StreamHead>),
        state: &D::State,
        command: &D::Command,
        author: &Author,
    ) -> Result<Claim<D::Event>, ClaimError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        let Some(event) = D::decide(state, command).map_err(ClaimError::Rejected)? else {
            return Ok(Claim::Nothing);
        };
        let record = record((stream, head), &event, author, Uuid::new_v4());
        let offset = match self.log.append(&[record]).await {
            Ok(offsets) => offsets.first().copied(),
            Err(LogError::Unavailable(problem)) => return Err(ClaimError::Unknown(problem)),
            Err(error) => return Err(ClaimError::Log(error)),
        };
        let offset = offset.ok_or_else(|| unknown(&"the log gave no offset"))?;
        let position = Position { topic: stream.topic, partition: stream.partition, offset };
        self.journal.wait_for(position, WAIT).await.map_err(|error| unknown(&error))?;
        self.views.wait(&[position], WAIT).await.map_err(|status| unknown(&status.message()))?;
        match self.journal.verdict_at(position).await {
            Ok(Some(Verdict::Accepted)) => Ok(Claim::Won { event, position }),
            Ok(Some(
                Verdict::Duplicate | Verdict::Conflict | Verdict::Gap | Verdict::RepeatedCommand,
            )) => Ok(Claim::Lost),
            Ok(None) => Err(unknown(&format!("the journal has no verdict on {position}"))),
            Err(error) => Err(unknown(&error)),
        }
    }
}

fn unknown<R>(problem: &dyn std::fmt::Display) -> ClaimError<R> {
    ClaimError::Unknown(problem.to_string())
}

/// Makes a claim's record behind a head, under an id of this attempt alone.
#[must_use]
pub fn record<E: Wire>(
    (stream, head): (&StreamRef, Option<StreamHead>),
    event: &E,
    author: &Author,
    claim_id: Uuid,
) -> NewRecord {
    let head = head.unwrap_or(StreamHead { version: 0, event_id: Uuid::nil() });
    let version = head.version + 1;
    let cause = Cause::Claim(claim_id);
    let envelope = Envelope {
        event_id: derived_event_id(&stream.id, version, &cause),
        stream: stream.id.clone(),
        version,
        previous: head.event_id,
        kind: event.kind().to_owned(),
        occurred_at: author.occurred_at,
        cause,
        command_id: None,
        actor: author.actor.clone(),
        traceparent: author.traceparent.clone(),
        payload: event.encode(),
    };
    NewRecord { topic: stream.topic, partition: stream.partition, envelope }
}

/// Gives the head of a stream as the tables of this snapshot show it.
///
/// # Errors
/// The database's.
pub async fn head(
    view: &mut PgConnection,
    stream: &StreamRef,
) -> Result<Option<StreamHead>, sqlx::Error> {
    let row = sqlx::query(
        "select version, event_id from stream_head where consumer = $1 and stream = $2",
    )
    .bind(CONSUMER)
    .bind(&stream.id)
    .fetch_optional(view)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let version = unsigned(row.try_get("version")?);
    Ok(Some(StreamHead { version, event_id: row.try_get("event_id")? }))
}
