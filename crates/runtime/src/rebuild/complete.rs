//! The end of a rebuild: once it has caught up it gets its secondary indexes and can be switched to.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::{PartitionProgress, PhysicalSchema, RebuildError, progress};
use crate::schema::Schemas;
use crate::schema::migrate::{Admin, Part};

/// Remembers where the log ended at the last look, for each schema that is being built.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    ends: BTreeMap<i32, Vec<PartitionProgress>>,
}

impl Completion {
    /// Completes a schema that has passed the end of the log as of the last look.
    ///
    /// Any process may do it; the service's lock lets one.
    pub(crate) async fn advance(
        &mut self,
        schemas: &Schemas,
        number: i32,
    ) -> Result<(), RebuildError> {
        let now = progress(schemas, number).await?;
        let caught_up = self.ends.get(&number).is_some_and(|then| passed(&now, then));
        self.ends.insert(number, now.partitions.clone());
        if now.stopped || !caught_up {
            return Ok(());
        }
        let Some(mut admin) = Admin::try_open(&schemas.pool, schemas.service).await? else {
            return Ok(());
        };
        let completed = complete(schemas, &mut admin, number).await;
        admin.close().await?;
        completed
    }
}

/// Tells whether a schema has passed every end that was seen before.
fn passed(now: &PhysicalSchema, then: &[PartitionProgress]) -> bool {
    let reached = |then: &PartitionProgress| {
        now.partitions.iter().any(|one| {
            let same = one.consumer == then.consumer
                && (one.next.topic, one.next.partition) == (then.next.topic, then.next.partition);
            same && one.next.offset >= then.end_offset
        })
    };
    then.iter().all(reached)
}

async fn complete(schemas: &Schemas, admin: &mut Admin, number: i32) -> Result<(), RebuildError> {
    schemas.fill(admin, number, Part::All).await?;
    // Only its own tables: those of others, and the catalogs, would be read once for each service.
    let analyze: String = sqlx::query_scalar(
        "select 'analyze ' || string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables \
         where schemaname = $1",
    )
    .bind(schemas.service.physical(number).as_str())
    .fetch_one(&mut admin.connection)
    .await?;
    sqlx::raw_sql(AssertSqlSafe(analyze)).execute(&mut admin.connection).await?;
    admin.enter(&schemas.service.control()).await?;
    sqlx::query(
        "update projection_schema set state = 'standby' where number = $1 and state = 'building'",
    )
    .bind(number)
    .execute(&mut admin.connection)
    .await?;
    tracing::info!(service = schemas.service.text(), number, "a rebuild can be switched to");
    Ok(())
}
