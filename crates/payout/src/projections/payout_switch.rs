//! Whether payouts are stopped: every effect looks here before it acts.

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
        "payout.ops"
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
                let (stopped, note) = match decode::<PayoutSwitchEvent>(record)? {
                    PayoutSwitchEvent::PayoutsStopped { note } => (true, note),
                    PayoutSwitchEvent::PayoutsResumed { note } => (false, note),
                };
                sqlx::query(
                    "insert into payout_switch (name, stopped, note) values ('payouts', $1, $2) \
                     on conflict (name) do update set stopped = $1, note = $2",
                )
                .bind(stopped)
                .bind(note)
                .execute(&mut *tx)
                .await?;
            }
            Ok(())
        })
    }
}

/// Tells why payouts are stopped; none while they are not.
///
/// # Errors
/// The database's.
pub async fn stopped(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query("select note from payout_switch where stopped")
        .fetch_optional(connection)
        .await?;
    row.map(|row| row.try_get("note")).transpose()
}
