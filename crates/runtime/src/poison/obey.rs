//! Follows `RecordSkipped` on the operators' topic, so that the named consumers leave the record out.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use prost::Message;
use ristoro_log::Position;
use ristoro_proto::ops::v1::RecordSkipped;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::accepted::Accepted;
use crate::consumer::Apply;
use crate::position::heads::Judgement;
use crate::position::{stored, stored_partition};
use crate::projection::FoldError;
use crate::schema::ServiceName;

/// The payload's name of the event.
const RECORD_SKIPPED: &str = "RecordSkipped";

/// Keeps `record_skip` in the control schema.
pub(crate) struct Obey;

/// Names the consumer with which a service follows skips.
#[must_use]
pub fn skip_consumer(service: ServiceName) -> String {
    format!("{}.skips", service.text())
}

impl Apply for Obey {
    fn apply<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        judgement: &'a Judgement,
        _skipped: &'a BTreeSet<u64>,
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in judgement.accepted() {
                if record.envelope.kind == RECORD_SKIPPED {
                    obey(tx, record).await?;
                }
            }
            Ok(())
        })
    }
}

async fn obey(connection: &mut PgConnection, record: &Accepted) -> Result<(), FoldError> {
    let poison = |problem: String| FoldError::Payload { position: record.position, problem };
    let event = RecordSkipped::decode(record.envelope.payload.clone())
        .map_err(|error| poison(error.to_string()))?;
    let skipped: Position = event.position.parse().map_err(poison)?;
    for consumer in &event.consumers {
        sqlx::query(
            "insert into record_skip (consumer, topic, partition, \"offset\", note)
             values ($1, $2, $3, $4, $5) on conflict do nothing",
        )
        .bind(consumer)
        .bind(skipped.topic.name())
        .bind(stored_partition(skipped.partition))
        .bind(stored(skipped.offset))
        .bind(&event.note)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Gives which of the named stages and effects of this service have passed a record already: for these
/// a skip would come too late and is refused. A projection among them is rebuilt instead.
///
/// # Errors
/// The database's.
pub async fn consumers_that_passed(
    pool: &PgPool,
    service: ServiceName,
    position: Position,
    consumers: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    let statement = format!(
        "select consumer from {}.log_position where consumer = any($1) and topic = $2
         and partition = $3 and next_offset > $4 order by consumer",
        service.control()
    );
    sqlx::query_scalar(AssertSqlSafe(statement))
        .bind(consumers)
        .bind(position.topic.name())
        .bind(stored_partition(position.partition))
        .bind(stored(position.offset))
        .fetch_all(pool)
        .await
}
