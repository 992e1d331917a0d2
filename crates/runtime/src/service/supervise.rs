//! Keeps the loops of a service: the first to fail ends them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ristoro_log::LogError;
use sqlx::PgConnection;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::WorkerError;
use super::core::Core;
use crate::accepted::Accepted;
use crate::consumer::{Apply, Consumer, FULL_PERCENT, Pace, Task};
use crate::position::heads::Judgement;
use crate::projection::{FoldError, Projection};
use crate::rebuild::Completion;
use crate::schema::register::Registered;
use crate::schema::{SchemaState, Schemas};

/// Why a loop ended.
#[derive(Debug, thiserror::Error)]
pub enum LoopFailure {
    /// The log is not the one that was remembered.
    #[error("{name}: {source}")]
    Log {
        /// The loop.
        name: String,
        /// What is wrong.
        source: LogError,
    },
    /// A worker failed.
    #[error("{name}: {source}")]
    Worker {
        /// The loop.
        name: String,
        /// What it says.
        source: WorkerError,
    },
    /// A loop ended before anybody asked it to.
    #[error("{0} ended without having been asked to")]
    Ended(String),
    /// A loop panicked.
    #[error("a loop panicked: {0}")]
    Panicked(String),
}

/// One loop, by name.
pub(super) type Loop = (String, BoxFuture<'static, Result<(), LoopFailure>>);

/// The running loops of a service.
pub(super) struct Loops {
    monitor: JoinHandle<Result<(), LoopFailure>>,
    tokens: Tokens,
    /// Closed when all workers have ended.
    workers: mpsc::Receiver<()>,
    /// Cancelled when the loops were asked to end, or one has failed.
    ended: CancellationToken,
}

/// What ends loops. Workers end first: what they have begun ends with a record that the other loops must still fold.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    /// Ends the workers.
    pub(super) draining: CancellationToken,
    /// Ends all others.
    pub(super) ending: CancellationToken,
}

/// How long workers may take to end what they have begun.
const DRAIN_BOUND: Duration = Duration::from_secs(15);

impl Loops {
    /// Starts the loops; they end with the tokens, or when one of them fails.
    pub(super) fn start(mut loops: Vec<Loop>, workers: Vec<Loop>, tokens: Tokens) -> Self {
        let (working, receiver) = mpsc::channel(1);
        for (name, future) in workers {
            let working = working.clone();
            let future = async move {
                let result = future.await;
                drop(working);
                result
            };
            loops.push((name, Box::pin(future)));
        }
        let ended = CancellationToken::new();
        let monitor = tokio::spawn(watch_over(loops, tokens.clone(), ended.clone()));
        Self { monitor, tokens, workers: receiver, ended }
    }

    /// Gives the token that is cancelled when a loop has failed or all have ended.
    pub(super) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Asks the workers to end, then all others, and waits until they have.
    pub(super) async fn stop(mut self) -> Result<(), LoopFailure> {
        self.tokens.draining.cancel();
        if tokio::time::timeout(DRAIN_BOUND, self.workers.recv()).await.is_err() {
            tracing::warn!("workers did not end what they had begun in {DRAIN_BOUND:?}");
        }
        self.tokens.ending.cancel();
        match self.monitor.await {
            Ok(result) => result,
            Err(error) => Err(LoopFailure::Panicked(error.to_string())),
        }
    }
}

async fn watch_over(
    loops: Vec<Loop>,
    tokens: Tokens,
    ended: CancellationToken,
) -> Result<(), LoopFailure> {
    let mut running = JoinSet::new();
    for (name, future) in loops {
        running.spawn(async move { (name, future.await) });
    }
    let mut first = Ok(());
    while let Some(joined) = running.join_next().await {
        let result = match joined {
            Ok((name, Ok(()))) if !tokens.draining.is_cancelled() => Err(LoopFailure::Ended(name)),
            Ok((_, result)) => result,
            Err(error) => Err(LoopFailure::Panicked(error.to_string())),
        };
        if let Err(error) = result {
            tracing::error!(%error, "a loop failed: the service ends");
            if first.is_ok() {
                first = Err(error);
            }
            tokens.draining.cancel();
            tokens.ending.cancel();
            ended.cancel();
        }
    }
    ended.cancel();
    first
}

/// Feeds every physical schema that the register names, and completes rebuilds.
pub(super) struct Feeder {
    pub(super) core: Arc<Core>,
    pub(super) schemas: Schemas,
    pub(super) projections: Vec<Arc<dyn Projection>>,
    pub(super) owned: watch::Receiver<BTreeSet<u32>>,
}

/// A schema that is fed.
struct Fed {
    token: CancellationToken,
    pace: watch::Sender<u32>,
}

/// What is complete is never held back, so that it does not fall behind.
fn pace_of(schema: &Registered) -> u32 {
    match schema.state {
        SchemaState::Building => schema.pace_percent,
        SchemaState::Standby | SchemaState::Live | SchemaState::Dropped => FULL_PERCENT,
    }
}

/// How often the register is read.
const REGISTER_INTERVAL: Duration = Duration::from_secs(1);

impl Feeder {
    pub(super) async fn run(self, shutdown: CancellationToken) -> Result<(), LoopFailure> {
        let mut fed: BTreeMap<i32, Fed> = BTreeMap::new();
        let mut running = JoinSet::new();
        let mut completion = Completion::default();
        while !shutdown.is_cancelled() {
            match self.schemas.registered().await {
                Ok(all) => {
                    self.adjust(&all, &mut fed, &mut running, &shutdown);
                    self.complete(&all, &mut completion).await;
                }
                Err(error) => tracing::warn!(%error, "the register of schemas cannot be read"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(joined) = running.join_next() => ended(joined)?,
                () = tokio::time::sleep(REGISTER_INTERVAL) => {}
            }
        }
        while let Some(joined) = running.join_next().await {
            ended(joined)?;
        }
        Ok(())
    }

    fn adjust(
        &self,
        all: &[Registered],
        fed: &mut BTreeMap<i32, Fed>,
        running: &mut JoinSet<(String, Result<(), LogError>)>,
        shutdown: &CancellationToken,
    ) {
        let wanted = all.iter().filter(|one| one.state != SchemaState::Dropped);
        let wanted: BTreeMap<i32, u32> = wanted.map(|one| (one.number, pace_of(one))).collect();
        fed.retain(|number, fed| {
            let keep = wanted.contains_key(number);
            if !keep {
                fed.token.cancel();
            }
            keep
        });
        for (number, percent) in wanted {
            let fed = fed.entry(number).or_insert_with(|| {
                let token = shutdown.child_token();
                let (pace, paced) = watch::channel(percent);
                for consumer in self.consumers(number, &Pace::of(paced)) {
                    let (owned, token) = (self.owned.clone(), token.clone());
                    running.spawn(async move {
                        let name = consumer.name.clone();
                        (name, consumer.run(owned, token).await)
                    });
                }
                Fed { token, pace }
            });
            fed.pace.send_if_modified(|pace| std::mem::replace(pace, percent) != percent);
        }
        if let Some(live) = all.iter().find(|one| one.state == SchemaState::Live) {
            self.core.live.send_replace(live.number);
        }
    }

    /// Makes the consumers that feed a physical schema.
    pub(super) fn consumers(&self, number: i32, pace: &Pace) -> Vec<Consumer> {
        let consumer = |projection: &Arc<dyn Projection>| Consumer {
            core: Arc::clone(&self.core),
            name: projection.name().to_owned(),
            topic: projection.topic(),
            schema: self.core.service.physical(number),
            pace: pace.clone(),
            task: Task::Fold(Arc::new(Folding(Arc::clone(projection)))),
        };
        self.projections.iter().map(consumer).collect()
    }

    async fn complete(&self, all: &[Registered], completion: &mut Completion) {
        for one in all.iter().filter(|one| one.state == SchemaState::Building) {
            if let Err(error) = completion.advance(&self.schemas, one.number).await {
                tracing::warn!(number = one.number, %error, "a rebuild could not be completed yet");
            }
        }
    }
}

fn ended(
    joined: Result<(String, Result<(), LogError>), tokio::task::JoinError>,
) -> Result<(), LoopFailure> {
    match joined {
        Ok((_, Ok(()))) => Ok(()),
        Ok((name, Err(source))) => Err(LoopFailure::Log { name, source }),
        Err(error) => Err(LoopFailure::Panicked(error.to_string())),
    }
}

/// Lets a projection see accepted records alone, without the skipped ones.
struct Folding(Arc<dyn Projection>);

impl Apply for Folding {
    fn apply<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        judgement: &'a Judgement,
        skipped: &'a BTreeSet<u64>,
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            let records: Vec<Accepted> = judgement
                .accepted()
                .filter(|record| !skipped.contains(&record.position.offset))
                .cloned()
                .collect();
            if records.is_empty() {
                return Ok(());
            }
            self.0.fold(tx, &records).await
        })
    }
}
