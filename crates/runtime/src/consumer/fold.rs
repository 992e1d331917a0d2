//! The projector's transaction: fence, heads, verdicts, rows, commit.

use ristoro_log::Record;
use sqlx::PgConnection;

use super::{Apply, Consumer, GroupError};
use crate::poison;
use crate::position::heads::Judgement;
use crate::position::{self, Cursor, heads, identity};
use crate::schema::{self, Mode};

/// Folds records of one partition; where one of them is poison, those before it.
pub(super) async fn group(
    consumer: &Consumer,
    apply: &dyn Apply,
    partition: u32,
    cursor: &Cursor,
    records: &[Record],
) -> Result<Cursor, GroupError> {
    match once(consumer, apply, partition, cursor, records).await {
        Err(GroupError::Poison { position, problem }) => {
            let before = records.partition_point(|record| record.position < position);
            if before == 0 {
                return Err(GroupError::Poison { position, problem });
            }
            once(consumer, apply, partition, cursor, &records[..before]).await
        }
        other => other,
    }
}

async fn once(
    consumer: &Consumer,
    apply: &dyn Apply,
    partition: u32,
    cursor: &Cursor,
    records: &[Record],
) -> Result<Cursor, GroupError> {
    if records.is_empty() {
        return Ok(*cursor);
    }
    let mut transaction = schema::begin(&consumer.core.pool, &consumer.schema, Mode::Write).await?;
    let place = (consumer, partition);
    match within(&mut transaction, place, apply, cursor, records).await {
        Ok((judgement, next)) => {
            transaction.commit().await?;
            consumer.count(&judgement);
            Ok(next)
        }
        Err(error) => {
            recover(&mut transaction, &error).await;
            // Awaited, since a dropped transaction keeps its row locks until its connection is used again.
            transaction.rollback().await?;
            Err(error)
        }
    }
}

/// Folds records in an open transaction; gives the cursor behind them.
pub(crate) async fn within(
    connection: &mut PgConnection,
    (consumer, partition): (&Consumer, u32),
    apply: &dyn Apply,
    from: &Cursor,
    records: &[Record],
) -> Result<(Judgement, Cursor), GroupError> {
    let Some(last) = records.last() else { return Ok((Judgement::default(), *from)) };
    let to = Cursor {
        next_offset: last.position.offset + 1,
        last_event_id: Some(identity::identity(last)),
        ..*from
    };
    let place = (consumer.topic, partition);
    if !position::advance(connection, &consumer.name, place, from, &to).await? {
        return Err(GroupError::Fence);
    }
    let log_id = consumer.core.log.log_id();
    let judgement = heads::judge(connection, &consumer.name, records, log_id).await?;
    let control = consumer.core.service.control();
    let skipped = poison::skipped(connection, &control, consumer, partition, from).await?;
    apply.apply(connection, &judgement, &skipped).await?;
    poison::note_skipped(connection, consumer, partition, &skipped, to.next_offset).await?;
    heads::save(connection, &consumer.name, place, &judgement).await?;
    Ok((judgement, to))
}

/// Forgets prepared statements that a change of a schema made useless, so that the next try can succeed.
pub(crate) async fn recover(connection: &mut PgConnection, error: &GroupError) {
    // "cached plan must not change result type"
    const FEATURE_NOT_SUPPORTED: &str = "0A000";
    let GroupError::Database(sqlx::Error::Database(problem)) = error else { return };
    if problem.code().as_deref() == Some(FEATURE_NOT_SUPPORTED)
        && let Err(error) = sqlx::Connection::clear_cached_statements(connection).await
    {
        tracing::warn!(%error, "prepared statements could not be dropped");
    }
}
