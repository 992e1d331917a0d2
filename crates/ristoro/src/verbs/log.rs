//! `ristoro log`: copies, checks and shows the log itself.

mod copy;
mod place;
mod tail;
mod verify;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use ristoro_runtime::shutdown;

use crate::Answer;
use crate::output::Output;

pub use place::{LogPlace, OperateError, unreachable};

/// Works on the log itself.
#[derive(Debug, Args)]
pub struct Log {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Copies a whole log to an empty place, every record to the same offset
    ///
    /// Stop all services first: a source that is written to meanwhile is refused. The copy is the same log, so every
    /// position that a service remembers stays true. A copy that was interrupted goes on when it is called again.
    #[command(after_help = "Example:
  ristoro log copy --from postgres://ristoro:SECRET@db:5432/ristoro --to kafka://broker:9092")]
    Copy(copy::Copy),
    /// Reads the whole log and judges every record once more; exits with 1 where something is wrong
    ///
    /// Records that lost a race, repeated ones and gaps are void by design and only counted. Wrong are records that
    /// are no envelopes, repeated ones with another content, and verdicts on which two ways to judge disagree.
    #[command(after_help = "Example:
  ristoro log verify --log kafka://broker:9092 --output json")]
    Verify(verify::Verify),
    /// Prints one line per record: where it stands, what it is and whether it counts; never what is in it
    #[command(after_help = "Examples:
  ristoro log tail --log kafka://broker:9092                      # the last ten of each partition
  ristoro log tail --topic payout --partition 0 --from 0          # a partition from its first record
  ristoro log tail --topic settlement --follow --output ndjson    # for programs, until a signal")]
    Tail(tail::Tail),
}

impl Log {
    /// Runs the verb; `wish` is the form that was asked for.
    pub async fn run(self, wish: Option<Output>) -> Result<Answer> {
        match self.verb {
            Verb::Copy(verb) => verb.run(Output::or_default(wish)).await,
            Verb::Verify(verb) => verb.run(Output::or_default(wish)).await,
            Verb::Tail(verb) => verb.run(wish).await,
        }
    }
}

/// Does work that may be given up at any moment; none where SIGINT or SIGTERM came before its end.
pub async fn unless_stopped<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let stop = shutdown::on_signal().context("signals cannot be listened for")?;
    tokio::select! {
        done = work => done.map(Some),
        () = stop.cancelled() => Ok(None),
    }
}
