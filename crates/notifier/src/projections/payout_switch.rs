//! Whether payouts are stopped: while they are, nobody is told what they are owed either.

use futures::future::BoxFuture;
use ristoro_domain::ops::PayoutSwitchEvent;
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use sqlx::{PgConnection, Row};

/// Folds ops.v1 into `payout_switch`.
#[derive(Debug)]
pub struct PayoutSwitches;

impl Projection for PayoutSwitches {
    fn name(&self) -> &'static str {
        "notifier.ops"
    }

    fn topic(&self) -> Topic {
        Topic::Ops
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records.iter().filter(|record| record.envelope.stream == "ops/payouts") {
                let stopped = match decode::<PayoutSwitchEvent>(record)? {
                    PayoutSwitchEvent::PayoutsStopped { .. } => true,
                    PayoutSwitchEvent::PayoutsResumed { .. } => false,
                };
                sqlx::query(
                    "insert into payout_switch (name, stopped) values ('payouts', $1) \
                     on conflict (name) do update set stopped = $1",
                )
                .bind(stopped)
                .execute(&mut *tx)
                .await?;
            }
            Ok(())
        })
    }
}

/// Tells whether payouts are stopped.
///
/// # Errors
/// The database's.
pub async fn is_stopped(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("select coalesce(bool_or(stopped), false) as stopped from payout_switch")
        .fetch_one(connection)
        .await?;
    row.try_get("stopped")
}
