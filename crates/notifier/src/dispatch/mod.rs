//! The effect: released notices go out wave by wave, each person's once their own mailbox is back.
//!
//! A wave is claimed before anything of it is sent and sent in blocks, each reported before the next begins. Only
//! what was certainly not taken is ever offered again.

mod block;
mod budget;
mod known;
mod lane;
mod look;
mod plan;
mod turn;
mod wave;
mod write;

use futures::future::BoxFuture;
use ristoro_domain::dispatch::Rejection;
use ristoro_runtime::command::CommandError;
use ristoro_runtime::journal::JournalError;
use ristoro_runtime::service::{Worker, WorkerContext, WorkerError};

use crate::channels::smtp::ConnectError;
use crate::settings::Settings;

pub(crate) use known::{Seen, content};
pub(crate) use write::sender_name;

/// The dispatch's loop.
#[derive(Debug)]
pub struct Dispatcher {
    settings: Settings,
}

/// Why a dispatch cannot go on now. It is looked at again in the next round.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DispatchError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The mail server takes nothing.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A command on a dispatch did not take effect.
    #[error("a dispatch did not take {command}: {source}")]
    Command {
        /// Which.
        command: &'static str,
        /// Why.
        source: CommandError<Rejection>,
    },
    /// An outage's zone is not in the bundled data.
    #[error(transparent)]
    Zone(#[from] ristoro_domain::time::TimeError),
    /// A mail could not be made.
    #[error("a notice could not be made: {0}")]
    Mail(#[from] lettre::error::Error),
}

impl Dispatcher {
    /// Makes the loop.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Worker for Dispatcher {
    fn name(&self) -> &'static str {
        "notifier.dispatch"
    }

    fn run(&self, context: WorkerContext) -> BoxFuture<'_, Result<(), WorkerError>> {
        Box::pin(async move {
            let desk = turn::Desk::new(&self.settings, &context);
            desk.work().await;
            desk.close().await;
            Ok(())
        })
    }
}
