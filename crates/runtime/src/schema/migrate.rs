//! Runs migrations in a schema: the runtime's own, and those of a service.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool};

use crate::schema::{SchemaName, ServiceName};

/// The tables that every consumer needs, in control and in each physical schema.
static CONSUMER: Migrator = sqlx::migrate!("./migrations-consumer");

/// The tables of the control schema.
static CONTROL: Migrator = sqlx::migrate!("./migrations-control");

/// Gives the runtime's own migrations, each with the table that remembers which have run.
#[must_use]
pub fn own_migrations() -> [(&'static str, &'static Migrator); 2] {
    [("_runtime_migrations", &CONSUMER), ("_control_migrations", &CONTROL)]
}

/// Which of a service's migrations are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Tables and their primary keys.
    Tables,
    /// All: secondary indexes too.
    All,
}

/// Why a schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A migration failed.
    #[error("the schema {schema} cannot be migrated: {source}")]
    Migration {
        /// The schema.
        schema: String,
        /// What failed.
        source: MigrateError,
    },
    /// The database failed.
    #[error("the database failed while schemas were prepared: {0}")]
    Database(#[from] sqlx::Error),
}

/// A connection of its own that holds the service's migration lock until it is closed.
///
/// It is not the pool's, since its search path changes.
pub(crate) struct Admin {
    pub(crate) connection: PgConnection,
}

impl Admin {
    /// Connects and waits until no other process of the service migrates or rebuilds.
    pub(crate) async fn open(pool: &PgPool, service: ServiceName) -> Result<Self, sqlx::Error> {
        let mut connection = pool.connect_options().connect().await?;
        sqlx::query("select pg_advisory_lock(hashtextextended('ristoro:' || $1, 0))")
            .bind(service.text())
            .execute(&mut connection)
            .await?;
        Ok(Self { connection })
    }

    /// Connects, unless another process of the service holds the lock.
    pub(crate) async fn try_open(
        pool: &PgPool,
        service: ServiceName,
    ) -> Result<Option<Self>, sqlx::Error> {
        let mut connection = pool.connect_options().connect().await?;
        let locked: bool = sqlx::query_scalar(
            "select pg_try_advisory_lock(hashtextextended('ristoro:' || $1, 0))",
        )
        .bind(service.text())
        .fetch_one(&mut connection)
        .await?;
        if locked {
            return Ok(Some(Self { connection }));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Creates the schema where it is not there, and makes it the search path.
    pub(crate) async fn enter(&mut self, schema: &SchemaName) -> Result<(), sqlx::Error> {
        let statement =
            format!("create schema if not exists {schema}; set search_path to {schema}");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Brings the control schema up to date.
    pub(crate) async fn migrate_control(
        &mut self,
        control: &SchemaName,
    ) -> Result<(), MigrationError> {
        self.enter(control).await?;
        self.run(control, &CONSUMER, "_runtime_migrations").await?;
        self.run(control, &CONTROL, "_control_migrations").await
    }

    /// Brings a physical schema up to date.
    pub(crate) async fn migrate_physical(
        &mut self,
        schema: &SchemaName,
        migrations: &Migrator,
        part: Part,
    ) -> Result<(), MigrationError> {
        self.enter(schema).await?;
        self.run(schema, &CONSUMER, "_runtime_migrations").await?;
        let wanted = |one: &&Migration| part == Part::All || !is_index(one);
        let chosen = migrations.iter().filter(wanted).cloned().collect();
        self.run(schema, &Migrator::with_migrations(chosen), "_sqlx_migrations").await
    }

    /// Gives up the lock and the connection.
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }

    async fn run(
        &mut self,
        schema: &SchemaName,
        migrations: &Migrator,
        table: &'static str,
    ) -> Result<(), MigrationError> {
        let migrator = Migrator {
            migrations: migrations.migrations.clone(),
            // Of a service's files, those with indexes run later than others.
            ignore_missing: true,
            // This connection holds the service's own lock.
            locking: false,
            table_name: Cow::Borrowed(table),
            ..Migrator::DEFAULT
        };
        migrator
            .run_direct(None, &mut self.connection, false)
            .await
            .map_err(|source| MigrationError::Migration { schema: schema.to_string(), source })
    }
}

/// Tells whether a migration makes secondary indexes, by its file's name.
fn is_index(migration: &Migration) -> bool {
    migration.description.ends_with("indexes")
}
