//! A service without its loops: a batch is worked on when somebody asks for it, and nothing happens in between.
//!
//! It is for tests that decide who comes next. What it runs is what the loops run.

use std::sync::Arc;
use std::time::Duration;

use ristoro_log::{EventLog, Limits, LogError, Position, Record};
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;

use super::start::{Prepared, prepare};
use super::supervise::Feeder;
use super::{ServiceSpec, Settings, StartError};
use crate::command::Commands;
use crate::consumer::{Consumer, GroupError, Pace, Task};
use crate::poison;
use crate::position::{self, Cursor};
use crate::projection::FoldError;
use crate::schema::{self, Mode, SchemaState, Schemas};
use crate::telemetry::Telemetry;
use crate::views::Views;

/// A service that stands still until it is told what to do.
pub struct Stepwise {
    commands: Commands,
    schemas: Schemas,
    control: Vec<Consumer>,
    feeder: Feeder,
}

/// What a consumer would work on next, as it read it at some time.
pub struct Batch {
    consumer: Consumer,
    partition: u32,
    cursor: Cursor,
    records: Vec<Record>,
}

/// What became of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Worked {
    /// All of it or its first records are committed.
    Passed,
    /// Another worker moved the position, or a switch happened.
    Fenced,
    /// Something that a record needs is not there yet.
    NotYet,
    /// The partition stands still at a record, and is listed.
    Stopped(Position),
    /// It failed and is to be tried again.
    Failed(String),
}

impl Batch {
    /// Tells whether there was nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Stepwise {
    /// Prepares a service as its start does.
    ///
    /// # Errors
    /// See `StartError`.
    pub async fn prepare(
        spec: ServiceSpec,
        settings: Settings,
        (pool, log): (PgPool, EventLog),
    ) -> Result<Self, StartError> {
        let owned = watch::Sender::new((0..log.partition_count()).collect());
        let on = (pool, log);
        let Prepared { schemas, commands, control, feeder, .. } =
            prepare(spec, settings, on, Telemetry::default(), owned.subscribe()).await?;
        Ok(Self { commands, schemas, control, feeder })
    }

    /// Gives what executes commands; they wait for batches that somebody else has to ask for.
    #[must_use]
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Gives the physical schemas, for rebuilds.
    #[must_use]
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Gives the tables for queries.
    #[must_use]
    pub fn views(&self) -> Views {
        Views::new(Arc::clone(&self.commands.core))
    }

    /// Looks which schema is live, as the loops do now and then.
    ///
    /// # Errors
    /// The database's.
    pub async fn see_live(&self) -> Result<(), sqlx::Error> {
        let all = self.schemas.registered().await?;
        if let Some(live) = all.iter().find(|one| one.state == SchemaState::Live) {
            self.commands.core.live.send_replace(live.number);
        }
        Ok(())
    }

    /// Reads what a consumer of the control schema would work on next on a partition.
    ///
    /// # Errors
    /// The database's and the log's.
    ///
    /// # Panics
    /// If there is no such consumer.
    pub async fn read(&self, consumer: &str, partition: u32) -> Result<Batch, StartError> {
        let found = self.control.iter().find(|one| one.name == consumer);
        self.batch(found.expect("the consumer is the service's").clone(), partition).await
    }

    /// Reads what a projection would work on next on a partition, in one of the physical schemas.
    ///
    /// # Errors
    /// The database's and the log's.
    ///
    /// # Panics
    /// If there is no such projection.
    pub async fn read_in(
        &self,
        schema: i32,
        projection: &str,
        partition: u32,
    ) -> Result<Batch, StartError> {
        self.batch(self.projection(schema, projection), partition).await
    }

    fn projection(&self, schema: i32, projection: &str) -> Consumer {
        let mut all = self.feeder.consumers(schema, &Pace::full()).into_iter();
        all.find(|one| one.name == projection).expect("the projection is the service's")
    }

    async fn batch(&self, consumer: Consumer, partition: u32) -> Result<Batch, StartError> {
        let core = &consumer.core;
        let mut view = schema::begin(&core.pool, &consumer.schema, Mode::Snapshot).await?;
        let cursors = position::read(&mut view, &consumer.name, consumer.topic).await?;
        view.rollback().await?;
        let foreign = || LogError::Missing { topic: consumer.topic, partition };
        let cursor = *cursors.get(&partition).ok_or_else(foreign)?;
        let from = Position { topic: consumer.topic, partition, offset: cursor.next_offset };
        let limits = Limits {
            records: core.settings.batch_records,
            bytes: core.settings.batch_bytes,
            wait: Duration::ZERO,
        };
        let records = core.log.reader(&[from]).await?.poll(limits).await?;
        Ok(Batch { consumer, partition, cursor, records })
    }

    /// Works on a batch, however long ago it was read, and notes where the consumer stands still.
    ///
    /// # Errors
    /// The database's, where the list of those that stand still cannot be kept.
    pub async fn work(&self, batch: &Batch) -> Result<Worked, sqlx::Error> {
        let Batch { consumer, partition, cursor, records } = batch;
        if records.is_empty() {
            return Ok(Worked::Passed);
        }
        match consumer.group(*partition, cursor, records).await {
            Ok(next) => {
                consumer.report(*partition, &next);
                poison::settle(consumer, &[(*partition, next)].into()).await?;
                Ok(Worked::Passed)
            }
            Err(GroupError::Fence) => Ok(Worked::Fenced),
            Err(GroupError::NotYet) => Ok(Worked::NotYet),
            Err(GroupError::Poison { position, problem }) => {
                poison::stop(consumer, position, records.first(), &problem).await?;
                Ok(Worked::Stopped(position))
            }
            Err(
                error @ (GroupError::Database(_) | GroupError::Log(_) | GroupError::Command(_)),
            ) => Ok(Worked::Failed(error.to_string())),
        }
    }

    /// Folds records of one partition behind a projection's position into the live tables, in a transaction of the
    /// caller's: fence, verdicts, rows and heads, as in a batch.
    ///
    /// # Errors
    /// `Payload`, and the database's. A fence that does not move is the caller's mistake and given as the latter.
    pub async fn fold(
        &self,
        connection: &mut PgConnection,
        projection: &str,
        records: &[Record],
    ) -> Result<(), FoldError> {
        let live = *self.commands.core.live.borrow();
        let consumer = self.projection(live, projection);
        let Task::Fold(apply) = &consumer.task else {
            unreachable!("a projection's task is to fold")
        };
        let Some(first) = records.first() else { return Ok(()) };
        let partition = first.position.partition;
        let cursors = position::read(connection, &consumer.name, consumer.topic).await?;
        let cursor = cursors.get(&partition).copied().ok_or(sqlx::Error::RowNotFound)?;
        let folded = crate::consumer::within(
            connection,
            (&consumer, partition),
            apply.as_ref(),
            &cursor,
            records,
        );
        match folded.await {
            Ok(_) => Ok(()),
            Err(GroupError::Poison { position, problem }) => {
                Err(FoldError::Payload { position, problem })
            }
            Err(GroupError::Database(error)) => Err(FoldError::Database(error)),
            Err(
                error @ (GroupError::Fence
                | GroupError::NotYet
                | GroupError::Log(_)
                | GroupError::Command(_)),
            ) => Err(FoldError::Database(sqlx::Error::Protocol(error.to_string()))),
        }
    }
}
