//! Compares two physical schemas: they are equal when all their tables are, at the same positions.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::Instant;

use crate::schema::{self, Mode, SchemaName, Schemas};

/// How two schemas compare.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// All tables hold the same rows.
    Equal,
    /// These tables differ, or are in one of the two only.
    Different(Vec<String>),
}

/// Why two schemas could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum EqualError {
    /// They were not at the same positions in time.
    #[error("the schemas {0} and {1} did not come to the same positions in time")]
    Apart(i32, i32),
    /// The database failed.
    #[error("the database failed while schemas were compared: {0}")]
    Database(#[from] sqlx::Error),
}

/// How long to pause between two looks at positions that differ.
const PAUSE: Duration = Duration::from_millis(50);

/// Compares two physical schemas by number, once both are at the same positions.
///
/// Rows are compared as text, by a digest over them in sorted order; the runtime's own tables too, save
/// for what tells the roles apart.
///
/// # Errors
/// `Apart` when they do not meet within `timeout`, `Database`.
pub async fn equal(
    schemas: &Schemas,
    one: i32,
    other: i32,
    timeout: Duration,
) -> Result<Comparison, EqualError> {
    let (first, second) = (schemas.service.physical(one), schemas.service.physical(other));
    let deadline = Instant::now() + timeout;
    loop {
        let mut transaction = schema::begin(&schemas.pool, &first, Mode::Snapshot).await?;
        let here = positions(&mut transaction, &first).await?;
        if here == positions(&mut transaction, &second).await? {
            let comparison = compare(&mut transaction, &first, &second).await?;
            transaction.rollback().await?;
            return Ok(comparison);
        }
        transaction.rollback().await?;
        if Instant::now() >= deadline {
            return Err(EqualError::Apart(one, other));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn compare(
    connection: &mut PgConnection,
    first: &SchemaName,
    second: &SchemaName,
) -> Result<Comparison, sqlx::Error> {
    let (ours, theirs) = (tables(connection, first).await?, tables(connection, second).await?);
    let mut different = Vec::new();
    for table in ours.union(&theirs) {
        let in_both = ours.contains(table) && theirs.contains(table);
        if !in_both
            || digest(connection, first, table).await? != digest(connection, second, table).await?
        {
            different.push(table.clone());
        }
    }
    if different.is_empty() {
        return Ok(Comparison::Equal);
    }
    Ok(Comparison::Different(different))
}

async fn positions(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<Vec<(String, String, i32, i64)>, sqlx::Error> {
    let statement = format!(
        "select consumer, topic, partition, next_offset from {schema}.log_position order by 1, 2, 3"
    );
    sqlx::query_as(AssertSqlSafe(statement)).fetch_all(connection).await
}

async fn tables(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<BTreeSet<String>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition
           and c.relname not like '\\_%\\_migrations' and c.relname <> 'log_position'",
    )
    .bind(schema.as_str())
    .fetch_all(connection)
    .await?;
    Ok(names.into_iter().collect())
}

async fn digest(
    connection: &mut PgConnection,
    schema: &SchemaName,
    table: &str,
) -> Result<(i64, String), sqlx::Error> {
    let statement = format!(
        "select count(*), coalesce(md5(string_agg(row_digest, '' order by row_digest)), '')
         from (select md5(t::text) as row_digest from {schema}.\"{table}\" t) rows"
    );
    sqlx::query_as(AssertSqlSafe(statement)).fetch_one(connection).await
}
