//! What this process knows of its consumers' positions, and the wait for one.
//!
//! Loops of this process report their commits here, so that a command sees its own record at once;
//! what other processes commit is seen by asking the database in growing intervals.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ristoro_log::{Position, Topic};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::position::{stored, stored_partition};
use crate::schema::SchemaName;

/// Where the loops of this process report how far they have come.
#[derive(Clone, Debug)]
pub struct Board {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    next_offsets: Mutex<HashMap<Place, u64>>,
    moved: watch::Sender<()>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Place {
    schema: SchemaName,
    consumer: String,
    topic: Topic,
    partition: u32,
}

/// Why a position was not reached.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The time is up.
    #[error("{consumers} had not come as far as {position} in time")]
    Timeout {
        /// Who was waited for.
        consumers: String,
        /// What was waited for.
        position: Position,
    },
    /// The database failed.
    #[error("the database failed while waiting for a position: {0}")]
    Database(#[from] sqlx::Error),
}

/// The first and the longest interval between two questions to the database.
const FIRST_QUESTION: Duration = Duration::from_millis(20);
const LAST_QUESTION: Duration = Duration::from_millis(200);

impl Default for Board {
    fn default() -> Self {
        let (next_offsets, moved) = (Mutex::default(), watch::Sender::new(()));
        Self { shared: Arc::new(Shared { next_offsets, moved }) }
    }
}

impl Board {
    /// Notes that a consumer has committed up to `next_offset`.
    pub(crate) fn report(
        &self,
        schema: &SchemaName,
        consumer: &str,
        (topic, partition): (Topic, u32),
        next_offset: u64,
    ) {
        let (schema, consumer) = (schema.clone(), consumer.to_owned());
        let place = Place { schema, consumer, topic, partition };
        let mut next_offsets =
            self.shared.next_offsets.lock().expect("no holder of this lock panics");
        let known = next_offsets.entry(place).or_default();
        *known = (*known).max(next_offset);
        drop(next_offsets);
        self.shared.moved.send_replace(());
    }

    /// Tells whether this process knows that every consumer has passed the position.
    fn passed(&self, schema: &SchemaName, consumers: &[String], position: Position) -> bool {
        let next_offsets = self.shared.next_offsets.lock().expect("no holder of this lock panics");
        consumers.iter().all(|consumer| {
            let place = Place {
                schema: schema.clone(),
                consumer: consumer.clone(),
                topic: position.topic,
                partition: position.partition,
            };
            next_offsets.get(&place).is_some_and(|next| *next > position.offset)
        })
    }

    /// Waits until every consumer has passed the position in a schema.
    ///
    /// # Errors
    /// `Timeout`, `Database`.
    pub(crate) async fn wait(
        &self,
        pool: &PgPool,
        schema: &SchemaName,
        consumers: &[String],
        position: Position,
        deadline: Instant,
    ) -> Result<(), WaitError> {
        let mut moved = self.shared.moved.subscribe();
        let mut interval = FIRST_QUESTION;
        let mut question_at = Instant::now() + interval;
        loop {
            if self.passed(schema, consumers, position) {
                return Ok(());
            }
            let now = Instant::now();
            if now >= question_at || now >= deadline {
                if stored_passed(pool, schema, consumers, position).await? {
                    return Ok(());
                }
                if now >= deadline {
                    let consumers = consumers.join(", ");
                    return Err(WaitError::Timeout { consumers, position });
                }
                interval = (interval * 2).min(LAST_QUESTION);
                question_at = Instant::now() + interval;
            }
            tokio::select! {
                _ = moved.changed() => {}
                () = tokio::time::sleep_until(question_at.min(deadline)) => {}
            }
        }
    }
}

async fn stored_passed(
    pool: &PgPool,
    schema: &SchemaName,
    consumers: &[String],
    position: Position,
) -> Result<bool, sqlx::Error> {
    let statement = format!(
        "select count(*) from {schema}.log_position where consumer = any($1) and topic = $2
         and partition = $3 and next_offset > $4"
    );
    let passed: i64 = sqlx::query_scalar(AssertSqlSafe(statement))
        .bind(consumers)
        .bind(position.topic.name())
        .bind(stored_partition(position.partition))
        .bind(stored(position.offset))
        .fetch_one(pool)
        .await?;
    Ok(usize::try_from(passed).is_ok_and(|passed| passed == consumers.len()))
}
