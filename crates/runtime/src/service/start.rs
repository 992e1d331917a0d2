//! The start of a service: schemas, the check of the log, and then the loops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ristoro_log::{EventLog, LogError, Topic};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::core::Core;
use super::supervise::{Feeder, Loop, LoopFailure, Loops, Tokens};
use super::{Service, ServiceSpec, Settings, Worker, WorkerContext};
use crate::command::Commands;
use crate::config::LeaseMode;
use crate::consumer::{Apply, Consumer, GroupError, Pace, Task, check};
use crate::journal::keep::Keep;
use crate::journal::{self, Journal};
use crate::lease::Leases;
use crate::poison::obey::Obey;
use crate::poison::skip_consumer;
use crate::position::{self, Board};
use crate::schema::{self, MigrationError, Mode, Schemas, ServiceName};
use crate::stage::StageContext;
use crate::telemetry::Telemetry;
use crate::views::Views;

/// Why a service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The specification names something that cannot be.
    #[error("the service is specified wrongly: {0}")]
    Specification(String),
    /// The schemas could not be prepared.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The log is foreign, or cannot be reached.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database failed.
    #[error("the database failed at the start: {0}")]
    Database(#[from] sqlx::Error),
}

impl Service {
    /// Brings a service's schemas up to date without starting it, and gives the number of the live one.
    ///
    /// # Errors
    /// `Specification`, `Migration`.
    pub async fn migrate(
        spec: &ServiceSpec,
        (pool, log): (PgPool, EventLog),
    ) -> Result<i32, StartError> {
        Ok(schemas(spec, (pool, log))?.prepare().await?)
    }

    /// Starts a service on an open pool and log: migrates, checks the log's identity, starts the loops.
    ///
    /// # Errors
    /// See `StartError`; nothing runs then.
    pub async fn start_on(
        spec: ServiceSpec,
        settings: Settings,
        (pool, log): (PgPool, EventLog),
        telemetry: Telemetry,
        shutdown: CancellationToken,
    ) -> Result<Service, StartError> {
        let owned = watch::Sender::new(BTreeSet::new());
        let prepared = prepare(spec, settings, (pool, log), telemetry, owned.subscribe()).await?;
        let Prepared { core, schemas, commands, control, feeder, workers } = prepared;
        let tokens = Tokens::default();
        let ending = tokens.ending.clone();
        let context = WorkerContext {
            pool: core.pool.clone(),
            log: core.log.clone(),
            journal: Journal::new(Arc::clone(&core)),
            commands: commands.clone(),
            views: Views::new(Arc::clone(&core)),
            owned: owned.subscribe(),
            shutdown: tokens.draining.clone(),
            telemetry: core.telemetry.clone(),
        };
        let mut loops: Vec<Loop> = Vec::new();
        let owned_partitions = owned.subscribe();
        for consumer in control {
            loops.push(consumer_loop(consumer, owned.subscribe(), ending.clone()));
        }
        loops.push(("projections".to_owned(), Box::pin(feeder.run(ending.clone()))));
        loops.push(lease_loop(&core, owned, ending));
        let workers = workers.into_iter().map(|worker| worker_loop(worker, context.clone()));
        let loops = Loops::start(loops, workers.collect(), tokens);
        Ok(Service { core, commands, schemas, owned: owned_partitions, shutdown, loops })
    }
}

/// A service that is ready to run.
pub(super) struct Prepared {
    pub(super) core: Arc<Core>,
    pub(super) schemas: Schemas,
    pub(super) commands: Commands,
    /// The consumers whose positions no rebuild touches.
    pub(super) control: Vec<Consumer>,
    /// What feeds the physical schemas.
    pub(super) feeder: Feeder,
    pub(super) workers: Vec<Arc<dyn Worker>>,
}

/// Brings the schemas up to date, checks the log's identity and makes the consumers.
pub(super) async fn prepare(
    spec: ServiceSpec,
    settings: Settings,
    (pool, log): (PgPool, EventLog),
    telemetry: Telemetry,
    owned: watch::Receiver<BTreeSet<u32>>,
) -> Result<Prepared, StartError> {
    let schemas = schemas(&spec, (pool.clone(), log.clone()))?;
    let live = schemas.prepare().await?;
    let core = Arc::new(Core {
        service: schemas.service,
        pool,
        log,
        board: Board::default(),
        settings,
        telemetry,
        live: watch::Sender::new(live),
        tables: tables(&spec),
        journaled: spec.journaled,
        journal_topics: spec.journal_topics,
    });
    let commands = Commands::new(Arc::clone(&core));
    let control = control_consumers(&spec, &core, &commands);
    ensure_positions(&core, &control).await?;
    let feeder = Feeder {
        core: Arc::clone(&core),
        schemas: schemas.clone(),
        projections: spec.projections,
        owned,
    };
    for consumer in control.iter().chain(&feeder.consumers(live, &Pace::full())) {
        check_log(consumer).await?;
        core.telemetry.readiness.expect(&consumer.name);
    }
    Ok(Prepared { core, schemas, commands, control, feeder, workers: spec.workers })
}

fn schemas(spec: &ServiceSpec, (pool, log): (PgPool, EventLog)) -> Result<Schemas, StartError> {
    let service = checked(spec)?;
    let consumers = spec.projections.iter().map(|one| (one.name().to_owned(), one.topic()));
    let (migrations, consumers) = (spec.migrations, consumers.collect());
    Ok(Schemas { service, pool, log, migrations, consumers })
}

fn checked(spec: &ServiceSpec) -> Result<ServiceName, StartError> {
    let wrong = |problem: String| StartError::Specification(problem);
    let name = ServiceName::new(spec.name)
        .ok_or_else(|| wrong(format!("{:?} cannot be a schema's name", spec.name)))?;
    let mut topics = BTreeSet::new();
    for projection in &spec.projections {
        if !topics.insert(projection.topic()) {
            let problem = format!("two projections fold {}: make them one", projection.topic());
            return Err(wrong(problem));
        }
    }
    let mut names = BTreeSet::new();
    let projections = spec.projections.iter().map(|one| one.name());
    for consumer in projections.chain(spec.stages.iter().map(|one| one.name())) {
        if !names.insert(consumer) {
            return Err(wrong(format!("two consumers are called {consumer}")));
        }
    }
    Ok(name)
}

fn tables(spec: &ServiceSpec) -> BTreeMap<Topic, Vec<String>> {
    let mut tables: BTreeMap<Topic, Vec<String>> = BTreeMap::new();
    for projection in &spec.projections {
        tables.entry(projection.topic()).or_default().push(projection.name().to_owned());
    }
    tables
}

/// Makes the consumers whose positions no rebuild touches.
fn control_consumers(spec: &ServiceSpec, core: &Arc<Core>, commands: &Commands) -> Vec<Consumer> {
    let consumer = |name: String, topic: Topic, task: Task| Consumer {
        core: Arc::clone(core),
        name,
        topic,
        schema: core.service.control(),
        pace: Pace::full(),
        task,
    };
    let fold = |apply: Arc<dyn Apply>| Task::Fold(apply);
    let skips = skip_consumer(core.service);
    let mut all = vec![consumer(skips, Topic::Ops, fold(Arc::new(Obey)))];
    let own = spec.journal_topics.iter().copied();
    let topics: BTreeSet<Topic> = own.chain([Topic::Ops]).collect();
    for topic in topics {
        let keep = Keep { core: Arc::clone(core), topic };
        all.push(consumer(journal::consumer_of(topic), topic, fold(Arc::new(keep))));
    }
    let context = Arc::new(StageContext {
        pool: core.pool.clone(),
        views: Views::new(Arc::clone(core)),
        journal: commands.journal.clone(),
        commands: commands.clone(),
        log: core.log.clone(),
    });
    for stage in &spec.stages {
        let task = Task::Stage(Arc::clone(stage), Arc::clone(&context));
        all.push(consumer(stage.name().to_owned(), stage.topic(), task));
    }
    all
}

async fn ensure_positions(core: &Core, consumers: &[Consumer]) -> Result<(), sqlx::Error> {
    let mut transaction = schema::begin(&core.pool, &core.service.control(), Mode::Write).await?;
    let (partitions, log_id) = (core.log.partition_count(), core.log.log_id());
    for consumer in consumers {
        let (name, topic) = (&consumer.name, consumer.topic);
        position::ensure(&mut transaction, name, topic, partitions, log_id).await?;
    }
    transaction.commit().await
}

async fn check_log(consumer: &Consumer) -> Result<(), StartError> {
    match check(consumer).await {
        Ok(()) => Ok(()),
        Err(GroupError::Log(error)) => Err(StartError::Log(error)),
        Err(GroupError::Database(error)) => Err(StartError::Database(error)),
        Err(
            error @ (GroupError::Fence
            | GroupError::NotYet
            | GroupError::Poison { .. }
            | GroupError::Command(_)),
        ) => Err(StartError::Specification(error.to_string())),
    }
}

fn consumer_loop(
    consumer: Consumer,
    owned: watch::Receiver<BTreeSet<u32>>,
    shutdown: CancellationToken,
) -> Loop {
    let name = consumer.name.clone();
    let run = async move {
        let name = consumer.name.clone();
        consumer.run(owned, shutdown).await.map_err(|source| LoopFailure::Log { name, source })
    };
    (name, Box::pin(run))
}

fn worker_loop(worker: Arc<dyn Worker>, context: WorkerContext) -> Loop {
    let name = worker.name().to_owned();
    let run = async move {
        let name = worker.name().to_owned();
        worker.run(context).await.map_err(|source| LoopFailure::Worker { name, source })
    };
    (name, Box::pin(run))
}

fn lease_loop(
    core: &Arc<Core>,
    owned: watch::Sender<BTreeSet<u32>>,
    shutdown: CancellationToken,
) -> Loop {
    let partition_count = core.log.partition_count();
    let leases = Leases {
        pool: core.pool.clone(),
        control: core.service.control(),
        member_id: Uuid::new_v4(),
        partition_count,
        heartbeat: core.settings.heartbeat,
        lease_time: core.settings.lease_time,
    };
    let mode = core.settings.lease;
    let run = async move {
        match mode {
            LeaseMode::Shared => leases.run(owned, shutdown).await,
            LeaseMode::All => {
                owned.send_replace((0..partition_count).collect());
                shutdown.cancelled().await;
            }
        }
        Ok(())
    };
    ("leases".to_owned(), Box::pin(run))
}
