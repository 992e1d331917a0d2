//! Rebuilds: a service's tables made anew from the log's first record, beside the live ones, and the switch.
//!
//! The register in the control schema says which schemas are fed, so every process of the service takes
//! part: the same projections fold the same records, only into another schema. Effects and stages have
//! their positions in control and are no part of it.

use std::collections::BTreeMap;
use std::time::Duration;

use ristoro_log::{LogError, Position, Topic};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio::time::Instant;
use uuid::Uuid;

use crate::position::{loaded, loaded_partition};
use crate::schema::migrate::{Admin, Part};
use crate::schema::register::{Registered, is_in_use, registered, requested};
use crate::schema::{self, MigrationError, Mode, SchemaName, SchemaState, Schemas};
use crate::stored::small;

mod complete;
mod switch;

pub(crate) use complete::Completion;
pub use switch::{Switched, switch};

/// How long a removal waits for batches that are under way, and between two tries.
const DROP_PATIENCE: Duration = Duration::from_secs(20);
const DROP_PAUSE: Duration = Duration::from_millis(100);

/// Why the pace of a schema cannot be set.
pub(crate) const COMPLETE: &str = "only a schema that is being built has a pace";

/// A physical schema of a service, with how far it has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PhysicalSchema {
    /// Its number.
    pub number: i32,
    /// What it is for.
    pub state: SchemaState,
    /// Whether a consumer of it stands still.
    pub stopped: bool,
    /// The share of its time, in percent, that a process spends on folding it while it is built.
    pub pace_percent: u32,
    /// Its consumers' positions.
    pub partitions: Vec<PartitionProgress>,
}

/// How far one consumer of a schema has come on one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionProgress {
    /// The consumer.
    pub consumer: String,
    /// The position of the next record to fold.
    pub next: Position,
    /// The offset that the next record on the log will get.
    pub end_offset: u64,
}

impl PhysicalSchema {
    /// Tells whether it had passed the end of the log when it was looked at.
    #[must_use]
    pub fn current(&self) -> bool {
        self.partitions.iter().all(|one| one.next.offset >= one.end_offset)
    }
}

/// Why a rebuild or a switch was not made.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no such schema.
    #[error("there is no schema {0}: list them first")]
    Missing(i32),
    /// The schema is in no state for that.
    #[error("schema {number} is {state}: {help}", state = state.text())]
    State {
        /// The schema.
        number: i32,
        /// Its state.
        state: SchemaState,
        /// What to do.
        help: &'static str,
    },
    /// Another rebuild is being made.
    #[error("schema {0} is being built already: wait for it, or drop it")]
    Building(i32),
    /// Another schema is live than the caller believed.
    #[error("schema {live} is live")]
    LiveChanged {
        /// The live one.
        live: i32,
    },
    /// The schema has not come as far as the live one in time.
    #[error("schema {number} is behind the live one at {}: wait for it", join(behind))]
    Behind {
        /// The schema.
        number: i32,
        /// Where it is behind.
        behind: Vec<Position>,
    },
    /// Queries or batches held what the switch needs.
    #[error("the tables were in use each time: try again")]
    InUse,
    /// Another process migrates, builds indexes, or switches.
    #[error("another process of the service is changing schemas: try again")]
    Busy,
    /// The tables could not be made.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database failed.
    #[error("the database failed during a rebuild: {0}")]
    Database(#[from] sqlx::Error),
}

fn join(positions: &[Position]) -> String {
    positions.iter().map(Position::to_string).collect::<Vec<_>>().join(", ")
}

/// Begins a rebuild and gives the new schema's number; the same request id gives the same rebuild again.
///
/// # Errors
/// `Building` while one is being made, `Busy`, `Migration`, `Database`.
pub async fn start(schemas: &Schemas, request_id: Uuid) -> Result<i32, RebuildError> {
    let Some(mut admin) = Admin::try_open(&schemas.pool, schemas.service).await? else {
        return Err(RebuildError::Busy);
    };
    let number = start_in(schemas, &mut admin, request_id).await;
    admin.close().await?;
    number
}

async fn start_in(
    schemas: &Schemas,
    admin: &mut Admin,
    request_id: Uuid,
) -> Result<i32, RebuildError> {
    let control = schemas.service.control();
    admin.enter(&control).await?;
    if let Some(number) = requested(&mut admin.connection, request_id).await? {
        return Ok(number);
    }
    let all = registered(&mut admin.connection).await?;
    if let Some(building) = all.iter().find(|one| one.state == SchemaState::Building) {
        return Err(RebuildError::Building(building.number));
    }
    let number = all.iter().map(|one| one.number).max().unwrap_or(0) + 1;
    // The tables come before the entry, so that no process feeds what is not there.
    schemas.fill(admin, number, Part::Tables).await?;
    admin.enter(&control).await?;
    sqlx::query(
        "insert into projection_schema (number, state, request_id) values ($1, 'building', $2)",
    )
    .bind(number)
    .bind(request_id)
    .execute(&mut admin.connection)
    .await?;
    tracing::info!(service = schemas.service.text(), number, "a rebuild begins");
    Ok(number)
}

/// Lists the schemas, oldest first, each with its progress; removed ones are left out.
///
/// # Errors
/// `Log`, `Database`.
pub async fn list(schemas: &Schemas) -> Result<Vec<PhysicalSchema>, RebuildError> {
    let mut all = Vec::new();
    for one in schemas.registered().await? {
        if one.state != SchemaState::Dropped {
            all.push(look(schemas, one).await?);
        }
    }
    Ok(all)
}

/// Gives one schema with its progress.
///
/// # Errors
/// `Missing`, `Log`, `Database`.
pub async fn progress(schemas: &Schemas, number: i32) -> Result<PhysicalSchema, RebuildError> {
    look(schemas, find(schemas, number).await?).await
}

/// Sets the share of its time, in percent, that a process spends on a schema that is being built; 0 lets it stand still.
///
/// # Errors
/// `Missing`, `State` for a schema that is complete, `Database`.
pub async fn pace(schemas: &Schemas, number: i32, percent: u32) -> Result<(), RebuildError> {
    let control = schemas.service.control();
    let statement = format!(
        "update {control}.projection_schema set pace_percent = $2 where number = $1 and state = 'building'"
    );
    let set = sqlx::query(AssertSqlSafe(statement)).bind(number).bind(small(percent));
    if set.execute(&schemas.pool).await?.rows_affected() == 0 {
        let Registered { state, .. } = find(schemas, number).await?;
        return Err(RebuildError::State { number, state, help: COMPLETE });
    }
    tracing::info!(service = schemas.service.text(), number, percent, "a rebuild has another pace");
    Ok(())
}

/// Removes a schema that is neither live nor wanted any more.
///
/// # Errors
/// `Missing`, `State` for the live one, `InUse` (then it is fed no more, and can be dropped again), `Busy`, `Database`.
pub async fn drop(schemas: &Schemas, number: i32) -> Result<(), RebuildError> {
    let Some(mut admin) = Admin::try_open(&schemas.pool, schemas.service).await? else {
        return Err(RebuildError::Busy);
    };
    let dropped = drop_in(schemas, &mut admin, number).await;
    admin.close().await?;
    dropped
}

async fn drop_in(schemas: &Schemas, admin: &mut Admin, number: i32) -> Result<(), RebuildError> {
    admin.enter(&schemas.service.control()).await?;
    let all = registered(&mut admin.connection).await?;
    let state = all.iter().find(|one| one.number == number).map(|one| one.state);
    match state {
        None => return Err(RebuildError::Missing(number)),
        Some(state @ SchemaState::Live) => {
            let help = "switch to another schema before it is dropped";
            return Err(RebuildError::State { number, state, help });
        }
        Some(SchemaState::Building | SchemaState::Standby | SchemaState::Dropped) => {}
    }
    // From here on no process feeds it: all of them read the register every second.
    sqlx::query("update projection_schema set state = 'dropped' where number = $1")
        .bind(number)
        .execute(&mut admin.connection)
        .await?;
    let physical = schemas.service.physical(number);
    sqlx::query("delete from poison where schema_name = $1")
        .bind(physical.as_str())
        .execute(&mut admin.connection)
        .await?;
    let statement = format!("set lock_timeout = '500ms'; drop schema if exists {physical} cascade");
    let deadline = Instant::now() + DROP_PATIENCE;
    loop {
        let removed = sqlx::raw_sql(AssertSqlSafe(statement.clone()));
        match removed.execute(&mut admin.connection).await {
            Ok(_) => break,
            Err(error) if !is_in_use(&error) => return Err(error.into()),
            Err(_) if Instant::now() >= deadline => return Err(RebuildError::InUse),
            Err(_) => tokio::time::sleep(DROP_PAUSE).await,
        }
    }
    tracing::info!(service = schemas.service.text(), number, "a schema was dropped");
    Ok(())
}

/// Finds a schema in the register.
async fn find(schemas: &Schemas, number: i32) -> Result<Registered, RebuildError> {
    let mut all = schemas.registered().await?.into_iter();
    let one = all.find(|one| one.number == number && one.state != SchemaState::Dropped);
    one.ok_or(RebuildError::Missing(number))
}

async fn look(schemas: &Schemas, one: Registered) -> Result<PhysicalSchema, RebuildError> {
    let Registered { number, state, pace_percent } = one;
    let physical = schemas.service.physical(number);
    let mut ends: BTreeMap<Topic, Vec<u64>> = BTreeMap::new();
    for (_, topic) in schemas.consumers.iter() {
        if !ends.contains_key(topic) {
            ends.insert(*topic, schemas.log.end_offsets(*topic).await?);
        }
    }
    let control = schemas.service.control();
    let mut transaction = schema::begin(&schemas.pool, &control, Mode::Snapshot).await?;
    let positions = positions(&mut transaction, &physical).await?;
    let stopped: bool =
        sqlx::query_scalar("select exists (select 1 from poison where schema_name = $1)")
            .bind(physical.as_str())
            .fetch_one(&mut *transaction)
            .await?;
    transaction.rollback().await?;
    let mut partitions = Vec::with_capacity(positions.len());
    for ((consumer, topic, partition), offset) in positions {
        // Rows of consumers that only another program version has are nobody's progress here.
        if schemas.consumers.iter().any(|known| *known == (consumer.clone(), topic)) {
            let of_topic = ends.get(&topic).and_then(|ends| ends.get(partition as usize));
            let end_offset = of_topic.copied().unwrap_or(0);
            let next = Position { topic, partition, offset };
            partitions.push(PartitionProgress { consumer, next, end_offset });
        }
    }
    Ok(PhysicalSchema { number, state, stopped, pace_percent, partitions })
}

/// A consumer's place: its name, topic and partition.
type Place = (String, Topic, u32);

/// Reads all positions of a physical schema.
async fn positions(
    connection: &mut PgConnection,
    physical: &SchemaName,
) -> Result<BTreeMap<Place, u64>, sqlx::Error> {
    let statement =
        format!("select consumer, topic, partition, next_offset from {physical}.log_position");
    let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(connection).await?;
    let mut positions = BTreeMap::new();
    for row in rows {
        if let Ok(topic) = row.try_get::<&str, _>("topic")?.parse() {
            let partition = loaded_partition(row.try_get("partition")?);
            let next_offset = loaded(row.try_get("next_offset")?);
            positions.insert((row.try_get("consumer")?, topic, partition), next_offset);
        }
    }
    Ok(positions)
}
