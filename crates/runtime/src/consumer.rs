//! Consumers: what reads one topic with positions of its own.
//!
//! One task reads the partitions that this process owns. Each partition's records are worked on as a
//! group; a failure of one group never loses records and never holds up another partition.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use ristoro_log::{LogError, Position, Record, Topic, Verdict};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::position::Cursor;
use crate::position::heads::{JudgeError, Judgement};
use crate::projection::FoldError;
use crate::schema::SchemaName;
use crate::service::core::Core;
use crate::stage::{Stage, StageContext};

mod assign;
mod fold;
mod pace;
mod pending;
mod work;

pub(crate) use assign::check;
pub(crate) use fold::within;
pub(crate) use pace::{FULL_PERCENT, Pace};

/// Folds the judged records of one partition inside the transaction that moves the position.
pub(crate) trait Apply: Send + Sync + 'static {
    /// Applies the records; `skipped` are offsets that `RecordSkipped` tells this consumer to leave out.
    fn apply<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        judgement: &'a Judgement,
        skipped: &'a BTreeSet<u64>,
    ) -> BoxFuture<'a, Result<(), FoldError>>;
}

/// A consumer of one topic.
#[derive(Clone)]
pub(crate) struct Consumer {
    pub core: Arc<Core>,
    /// Its name, under which positions are kept.
    pub name: String,
    /// The topic.
    pub topic: Topic,
    /// The schema of its positions.
    pub schema: SchemaName,
    /// The share of its time that it may spend on them.
    pub pace: Pace,
    /// What it does with the records.
    pub task: Task,
}

/// What a consumer does.
#[derive(Clone)]
pub(crate) enum Task {
    /// It writes rows in the transaction that moves its position.
    Fold(Arc<dyn Apply>),
    /// It appends records, then moves its position.
    Stage(Arc<dyn Stage>, Arc<StageContext>),
}

/// Why a group of records was not worked on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroupError {
    #[error("another worker has moved the position, or a switch happened")]
    Fence,
    #[error("something that a record needs is not there yet")]
    NotYet,
    #[error("{position} cannot be read: {problem}")]
    Poison { position: Position, problem: String },
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{0}")]
    Command(String),
}

impl From<JudgeError> for GroupError {
    fn from(error: JudgeError) -> Self {
        match error {
            JudgeError::Database(error) => Self::Database(error),
            JudgeError::Log(error) => Self::Log(error),
        }
    }
}

impl From<FoldError> for GroupError {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Payload { position, problem } => Self::Poison { position, problem },
            FoldError::Database(error) => Self::Database(error),
        }
    }
}

impl Consumer {
    /// Runs until the shutdown.
    ///
    /// # Errors
    /// Only where the log is not the one that was remembered; everything else is tried again.
    pub(crate) async fn run(
        self,
        owned: watch::Receiver<BTreeSet<u32>>,
        shutdown: CancellationToken,
    ) -> Result<(), LogError> {
        work::run(self, owned, shutdown).await
    }

    /// Works on records of one partition, all or the first of them, and gives the cursor behind them.
    pub(crate) async fn group(
        &self,
        partition: u32,
        cursor: &Cursor,
        records: &[Record],
    ) -> Result<Cursor, GroupError> {
        match &self.task {
            Task::Fold(apply) => {
                fold::group(self, apply.as_ref(), partition, cursor, records).await
            }
            Task::Stage(stage, context) => {
                crate::stage::run::group(self, stage.as_ref(), context, partition, cursor, records)
                    .await
            }
        }
    }

    /// Gives the name under which it is counted: a schema that is not live counts apart.
    pub(crate) fn label(&self) -> Cow<'_, str> {
        let service = self.core.service;
        let live = service.physical(*self.core.live.borrow());
        if self.schema == live || self.schema == service.control() {
            return Cow::Borrowed(&self.name);
        }
        Cow::Owned(format!("{}@{}", self.name, self.schema))
    }

    /// Counts what was judged, once it is committed.
    pub(crate) fn count(&self, judgement: &Judgement) {
        let metrics = &self.core.telemetry.metrics;
        let label = self.label();
        for one in judgement.judged.iter().filter(|one| one.verdict != Verdict::Accepted) {
            metrics.void(&label, one.verdict);
        }
        let undecodable = judgement.voids.get(crate::position::heads::UNDECODABLE);
        for _ in 0..undecodable.copied().unwrap_or(0) {
            metrics.undecodable(&label);
        }
        for position in &judgement.altered {
            metrics.altered_duplicate(&label);
            tracing::error!(
                consumer = %self.name, %position,
                "a duplicate's payload differs from the accepted record's: a writer does not derive deterministically"
            );
        }
    }
}
