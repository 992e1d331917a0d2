//! Reads that nobody waits for any more: a caller's deadline may end one anywhere, even while it begins.

use std::time::Duration;

use ristoro_log::EventLog;
use sqlx::PgPool;
use tokio::time::Instant;

use super::counter::projections_only;
use super::support::*;

/// Connections on which a transaction stands open without anybody at work in it.
const LEFT_OPEN: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and state like 'idle in transaction%'
        and state_change < now() - interval '20 milliseconds'";

#[tokio::test]
async fn a_read_that_is_given_up_leaves_no_transaction_behind() {
    let (database, memory) = (database().await, memory());
    let service = start(projections_only(), &database.pool, &EventLog::Memory(memory)).await;
    // Counted from outside the pool, whose own next read would end what the one before left.
    let outside = PgPool::connect(&database.url).await.unwrap();
    let (mut left, views) = (Vec::new(), service.views());
    for micros in (0..400).step_by(5) {
        let bound = Duration::from_micros(micros);
        // A timer ticks too rarely to end a read at any point of its beginning.
        let given_up = async {
            let begun = Instant::now();
            while begun.elapsed() < bound {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            begun = views.begin() => drop(begun.unwrap()),
            () = given_up => {}
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        if number(&outside, LEFT_OPEN).await > 0 {
            left.push(micros);
        }
    }
    assert!(
        left.is_empty(),
        "given up after these microseconds, a read left its transaction: {left:?}"
    );
    service.stop().await.unwrap();
}
