//! Stages: event in, events out, on streams that this service alone writes.

use futures::future::BoxFuture;
use ristoro_log::{EventLog, LogError, Position, Topic};
use sqlx::PgPool;

use crate::accepted::Accepted;
use crate::command::{CommandFailure, Commands};
use crate::journal::Journal;
use crate::outbox::Outbox;
use crate::projection::FoldError;

pub(crate) mod run;

/// Reacts to accepted records of one topic.
///
/// Outputs are on the log before the position moves, so a record may be answered again after a crash:
/// what it emits must then be the same, a function of the record and of state read as of a position
/// that the output names.
pub trait Stage: Send + Sync + 'static {
    /// Gives the consumer's name, such as `payout.orders`; positions are kept under it.
    fn name(&self) -> &'static str;

    /// Gives the topic that it reads.
    fn topic(&self) -> Topic;

    /// Answers one record.
    fn react<'a>(
        &'a self,
        context: &'a StageContext,
        record: &'a Accepted,
        outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>>;

    /// Answers a record that `RecordSkipped` told this stage to leave out: where followers count on an
    /// output for each input, an empty one marked as skipped.
    fn skip<'a>(
        &'a self,
        _context: &'a StageContext,
        _record: &'a Accepted,
        _outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async { Ok(()) })
    }
}

/// What a stage may use.
#[derive(Clone, Debug)]
pub struct StageContext {
    /// The database; tables are read through the service's views.
    pub pool: PgPool,
    /// The service's views, with positions.
    pub views: crate::views::Views,
    /// Histories of the streams that this service writes.
    pub journal: Journal,
    /// Commands, for shared streams.
    pub commands: Commands,
    /// The log.
    pub log: EventLog,
}

/// Why a stage could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A projection or the journal has not come far enough: the record is tried again soon.
    #[error("something that this record needs is not there yet")]
    NotYet,
    /// A payload cannot be read: the partition stops there.
    #[error("the record {position} cannot be answered: {problem}")]
    Payload {
        /// The record.
        position: Position,
        /// What is wrong with it.
        problem: String,
    },
    /// The database failed; tried again.
    #[error("the database failed in a stage: {0}")]
    Database(#[from] sqlx::Error),
    /// The log failed; tried again.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A command failed; tried again.
    #[error(transparent)]
    Command(#[from] CommandFailure),
}

impl From<FoldError> for StageError {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Payload { position, problem } => Self::Payload { position, problem },
            FoldError::Database(error) => Self::Database(error),
        }
    }
}
