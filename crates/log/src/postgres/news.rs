//! One listening connection per log: it learns of every append and wakes the readers that wait for it.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{failure, tables};
use crate::port::LogError;
use crate::topic::Topic;

/// A notification that was lost with its connection is made good after this time at the latest.
const REFRESH: Duration = Duration::from_secs(1);

/// The partitions' next offsets, as far as they are known.
pub(super) type Ends = BTreeMap<(Topic, u32), u64>;

/// Knows the partitions' ends and tells when one moves.
#[derive(Debug)]
pub(super) struct News {
    ends: watch::Sender<Ends>,
    listening: AbortHandle,
}

impl News {
    /// Starts to listen.
    pub(super) async fn start(pool: &PgPool) -> Result<Self, LogError> {
        let listener = listener(pool).await.map_err(|error| failure(&error))?;
        let ends = watch::Sender::new(tables::ends(pool).await?);
        let task = tokio::spawn(listen(pool.clone(), listener, ends.clone()));
        Ok(Self { ends, listening: task.abort_handle() })
    }

    /// Gives a view that follows.
    pub(super) fn subscribe(&self) -> watch::Receiver<Ends> {
        self.ends.subscribe()
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listener(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("ristoro_log").await?;
    Ok(listener)
}

async fn listen(pool: PgPool, mut listener: PgListener, ends: watch::Sender<Ends>) {
    let mut ticks = interval(REFRESH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outcome = tokio::select! {
            notification = listener.try_recv() => match notification {
                Ok(Some(notification)) => {
                    note(&ends, notification.payload());
                    Ok(())
                }
                // The connection was lost; what was missed is asked for.
                Ok(None) => refresh(&pool, &ends).await,
                Err(error) => Err(failure(&error)),
            },
            _ = ticks.tick() => refresh(&pool, &ends).await,
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "the log's listener waits for the database");
            sleep(REFRESH).await;
        }
    }
}

/// Notes that a partition has got longer: `TOPIC/PARTITION/NEXT`.
fn note(ends: &watch::Sender<Ends>, payload: &str) {
    let mut parts = payload.split('/');
    let topic = parts.next().and_then(|part| part.parse().ok()).and_then(tables::topic_of);
    let partition = parts.next().and_then(|part| part.parse().ok());
    let next = parts.next().and_then(|part| part.parse().ok());
    let (Some(topic), Some(partition), Some(next)) = (topic, partition, next) else { return };
    ends.send_if_modified(|ends| {
        let end = ends.entry((topic, partition)).or_default();
        let moved = *end < next;
        // A question may have been answered with a later end already.
        *end = next.max(*end);
        moved
    });
}

/// Asks for the ends. Only the listening task does, so a question's answer is never older than the news before it.
async fn refresh(pool: &PgPool, ends: &watch::Sender<Ends>) -> Result<(), LogError> {
    let found = tables::ends(pool).await?;
    ends.send_if_modified(|ends| {
        let changed = *ends != found;
        *ends = found;
        changed
    });
    Ok(())
}
