//! A service: its tables, stages and workers, and the loops that run them.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use ristoro_log::{EventLog, Topic};
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::command::Commands;
use crate::journal::Journal;
use crate::projection::Projection;
use crate::schema::Schemas;
use crate::stage::Stage;
use crate::telemetry::Telemetry;
use crate::views::Views;

pub(crate) mod core;
pub mod run;
mod settings;
mod start;
pub mod stepwise;
mod supervise;

pub use settings::Settings;
pub use start::StartError;
pub use supervise::LoopFailure;

/// What a service consists of.
pub struct ServiceSpec {
    /// Its name, which its schemas carry: lower-case letters, digits and underscores.
    pub name: &'static str,
    /// Its tables. Files named `*_indexes.sql` hold what a rebuild makes only after it has caught up.
    pub migrations: &'static Migrator,
    /// What folds its tables; at most one for each topic.
    pub projections: Vec<Arc<dyn Projection>>,
    /// What answers events with events.
    pub stages: Vec<Arc<dyn Stage>>,
    /// The streams that it decides on: their events are kept in the journal.
    pub journaled: fn(Topic, &str) -> bool,
    /// The topics that it writes commands to.
    pub journal_topics: &'static [Topic],
    /// Other loops: effects, scans, feeds.
    pub workers: Vec<Arc<dyn Worker>>,
}

/// A loop of a service that is neither a projection nor a stage.
pub trait Worker: Send + Sync + 'static {
    /// Gives its name, such as `payout.files`.
    fn name(&self) -> &'static str;

    /// Runs until the context's shutdown; to end earlier, well or not, ends the process.
    fn run(&self, context: WorkerContext) -> BoxFuture<'_, Result<(), WorkerError>>;
}

/// What a worker may use.
#[derive(Clone, Debug)]
pub struct WorkerContext {
    /// The database.
    pub pool: PgPool,
    /// The log.
    pub log: EventLog,
    /// Histories of the streams that this service writes.
    pub journal: Journal,
    /// Commands and claims.
    pub commands: Commands,
    /// The service's tables.
    pub views: Views,
    /// The partitions that this process should work on: a hint, never needed for safety.
    pub owned: watch::Receiver<BTreeSet<u32>>,
    /// Cancelled when the worker must end.
    pub shutdown: CancellationToken,
    /// Metrics and readiness.
    pub telemetry: Telemetry,
}

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorkerError(pub String, #[source] pub Option<Box<dyn std::error::Error + Send + Sync>>);

/// A running service.
pub struct Service {
    pub(crate) core: Arc<core::Core>,
    commands: Commands,
    schemas: Schemas,
    owned: watch::Receiver<BTreeSet<u32>>,
    shutdown: CancellationToken,
    loops: supervise::Loops,
}

impl Service {
    /// Gives the database.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.core.pool
    }

    /// Gives what executes commands.
    #[must_use]
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Gives the journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.commands.journal
    }

    /// Gives the log.
    #[must_use]
    pub fn log(&self) -> &EventLog {
        &self.core.log
    }

    /// Gives the tables for queries.
    #[must_use]
    pub fn views(&self) -> Views {
        Views::new(Arc::clone(&self.core))
    }

    /// Gives the physical schemas, for rebuilds.
    #[must_use]
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Gives the partitions that this process owns by lease.
    #[must_use]
    pub fn owned(&self) -> watch::Receiver<BTreeSet<u32>> {
        self.owned.clone()
    }

    /// Gives the token that ends the service.
    #[must_use]
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Gives where the service reports to.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.core.telemetry
    }

    /// Gives the token that is cancelled when a loop has failed: whatever serves calls must end then.
    #[must_use]
    pub fn ended(&self) -> CancellationToken {
        self.loops.ended()
    }

    /// Asks all loops to end, waits for them, and gives the first failure.
    ///
    /// # Errors
    /// The failure of the loop that ended the service, if one did.
    pub async fn stop(self) -> Result<(), LoopFailure> {
        self.loops.stop().await
    }

    /// Runs until the shutdown, or until a loop fails; all others end with it.
    ///
    /// # Errors
    /// The first loop's failure.
    pub async fn join(self) -> Result<(), LoopFailure> {
        let (shutdown, ended) = (self.shutdown.clone(), self.ended());
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = ended.cancelled() => {}
        }
        self.stop().await
    }
}
