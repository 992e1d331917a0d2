//! Reads assigned partitions: waits for news of a longer one, then asks for its rows.

use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgPool;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::news::{Ends, News};
use super::{failure, tables};
use crate::port::{Limits, LogError, Record};
use crate::position::Position;

/// Reads a Postgres log.
#[derive(Debug)]
pub struct PostgresReader {
    pool: PgPool,
    // Keeps the listening connection while only readers are left of a log.
    _news: Arc<News>,
    next: Vec<Position>,
    // What was known when the reader was opened: the news may be a moment behind.
    opened_at: Ends,
    ends: watch::Receiver<Ends>,
    // The place in `next` to begin with, so that one busy partition does not keep the others waiting.
    turn: usize,
}

impl PostgresReader {
    pub(super) fn new(
        pool: PgPool,
        news: Arc<News>,
        opened_at: Ends,
        assignment: &[Position],
    ) -> Self {
        let ends = news.subscribe();
        Self { pool, _news: news, next: assignment.to_vec(), opened_at, ends, turn: 0 }
    }

    /// Gives the next records; see the port.
    ///
    /// # Errors
    /// `Foreign` where an assigned offset is beyond the end or a record is no longer there; `Unavailable`.
    pub async fn poll(&mut self, limits: Limits) -> Result<Vec<Record>, LogError> {
        let deadline = Instant::now() + limits.wait;
        loop {
            let (longer, shorter) = self.compare();
            if shorter {
                self.refuse_if_beyond_the_end().await?;
            }
            let records = self.take(&longer, limits).await?;
            if !records.is_empty() {
                return Ok(records);
            }
            match timeout_at(deadline, self.ends.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(Vec::new()),
            }
        }
    }

    /// Gives the places of partitions with something to read, in turn, and whether one seems shorter than it was.
    fn compare(&mut self) -> (Vec<usize>, bool) {
        let ends = self.ends.borrow_and_update();
        let (mut longer, mut shorter) = (Vec::new(), false);
        for step in 0..self.next.len() {
            let place = (self.turn + step) % self.next.len();
            let next = self.next[place];
            let partition = (next.topic, next.partition);
            let told = ends.get(&partition).copied().unwrap_or(0);
            let end = told.max(self.opened_at.get(&partition).copied().unwrap_or(0));
            if next.offset < end {
                longer.push(place);
            }
            shorter |= next.offset > told;
        }
        (longer, shorter)
    }

    async fn refuse_if_beyond_the_end(&mut self) -> Result<(), LogError> {
        self.opened_at = tables::ends(&self.pool).await?;
        for next in &self.next {
            let end = self.opened_at.get(&(next.topic, next.partition)).copied().unwrap_or(0);
            if next.offset > end {
                return Err(LogError::Foreign(format!("{next} is beyond the end {end}")));
            }
        }
        Ok(())
    }

    async fn take(&mut self, places: &[usize], limits: Limits) -> Result<Vec<Record>, LogError> {
        let (mut records, mut bytes) = (Vec::new(), 0);
        for place in places {
            if records.len() >= limits.records || bytes >= limits.bytes {
                break;
            }
            let room = Limits {
                records: limits.records - records.len(),
                bytes: limits.bytes - bytes,
                wait: limits.wait,
            };
            let found = rows(&self.pool, self.next[*place], room).await?;
            bytes += found.iter().map(|record| record.value.len()).sum::<usize>();
            records.extend(found);
            self.turn = (place + 1) % self.next.len();
        }
        // Moved only now: a poll that is dropped while it waits for rows has taken nothing.
        for record in &records {
            let next = self.next.iter_mut().find(|next| {
                next.topic == record.position.topic && next.partition == record.position.partition
            });
            next.expect("rows are asked for assigned partitions").offset =
                record.position.offset + 1;
        }
        Ok(records)
    }
}

/// Asks for a partition's rows from an offset on that is known to be there.
async fn rows(pool: &PgPool, next: Position, room: Limits) -> Result<Vec<Record>, LogError> {
    let deleted = || LogError::Foreign(format!("{next} is deleted"));
    let rows = sqlx::query(
        "SELECT \"offset\", value FROM (
             SELECT \"offset\", value,
                    sum(octet_length(value)) OVER (ORDER BY \"offset\") - octet_length(value) AS before
             FROM (
                 SELECT \"offset\", value FROM ristoro_log.record
                 WHERE topic = $1 AND partition = $2 AND \"offset\" >= $3
                 ORDER BY \"offset\" LIMIT $4
             ) AS page
         ) AS counted
         WHERE before < $5 ORDER BY \"offset\"",
    )
    .bind(tables::topic_number(next.topic))
    .bind(i32::try_from(next.partition).map_err(|_| deleted())?)
    .bind(i64::try_from(next.offset).map_err(|_| deleted())?)
    .bind(i64::try_from(room.records).unwrap_or(i64::MAX))
    .bind(i64::try_from(room.bytes).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
    .map_err(|error| failure(&error))?;
    let mut records = Vec::with_capacity(rows.len());
    let mut position = next;
    for row in rows {
        if row.get::<i64, _>("offset").unsigned_abs() != position.offset {
            return Err(LogError::Foreign(format!("{position} is deleted")));
        }
        let value: Vec<u8> = row.get("value");
        records.push(Record { position, value: value.into() });
        position.offset += 1;
    }
    if records.is_empty() { Err(deleted()) } else { Ok(records) }
}
