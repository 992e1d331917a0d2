//! Commands: somebody asks, a decider answers, and the log says whether the answer counts.

use std::sync::Arc;

use ristoro_domain::time::Instant;
use ristoro_log::{LogError, Position, Topic};
use uuid::Uuid;

use crate::journal::{Journal, JournalError};
use crate::service::core::Core;

mod caused;
mod content;
mod execute;
pub mod step;
mod submit;

/// Executes commands of a service. Any replica may execute any command.
#[derive(Clone, Debug)]
pub struct Commands {
    pub(crate) core: Arc<Core>,
    pub(crate) journal: Journal,
}

/// A stream, with the partition that it lives on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamRef {
    /// The topic.
    pub topic: Topic,
    /// The partition.
    pub partition: u32,
    /// The stream's name, such as `outage/o-1`.
    pub id: String,
}

/// What a command brings besides its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandRequest {
    /// Makes a retry the same command.
    pub request_id: Uuid,
    /// Who asks, as authenticated.
    pub actor: String,
    /// W3C trace context; may be empty.
    pub traceparent: String,
    /// Business time of what happens.
    pub occurred_at: Instant,
    /// The version that the caller saw; another one is a conflict.
    pub expected_version: Option<u64>,
    /// Decides, and writes nothing.
    pub validate_only: bool,
    /// A digest of who asks what, which the `request_id` is bound to; none for a command that no call brought whole.
    pub content: Option<[u8; 32]>,
}

/// A command that took effect, or had nothing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done<S> {
    /// The stream's state after it.
    pub state: S,
    /// The stream's version after it; 0 where the stream has no event.
    pub version: u64,
    /// Positions that a later read must have passed to see it.
    pub token: Vec<Position>,
    /// Whether this command, now or in an earlier attempt, wrote an event.
    pub changed: bool,
}

/// A claim that was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimed<S> {
    /// The stream's state as of the journal.
    pub state: S,
    /// Whether this attempt's record was accepted: only then may the caller act.
    pub owned: bool,
    /// The stream's version.
    pub version: u64,
    /// The id of this attempt.
    pub claim_id: Uuid,
}

/// Why a command did not take effect.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<R> {
    /// The decider refuses.
    #[error("refused")]
    Rejected(R),
    /// Somebody else was first: the stream is at another version than expected, or changes too fast.
    #[error("the stream is at version {version}")]
    Conflict {
        /// The version now.
        version: u64,
    },
    /// Whether it took effect is not known: the same command must be sent again with its request_id.
    #[error("the outcome is not known: {0}")]
    Unknown(String),
    /// The request_id was accepted for another stream, or came with another content.
    #[error("the request_id was used for something else")]
    RequestIdReused,
    /// Something failed before anything was written.
    #[error(transparent)]
    Failure(#[from] CommandFailure),
}

/// What failed before a command wrote anything.
#[derive(Debug, thiserror::Error)]
pub enum CommandFailure {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The log refused the record.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<sqlx::Error> for CommandFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Journal(JournalError::Database(error))
    }
}

impl StreamRef {
    /// Names a stream whose partition follows from a key, such as the subscriber's id.
    #[must_use]
    pub fn keyed(topic: Topic, id: String, key: &str, partition_count: u32) -> Self {
        let partition = ristoro_log::position::partition_of(key, partition_count);
        Self { topic, partition, id }
    }

    /// Names a stream whose partition stands in its name.
    #[must_use]
    pub fn numbered(topic: Topic, id: String, partition: u32) -> Self {
        Self { topic, partition, id }
    }
}

impl Commands {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let journal = Journal::new(Arc::clone(&core));
        Self { core, journal }
    }

    /// Gives the number of partitions of every topic, for `StreamRef::keyed`.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        self.core.log.partition_count()
    }
}
