//! The register of a service's physical schemas, and the views that show one of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ristoro_log::{EventLog, Topic};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row};
use tokio::time::Instant;
use uuid::Uuid;

use crate::position;
use crate::schema::migrate::{Admin, MigrationError, Part};
use crate::schema::{self, Mode, SchemaName, ServiceName};
use crate::stored::unsigned_small;

/// How long a start may wait for queries that hold the views.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(25);

/// What a physical schema is for at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SchemaState {
    /// It is being filled from the log's first record, without secondary indexes.
    Building,
    /// It is complete, fed on, and can be switched to.
    Standby,
    /// The views show it.
    Live,
    /// It is being removed.
    Dropped,
}

impl SchemaState {
    const ALL: [Self; 4] = [Self::Building, Self::Standby, Self::Live, Self::Dropped];

    /// Gives the name as it is stored.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Standby => "standby",
            Self::Live => "live",
            Self::Dropped => "dropped",
        }
    }
}

/// A service's physical schemas: what rebuilds work on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Schemas {
    pub(crate) service: ServiceName,
    pub(crate) pool: PgPool,
    pub(crate) log: EventLog,
    pub(crate) migrations: &'static Migrator,
    pub(crate) consumers: Arc<[(String, Topic)]>,
}

/// One physical schema in the register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Registered {
    pub number: i32,
    pub state: SchemaState,
    /// The share of its time that a process spends on it while it is built.
    pub pace_percent: u32,
}

impl Schemas {
    /// Gives the service's name.
    #[must_use]
    pub fn service(&self) -> ServiceName {
        self.service
    }

    /// Brings control, the live schema and the views up to date; makes the first schema of a new database.
    pub(crate) async fn prepare(&self) -> Result<i32, MigrationError> {
        let mut admin = Admin::open(&self.pool, self.service).await?;
        let live = self.prepare_in(&mut admin).await?;
        admin.close().await?;
        Ok(live)
    }

    async fn prepare_in(&self, admin: &mut Admin) -> Result<i32, MigrationError> {
        let control = self.service.control();
        admin.migrate_control(&control).await?;
        let all = registered(&mut admin.connection).await?;
        let live = all.iter().find(|one| one.state == SchemaState::Live).map(|one| one.number);
        let number = live.unwrap_or(1);
        if live.is_none() {
            sqlx::query("insert into projection_schema (number, state) values ($1, 'live')")
                .bind(number)
                .execute(&mut admin.connection)
                .await?;
        }
        for one in &all {
            let part = match one.state {
                SchemaState::Building => Part::Tables,
                SchemaState::Standby | SchemaState::Live => Part::All,
                SchemaState::Dropped => continue,
            };
            self.fill(admin, one.number, part).await?;
        }
        if live.is_none() {
            self.fill(admin, number, Part::All).await?;
        }
        let (physical, views) = (self.service.physical(number), self.service.views());
        admin.enter(&views).await?;
        show_patiently(&mut admin.connection, &physical, &views).await?;
        Ok(number)
    }

    /// Makes or completes the tables of a physical schema, with its positions.
    pub(crate) async fn fill(
        &self,
        admin: &mut Admin,
        number: i32,
        part: Part,
    ) -> Result<(), MigrationError> {
        let physical = self.service.physical(number);
        admin.migrate_physical(&physical, self.migrations, part).await?;
        let (partitions, log_id) = (self.log.partition_count(), self.log.log_id());
        for (consumer, topic) in self.consumers.iter() {
            position::ensure(&mut admin.connection, consumer, *topic, partitions, log_id).await?;
        }
        Ok(())
    }

    /// Lists the schemas, oldest first.
    pub(crate) async fn registered(&self) -> Result<Vec<Registered>, sqlx::Error> {
        let mut transaction =
            schema::begin(&self.pool, &self.service.control(), Mode::Snapshot).await?;
        let all = registered(&mut transaction).await?;
        transaction.rollback().await?;
        Ok(all)
    }
}

/// Lists the schemas; the search path is the control schema.
pub(crate) async fn registered(
    connection: &mut PgConnection,
) -> Result<Vec<Registered>, sqlx::Error> {
    let rows =
        sqlx::query("select number, state, pace_percent from projection_schema order by number")
            .fetch_all(connection)
            .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let text: &str = row.try_get("state")?;
        let state = SchemaState::ALL.into_iter().find(|state| state.text() == text);
        let state = state.ok_or_else(|| {
            sqlx::Error::Decode(format!("unknown state {text:?} of a schema").into())
        })?;
        let pace_percent = unsigned_small(row.try_get("pace_percent")?);
        all.push(Registered { number: row.try_get("number")?, state, pace_percent });
    }
    Ok(all)
}

/// Gives the number of the schema that the views show.
pub(crate) async fn live(pool: &PgPool, control: &SchemaName) -> Result<i32, sqlx::Error> {
    let statement = format!("select number from {control}.projection_schema where state = 'live'");
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(pool).await
}

/// Finds the schema that an earlier call with the same request id made; the search path is control's.
pub(crate) async fn requested(
    connection: &mut PgConnection,
    request_id: Uuid,
) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar("select number from projection_schema where request_id = $1")
        .bind(request_id)
        .fetch_optional(connection)
        .await
}

/// Points the views at a physical schema in a transaction of its own, tried again while queries are in the way.
async fn show_patiently(
    connection: &mut PgConnection,
    physical: &SchemaName,
    views: &SchemaName,
) -> Result<(), sqlx::Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql("set local lock_timeout = '500ms'").execute(&mut *transaction).await?;
        match show(&mut transaction, physical, views).await {
            Ok(()) => return transaction.commit().await,
            Err(error) => {
                transaction.rollback().await?;
                if !is_in_use(&error) || Instant::now() >= deadline {
                    return Err(error);
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells a lock that could not be had in time from other failures.
pub(crate) fn is_in_use(error: &sqlx::Error) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    const DEADLOCK_DETECTED: &str = "40P01";
    let code = error.as_database_error().and_then(|answer| answer.code());
    matches!(code.as_deref(), Some(LOCK_NOT_AVAILABLE | DEADLOCK_DETECTED))
}

/// Points the views at a physical schema: one for each of its tables and views.
///
/// What shows the right table already is left alone, so that a start disturbs no query. A view whose
/// columns stay is replaced in place, so that statements prepared on it go on working.
pub(crate) async fn show(
    connection: &mut PgConnection,
    physical: &SchemaName,
    views: &SchemaName,
) -> Result<(), sqlx::Error> {
    let wanted = relations(connection, physical).await?;
    let shown = relations(connection, views).await?;
    let sources = sources(connection, views).await?;
    let right = |name: &String| sources.get(name).is_some_and(|source| source == physical.as_str());
    if wanted == shown && wanted.iter().all(|(name, _)| right(name)) {
        return Ok(());
    }
    // Queries through `Views` hold this lock until they end.
    let gate = schema::gate(views, "pg_advisory_xact_lock");
    sqlx::raw_sql(AssertSqlSafe(gate)).execute(&mut *connection).await?;
    for (name, columns) in shown {
        let replaceable = wanted.iter().any(|(new, wanted)| {
            *new == name && wanted.len() >= columns.len() && wanted[..columns.len()] == columns[..]
        });
        if !replaceable {
            let statement = format!("drop view {views}.\"{name}\"");
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
        }
    }
    for (name, _) in wanted {
        let statement = format!(
            "create or replace view {views}.\"{name}\" as select * from {physical}.\"{name}\""
        );
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Gives the schema that each view reads from.
async fn sources(
    connection: &mut PgConnection,
    views: &SchemaName,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select distinct v.relname::text, s.nspname::text from pg_class v
         join pg_namespace n on n.oid = v.relnamespace
         join pg_rewrite r on r.ev_class = v.oid
         join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
             and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
         join pg_class t on t.oid = d.refobjid
         join pg_namespace s on s.oid = t.relnamespace
         where n.nspname = $1 and v.relkind = 'v'",
    )
    .bind(views.as_str())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Lists the tables and views of a schema with their columns and types, the migrations' own apart.
async fn relations(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<Vec<(String, Vec<String>)>, sqlx::Error> {
    let rows = sqlx::query(
        "select c.relname::text as name,
                array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) order by a.attnum)
                    as columns
         from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where n.nspname = $1 and c.relkind in ('r', 'v', 'm', 'p') and not c.relispartition
           and c.relname not like '\\_%\\_migrations'
         group by c.relname order by c.relname",
    )
    .bind(schema.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok((row.try_get("name")?, row.try_get("columns")?))).collect()
}
