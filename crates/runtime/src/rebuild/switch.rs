//! The switch: one transaction after which the views show another schema, never an older state.

use std::time::Duration;

use ristoro_log::Position;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::Instant;

use super::{RebuildError, positions};
use crate::schema::migrate::Admin;
use crate::schema::register::{is_in_use, registered, show};
use crate::schema::{SchemaName, SchemaState, Schemas};

/// How long a switch may take in all.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the live tables may stand still for the other schema to come as far.
const CATCH_UP: Duration = Duration::from_secs(5);

/// How long to wait for the batches that are under way. Queries go on meanwhile.
const BATCHES: &str = "set local lock_timeout = '5s'";

/// How long to wait for queries under way. New ones wait behind us, so it is short.
const QUERIES: &str = "set local lock_timeout = '500ms'";

/// The pause between two looks at the other schema, and between two tries.
const PAUSE: Duration = Duration::from_millis(25);

/// What a switch did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Switched {
    /// The schema that was live.
    pub from: i32,
    /// The schema that is live.
    pub to: i32,
}

/// Makes a schema the live one. The other is fed on, so that switching back loses nothing.
///
/// The transaction stops the live positions, waits for the other schema to pass them, stops these as
/// well, raises `role_epoch` in both and re-points the views. The views are waited for briefly and the
/// whole is tried again, so that no query waits long.
///
/// # Errors
/// `Missing`, `State`, `LiveChanged`, `Behind`, `InUse`, `Busy`, `Database`.
pub async fn switch(
    schemas: &Schemas,
    to: i32,
    expected_live: Option<i32>,
) -> Result<Switched, RebuildError> {
    let Some(mut admin) = Admin::try_open(&schemas.pool, schemas.service).await? else {
        return Err(RebuildError::Busy);
    };
    let switched = switch_in(schemas, &mut admin, to, expected_live).await;
    admin.close().await?;
    switched
}

async fn switch_in(
    schemas: &Schemas,
    admin: &mut Admin,
    to: i32,
    expected_live: Option<i32>,
) -> Result<Switched, RebuildError> {
    admin.enter(&schemas.service.control()).await?;
    let all = registered(&mut admin.connection).await?;
    let state = all.iter().find(|one| one.number == to).map(|one| one.state);
    let live = all.iter().find(|one| one.state == SchemaState::Live).map_or(0, |one| one.number);
    if expected_live.is_some_and(|expected| expected != live) {
        return Err(RebuildError::LiveChanged { live });
    }
    match state {
        None | Some(SchemaState::Dropped) => return Err(RebuildError::Missing(to)),
        Some(SchemaState::Live) => return Ok(Switched { from: to, to }),
        Some(state @ SchemaState::Building) => {
            let help = "wait until it has caught up and has its indexes";
            return Err(RebuildError::State { number: to, state, help });
        }
        Some(SchemaState::Standby) => {}
    }
    let switched = Switched { from: live, to };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let error = match once(schemas, &mut admin.connection, switched).await {
            Ok(()) => {
                tracing::info!(
                    service = schemas.service.text(),
                    from = live,
                    to,
                    "the views show another schema"
                );
                return Ok(switched);
            }
            Err(error) => error,
        };
        let passing = matches!(error, RebuildError::InUse | RebuildError::Behind { .. });
        if !passing || Instant::now() >= deadline {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(
    schemas: &Schemas,
    connection: &mut PgConnection,
    switched: Switched,
) -> Result<(), RebuildError> {
    let mut transaction = connection.begin().await?;
    let result = within(schemas, &mut transaction, switched).await;
    match result {
        Ok(()) => Ok(transaction.commit().await?),
        Err(error) => {
            transaction.rollback().await?;
            Err(error)
        }
    }
}

async fn within(
    schemas: &Schemas,
    connection: &mut PgConnection,
    switched: Switched,
) -> Result<(), RebuildError> {
    let service = schemas.service;
    let (live, new) = (service.physical(switched.from), service.physical(switched.to));
    run(connection, BATCHES.to_owned()).await?;
    lock(connection, &live).await?;
    caught_up(connection, switched.to, (&live, &new)).await?;
    lock(connection, &new).await?;
    let behind = behind(connection, &live, &new).await?;
    if !behind.is_empty() {
        return Err(RebuildError::Behind { number: switched.to, behind });
    }
    for schema in [&live, &new] {
        run(connection, format!("update {schema}.log_position set role_epoch = role_epoch + 1"))
            .await?;
    }
    let control = service.control();
    let states = [(switched.from, SchemaState::Standby), (switched.to, SchemaState::Live)];
    for (number, state) in states {
        let state = state.text();
        let statement = format!(
            "update {control}.projection_schema set state = '{state}' where number = {number}"
        );
        run(connection, statement).await?;
    }
    run(connection, QUERIES.to_owned()).await?;
    // Only now: a query that waits for the views has a snapshot in which the new schema is ahead already.
    show(connection, &new, &service.views()).await.map_err(in_use)
}

/// Waits until the new schema has passed the live positions, which stand still meanwhile.
async fn caught_up(
    connection: &mut PgConnection,
    number: i32,
    (live, new): (&SchemaName, &SchemaName),
) -> Result<(), RebuildError> {
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let behind = behind(connection, live, new).await?;
        if behind.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(RebuildError::Behind { number, behind });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Gives the live positions that the new schema has not reached.
async fn behind(
    connection: &mut PgConnection,
    live: &SchemaName,
    new: &SchemaName,
) -> Result<Vec<Position>, RebuildError> {
    let reached = positions(connection, new).await?;
    let mut behind = Vec::new();
    for (place, offset) in positions(connection, live).await? {
        // A consumer that the new schema has no more needs not be reached.
        if reached.get(&place).is_some_and(|reached| *reached < offset) {
            let (_, topic, partition) = place;
            behind.push(Position { topic, partition, offset });
        }
    }
    Ok(behind)
}

/// Stops all batches of a schema; readers go on.
async fn lock(connection: &mut PgConnection, schema: &SchemaName) -> Result<(), RebuildError> {
    run(connection, format!("lock table {schema}.log_position in exclusive mode")).await
}

async fn run(connection: &mut PgConnection, statement: String) -> Result<(), RebuildError> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map_err(in_use)?;
    Ok(())
}

fn in_use(error: sqlx::Error) -> RebuildError {
    if is_in_use(&error) { RebuildError::InUse } else { RebuildError::Database(error) }
}
