//! What the doctor asks Postgres. Nothing here changes anything.

use ristoro_log::{Position, Topic};
use sqlx::{AssertSqlSafe, PgPool, Row};
use tokio::time::Instant;
use uuid::Uuid;

/// What a server says of itself.
pub struct Server {
    /// Its version, such as `15.18`.
    pub version: String,
    /// Its major version.
    pub major: i32,
    /// How many connections ordinary users may open.
    pub connections: i64,
    /// Its time, in milliseconds since 1970.
    pub time_ms: i64,
    /// How long it took to answer.
    pub answered_in_ms: i64,
    /// Whether the user may make schemas.
    pub may_create: bool,
}

/// A migration that has run, by the schema and table that remember it.
pub struct Ran {
    /// Its version.
    pub version: i64,
    /// The hash of what it did.
    pub checksum: Vec<u8>,
}

/// Asks the server about itself.
pub async fn server(pool: &PgPool) -> Result<Server, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let row = sqlx::query(
        "select current_setting('server_version') as version,
                current_setting('server_version_num')::int / 10000 as major,
                current_setting('max_connections')::bigint
                    - current_setting('superuser_reserved_connections')::bigint as connections,
                has_database_privilege(current_database(), 'create') as may_create",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (mut time_ms, mut asked) = (0, Instant::now());
    // The first answer is no measure of the way: the statement is prepared for it.
    for _ in 0..2 {
        asked = Instant::now();
        let time = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
        time_ms = sqlx::query_scalar(time).fetch_one(&mut *connection).await?;
    }
    Ok(Server {
        version: row.try_get("version")?,
        major: row.try_get("major")?,
        connections: row.try_get("connections")?,
        time_ms,
        answered_in_ms: i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX),
        may_create: row.try_get("may_create")?,
    })
}

async fn is_there(pool: &PgPool, table: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select to_regclass($1) is not null").bind(table).fetch_one(pool).await
}

/// Gives the number of a service's live schema; none where it was never migrated.
pub async fn live(pool: &PgPool, service: &str) -> Result<Option<i32>, sqlx::Error> {
    if !is_there(pool, &format!("{service}_control.projection_schema")).await? {
        return Ok(None);
    }
    let statement =
        format!("select number from {service}_control.projection_schema where state = 'live'");
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_optional(pool).await
}

/// Gives the migrations that have run in a schema, by the table that remembers them.
pub async fn ran(pool: &PgPool, schema: &str, table: &str) -> Result<Vec<Ran>, sqlx::Error> {
    if !is_there(pool, &format!("{schema}.{table}")).await? {
        return Ok(Vec::new());
    }
    let statement =
        format!("select version, checksum from {schema}.{table} where success order by version");
    let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(pool).await?;
    let ran = |row: sqlx::postgres::PgRow| {
        Ok(Ran { version: row.try_get("version")?, checksum: row.try_get("checksum")? })
    };
    rows.into_iter().map(ran).collect()
}

/// Counts the migrations that have run for a service, in its control schema and its live one.
pub async fn applied(pool: &PgPool, service: &str) -> Result<i64, sqlx::Error> {
    let Some(live) = live(pool, service).await? else { return Ok(0) };
    let mut count = 0;
    for schema in [format!("{service}_control"), format!("{service}_{live}")] {
        for table in ["_runtime_migrations", "_control_migrations", "_sqlx_migrations"] {
            count += ran(pool, &schema, table).await?.len();
        }
    }
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// How far a service has read the log, at most, by partition.
pub struct Reading {
    /// The logs that it remembers; one, unless somebody mixed two.
    pub log_ids: Vec<Uuid>,
    /// The next record of each partition, of the consumer that has come farthest.
    pub farthest: Vec<(String, Position)>,
}

/// Asks how far a service has read which log.
pub async fn reading(pool: &PgPool, service: &str, live: i32) -> Result<Reading, sqlx::Error> {
    let statement = format!(
        "with place as (
             select consumer, topic, partition, next_offset, log_id from {service}_control.log_position
             union all
             select consumer, topic, partition, next_offset, log_id from {service}_{live}.log_position
         )
         select distinct on (topic, partition) consumer, topic, partition, next_offset,
                (select array_agg(distinct log_id) from place) as log_ids
         from place order by topic, partition, next_offset desc"
    );
    let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(pool).await?;
    let mut reading = Reading { log_ids: Vec::new(), farthest: Vec::new() };
    for row in rows {
        reading.log_ids = row.try_get("log_ids")?;
        let topic: Option<Topic> = row.try_get::<&str, _>("topic")?.parse().ok();
        let partition = u32::try_from(row.try_get::<i32, _>("partition")?).ok();
        let offset = u64::try_from(row.try_get::<i64, _>("next_offset")?).ok();
        if let (Some(topic), Some(partition), Some(offset)) = (topic, partition, offset) {
            let position = Position { topic, partition, offset };
            reading.farthest.push((row.try_get("consumer")?, position));
        }
    }
    Ok(reading)
}

/// Lists the consumers of a service that stand still at a record, each as `CONSUMER at POSITION`.
pub async fn standing_still(pool: &PgPool, service: &str) -> Result<Vec<String>, sqlx::Error> {
    let statement = format!(
        "select consumer || ' at ' || topic || '/' || partition || '/' || \"offset\"
         from {service}_control.poison order by 1"
    );
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(pool).await
}
