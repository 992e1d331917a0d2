//! The schemas of a service in Postgres: control, views, and the physical ones that rebuilds replace.

use std::fmt;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

pub(crate) mod digest;
pub(crate) mod migrate;
pub(crate) mod register;

pub use digest::{Comparison, EqualError, equal};
pub use migrate::{MigrationError, own_migrations};
pub use register::{SchemaState, Schemas};

/// A service's name as it stands in schema names: lower-case letters, digits and underscores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServiceName(&'static str);

/// The name of a schema that this runtime made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SchemaName(Arc<str>);

impl ServiceName {
    /// Takes a service's name; none where it could not stand in SQL unquoted.
    #[must_use]
    pub fn new(name: &'static str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        (begins && name.chars().all(plain) && name.len() <= 40).then_some(Self(name))
    }

    /// Gives the name itself.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.0
    }

    /// Names the schema that no rebuild touches.
    #[must_use]
    pub fn control(self) -> SchemaName {
        SchemaName(format!("{}_control", self.0).into())
    }

    /// Names the schema of the views that queries read.
    #[must_use]
    pub fn views(self) -> SchemaName {
        SchemaName(self.0.into())
    }

    /// Names a physical schema.
    #[must_use]
    pub fn physical(self, number: i32) -> SchemaName {
        SchemaName(format!("{}_{number}", self.0).into())
    }
}

impl SchemaName {
    /// Gives the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Writes, with the fence as its guard.
    Write,
    /// Reads one consistent state.
    Snapshot,
    /// Reads one consistent state through the views, which no switch replaces meanwhile.
    Query,
}

/// Gives the statement that locks a service's views against being replaced, or, exclusively, against readers.
///
/// A switch replaces one view after the other, and a query reads them in an order of its own: without one
/// lock before all others, the two would block each other.
pub(crate) fn gate(views: &SchemaName, function: &str) -> String {
    format!("select {function}(hashtextextended('ristoro views:{views}', 0))")
}

/// Begins a transaction whose search path is the schema alone.
pub(crate) async fn begin(
    pool: &PgPool,
    schema: &SchemaName,
    mode: Mode,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let isolation = match mode {
        Mode::Write => "read committed",
        Mode::Snapshot | Mode::Query => "repeatable read read only",
    };
    // One round trip; the name was checked when it was made.
    let mut statement =
        format!("begin isolation level {isolation}; set local search_path to {schema}");
    if mode == Mode::Query {
        statement = format!("{statement}; {}", gate(schema, "pg_advisory_xact_lock_shared"));
    }
    // In a task of its own, for a call may be given up at any point: a transaction whose beginning was given up would
    // stay open on its connection, and whoever gets that one next would read the past. Begun, it ends when it is dropped.
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(statement)).await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
