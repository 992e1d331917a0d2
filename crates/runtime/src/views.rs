//! What queries read: the service's views, always with the positions that they show.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ristoro_log::{Position, Topic};
use ristoro_proto::ops::v1::{AsOf, ErrorReason};
use sqlx::{PgConnection, Postgres, Row, Transaction};
use tonic::{Code, Status};

use crate::position::{WaitError, loaded, loaded_partition};
use crate::schema::{self, Mode};
use crate::service::core::Core;
use crate::status;

/// Reads a service's tables.
#[derive(Clone, Debug)]
pub struct Views {
    core: Arc<Core>,
}

impl Views {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Begins a read-only transaction on one consistent state, whose search path is the views' schema.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        schema::begin(&self.core.pool, &self.core.service.views(), Mode::Query).await
    }

    /// Waits until the tables have passed every position, such as those of a consistency token.
    ///
    /// Positions of topics that this service folds into no table ask for nothing.
    ///
    /// # Errors
    /// UNAVAILABLE with `NOT_YET_VISIBLE` when the time is up, or the database's failure.
    pub async fn wait(&self, min_position: &[Position], timeout: Duration) -> Result<(), Status> {
        let deadline = tokio::time::Instant::now() + timeout;
        for position in min_position {
            match self.core.wait_for_tables(*position, deadline).await {
                Ok(()) => {}
                Err(error @ WaitError::Timeout { .. }) => {
                    let metadata = [("position", position.to_string())];
                    let message = format!("{error}: try again");
                    return Err(status::refuse(
                        Code::Unavailable,
                        ErrorReason::NotYetVisible,
                        message,
                        &metadata,
                    ));
                }
                Err(WaitError::Database(error)) => return Err(status::database(&error)),
            }
        }
        Ok(())
    }

    /// Gives the positions that the views show now.
    ///
    /// # Errors
    /// The database's, as a status.
    pub async fn as_of(&self) -> Result<AsOf, Status> {
        let mut transaction = self.begin().await.map_err(|error| status::database(&error))?;
        let as_of = as_of(&mut transaction).await.map_err(|error| status::database(&error))?;
        transaction.rollback().await.map_err(|error| status::database(&error))?;
        Ok(as_of)
    }

    /// Gives the position that each partition's tables show in an open transaction of `begin`.
    ///
    /// # Errors
    /// The database's.
    pub async fn positions(
        transaction: &mut PgConnection,
    ) -> Result<BTreeMap<(Topic, u32), u64>, sqlx::Error> {
        shown(transaction).await.map(|(positions, _)| positions)
    }
}

/// Gives what an open transaction of `Views::begin` shows, for the answer that is read in it.
///
/// Each position is that of the last record folded, so that it can be sent as `min_position`.
///
/// # Errors
/// The database's.
pub async fn as_of(transaction: &mut PgConnection) -> Result<AsOf, sqlx::Error> {
    let (positions, micros) = shown(transaction).await?;
    let last = |((topic, partition), next): ((Topic, u32), u64)| {
        let offset = next.checked_sub(1)?;
        Some(Position { topic, partition, offset }.to_string())
    };
    let positions = positions.into_iter().filter_map(last).collect();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).expect("below a second");
    let time = Some(prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos });
    Ok(AsOf { positions, time })
}

/// Gives each partition's position, and the transaction's time in microseconds since the epoch: one round trip, one row.
async fn shown(
    transaction: &mut PgConnection,
) -> Result<(BTreeMap<(Topic, u32), u64>, i64), sqlx::Error> {
    let row = sqlx::query(
        "select (extract(epoch from now()) * 1000000)::bigint as micros, coalesce(array_agg(topic), '{}') as topics, \
         coalesce(array_agg(partition), '{}') as partitions, coalesce(array_agg(next_offset), '{}') as next_offsets \
         from (select topic, partition, min(next_offset) as next_offset from log_position group by 1, 2) as place",
    )
    .fetch_one(transaction)
    .await?;
    let topics: Vec<String> = row.try_get("topics")?;
    let partitions: Vec<i32> = row.try_get("partitions")?;
    let offsets: Vec<i64> = row.try_get("next_offsets")?;
    let mut positions = BTreeMap::new();
    for ((topic, partition), offset) in topics.into_iter().zip(partitions).zip(offsets) {
        // A row of a topic that only a newer program knows shows nothing to this one.
        if let Ok(topic) = topic.parse() {
            positions.insert((topic, loaded_partition(partition)), loaded(offset));
        }
    }
    Ok((positions, row.try_get("micros")?))
}
