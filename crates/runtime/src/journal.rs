//! The journal: what a service knows of the streams that it writes commands to, whatever is rebuilt.
//!
//! It stands in the control schema and holds the head of every stream of these topics, the events of
//! the streams that the service decides on, and what became of each command's and claim's record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ristoro_domain::decider::Decider;
use ristoro_log::envelope::EnvelopeError;
use ristoro_log::{Envelope, Position, StreamHead, Topic, Verdict};
use ristoro_proto::wire::{Wire, WireError};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tokio::time::Instant;
use uuid::Uuid;

use crate::position::{WaitError, loaded, loaded_partition, stored, stored_partition};
use crate::schema::{self, Mode};
use crate::service::core::Core;

pub(crate) mod keep;

/// Reads the journal of a service.
#[derive(Clone, Debug)]
pub struct Journal {
    core: Arc<Core>,
}

/// An accepted event of a stream that the service decides on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamEvent {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub envelope: Envelope,
}

/// Why the journal could not answer.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The database failed.
    #[error("the journal's database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// An accepted event cannot be read by this program.
    #[error("the event {position} of a stream cannot be read: {source}")]
    Payload {
        /// Where it stands.
        position: Position,
        /// What is wrong with it.
        source: WireError,
    },
    /// What is stored of an event is no envelope.
    #[error("the journal holds something that is no envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The service does not keep this stream's events, so there is no state to decide on.
    #[error("{stream} on {topic} is not a journaled stream of this service")]
    NotJournaled {
        /// The topic.
        topic: Topic,
        /// The stream.
        stream: String,
    },
}

/// Where a command's record was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The record.
    pub position: Position,
    /// Its stream.
    pub stream: String,
    /// Its version.
    pub version: u64,
}

/// A stream and a command's outcome, as of one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// The stream's events in order, all or the last.
    pub events: Vec<StreamEvent>,
    /// What became of the command that was asked about.
    pub outcome: Option<Outcome>,
}

/// How much of a stream a decision needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// All its events.
    Whole,
    /// Its last event; where a command's outcome is known, the one that the command wrote.
    LastEvent,
}

impl Part {
    /// Gives what a decider needs.
    pub(crate) fn of<D: Decider>() -> Self {
        if D::STATE_IS_IN_LAST_EVENT { Self::LastEvent } else { Self::Whole }
    }
}

impl Journal {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Gives the accepted events of a journaled stream, in order.
    ///
    /// # Errors
    /// `Database`, `Envelope`, `NotJournaled`.
    pub async fn events(
        &self,
        topic: Topic,
        stream: &str,
    ) -> Result<Vec<StreamEvent>, JournalError> {
        Ok(self.history(topic, stream, None, Part::Whole).await?.events)
    }

    /// Gives the last accepted record of any stream of a journaled topic.
    ///
    /// # Errors
    /// The database's.
    pub async fn head(
        &self,
        topic: Topic,
        stream: &str,
    ) -> Result<Option<StreamHead>, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(
            "select version, event_id from stream_head where consumer = $1 and stream = $2",
        )
        .bind(consumer_of(topic))
        .bind(stream)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.rollback().await?;
        let head = |row: PgRow| {
            let version = loaded(row.try_get("version")?);
            Ok(StreamHead { version, event_id: row.try_get("event_id")? })
        };
        row.map(head).transpose()
    }

    /// Folds a journaled stream into its decider's state.
    ///
    /// # Errors
    /// `Database`, `Envelope`, `Payload`, `NotJournaled`.
    pub async fn state<D>(
        &self,
        topic: Topic,
        stream: &str,
    ) -> Result<(D::State, Option<StreamHead>), JournalError>
    where
        D: Decider,
        D::Event: Wire,
    {
        let part = Part::of::<D>();
        let events = self.history(topic, stream, None, part).await?.events;
        let state = fold::<D>(&events)?;
        Ok((state, events.last().map(head_of)))
    }

    /// Waits until the journal has passed a position of one of its topics.
    ///
    /// # Errors
    /// `Timeout`, `Database`.
    pub async fn wait_for(&self, position: Position, timeout: Duration) -> Result<(), WaitError> {
        self.wait_until(position, Instant::now() + timeout).await
    }

    pub(crate) async fn wait_until(
        &self,
        position: Position,
        deadline: Instant,
    ) -> Result<(), WaitError> {
        let consumers = [consumer_of(position.topic)];
        let control = self.core.service.control();
        self.core.board.wait(&self.core.pool, &control, &consumers, position, deadline).await
    }

    /// Gives the verdict on the record that a command or claim of any service wrote at a position.
    ///
    /// # Errors
    /// The database's.
    pub async fn verdict_at(&self, position: Position) -> Result<Option<Verdict>, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let verdict: Option<String> = sqlx::query_scalar(
            "select verdict from command_outcome
             where topic = $1 and partition = $2 and \"offset\" = $3",
        )
        .bind(position.topic.name())
        .bind(stored_partition(position.partition))
        .bind(stored(position.offset))
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.rollback().await?;
        Ok(verdict.as_deref().and_then(verdict_from))
    }

    /// Reads a stream's events and a command's outcome in one snapshot, so that a refusal decided on
    /// these events never overlooks that the command itself is among them.
    pub(crate) async fn history(
        &self,
        topic: Topic,
        stream: &str,
        command_id: Option<Uuid>,
        part: Part,
    ) -> Result<History, JournalError> {
        if !self.core.journaled(topic, stream) {
            return Err(JournalError::NotJournaled { topic, stream: stream.to_owned() });
        }
        let mut transaction = self.begin().await?;
        let outcome = match command_id {
            Some(id) => outcome(&mut transaction, (topic, stream), id).await?,
            None => None,
        };
        let events = match (part, &outcome) {
            (Part::Whole, _) => events(&mut transaction, topic, stream).await?,
            (Part::LastEvent, None) => {
                last_event(&mut transaction, topic, stream, u64::MAX).await?
            }
            (Part::LastEvent, Some(Outcome { version, .. })) => {
                last_event(&mut transaction, topic, stream, *version).await?
            }
        };
        transaction.rollback().await?;
        Ok(History { events, outcome })
    }

    async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
        schema::begin(&self.core.pool, &self.core.service.control(), Mode::Snapshot).await
    }
}

/// Names the consumer that keeps the journal of a topic.
pub(crate) fn consumer_of(topic: Topic) -> String {
    format!("journal.{topic}")
}

/// Folds events into the decider's state.
pub(crate) fn fold<D>(events: &[StreamEvent]) -> Result<D::State, JournalError>
where
    D: Decider,
    D::Event: Wire,
{
    let mut state = D::State::default();
    for event in events {
        let (kind, payload) = (&event.envelope.kind, &event.envelope.payload);
        let event = D::Event::decode(kind, payload)
            .map_err(|source| JournalError::Payload { position: event.position, source })?;
        state = D::evolve(state, &event);
    }
    Ok(state)
}

/// Gives the head that an event is.
pub(crate) fn head_of(event: &StreamEvent) -> StreamHead {
    StreamHead { version: event.envelope.version, event_id: event.envelope.event_id }
}

async fn events(
    connection: &mut PgConnection,
    topic: Topic,
    stream: &str,
) -> Result<Vec<StreamEvent>, JournalError> {
    let rows = sqlx::query(
        "select partition, \"offset\", envelope from journal_event
         where topic = $1 and stream = $2 order by version",
    )
    .bind(topic.name())
    .bind(stream)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| stream_event(topic, row)).collect()
}

/// Gives the last event of a stream up to a version.
async fn last_event(
    connection: &mut PgConnection,
    topic: Topic,
    stream: &str,
    version: u64,
) -> Result<Vec<StreamEvent>, JournalError> {
    let row = sqlx::query(
        "select partition, \"offset\", envelope from journal_event
         where topic = $1 and stream = $2 and version <= $3 order by version desc limit 1",
    )
    .bind(topic.name())
    .bind(stream)
    .bind(i64::try_from(version).unwrap_or(i64::MAX))
    .fetch_optional(connection)
    .await?;
    row.map(|row| stream_event(topic, &row)).into_iter().collect()
}

fn stream_event(topic: Topic, row: &PgRow) -> Result<StreamEvent, JournalError> {
    let partition = loaded_partition(row.try_get("partition")?);
    let position = Position { topic, partition, offset: loaded(row.try_get("offset")?) };
    let envelope: Vec<u8> = row.try_get("envelope")?;
    Ok(StreamEvent { position, envelope: Envelope::decode(Bytes::from(envelope))? })
}

/// Finds where a command was accepted, preferring the given stream.
async fn outcome(
    connection: &mut PgConnection,
    (topic, stream): (Topic, &str),
    command_id: Uuid,
) -> Result<Option<Outcome>, sqlx::Error> {
    let row = sqlx::query(
        "select topic, partition, \"offset\", stream, version from command_outcome
         where command_id = $1 and verdict = 'accepted'
         order by (topic = $2 and stream = $3) desc limit 1",
    )
    .bind(command_id)
    .bind(topic.name())
    .bind(stream)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let topic: Topic = row
        .try_get::<&str, _>("topic")?
        .parse()
        .map_err(|problem: String| sqlx::Error::Decode(problem.into()))?;
    let partition = loaded_partition(row.try_get("partition")?);
    let position = Position { topic, partition, offset: loaded(row.try_get("offset")?) };
    let version = loaded(row.try_get("version")?);
    Ok(Some(Outcome { position, stream: row.try_get("stream")?, version }))
}

/// Writes a verdict as it is stored and counted.
pub(crate) fn verdict_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Duplicate => "duplicate",
        Verdict::Conflict => "conflict",
        Verdict::Gap => "gap",
        Verdict::RepeatedCommand => "repeated_command",
    }
}

fn verdict_from(text: &str) -> Option<Verdict> {
    let all = [
        Verdict::Accepted,
        Verdict::Duplicate,
        Verdict::Conflict,
        Verdict::Gap,
        Verdict::RepeatedCommand,
    ];
    all.into_iter().find(|verdict| verdict_text(*verdict) == text)
}
