//! What all parts of a running service share.

use std::collections::BTreeMap;

use ristoro_log::{EventLog, Position, Topic};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::poison::SKIPS;
use crate::position::{Board, WaitError};
use crate::schema::ServiceName;
use crate::schema::register::live;
use crate::service::Settings;
use crate::telemetry::Telemetry;

/// The shared core of a service.
#[derive(Debug)]
pub struct Core {
    /// The service.
    pub(crate) service: ServiceName,
    /// Its database.
    pub(crate) pool: PgPool,
    /// Its log.
    pub(crate) log: EventLog,
    /// How far the loops of this process have come.
    pub(crate) board: Board,
    /// How the loops behave.
    pub(crate) settings: Settings,
    /// Where everything reports to.
    pub(crate) telemetry: Telemetry,
    /// The number of the live physical schema, as last seen.
    pub(crate) live: watch::Sender<i32>,
    /// The projections' names by topic.
    pub(crate) tables: BTreeMap<Topic, Vec<String>>,
    /// Which streams' events the journal keeps.
    pub(crate) journaled: fn(Topic, &str) -> bool,
    /// The topics that the journal reads.
    pub(crate) journal_topics: &'static [Topic],
}

impl Core {
    /// Tells whether the journal keeps the events of a stream.
    pub(crate) fn journaled(&self, topic: Topic, stream: &str) -> bool {
        let skips = topic == Topic::Ops && stream == SKIPS;
        skips || (self.journal_topics.contains(&topic) && (self.journaled)(topic, stream))
    }

    /// Waits until all live tables that are folded from the position's topic have passed it.
    pub(crate) async fn wait_for_tables(
        &self,
        position: Position,
        deadline: Instant,
    ) -> Result<(), WaitError> {
        let Some(consumers) = self.tables.get(&position.topic) else { return Ok(()) };
        loop {
            let waited_for = *self.live.borrow();
            let schema = self.service.physical(waited_for);
            self.board.wait(&self.pool, &schema, consumers, position, deadline).await?;
            // The views may show another schema since a switch that this process has not noticed. It had come as far
            // as the old one then, and need not have come as far as that one is now.
            let live = live(&self.pool, &self.service.control()).await?;
            if live == waited_for {
                return Ok(());
            }
            self.live.send_replace(live);
        }
    }
}
