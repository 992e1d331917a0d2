//! Leases: which process of a service works on which partition. A hint for efficiency; the fence makes it safe.
//!
//! Every process renews its heartbeat and its leases in one transaction. It takes at most its fair share,
//! gives back what is more, and takes over what a dead process left once the lease has run out.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::{PgConnection, PgPool, Row};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::position::{loaded_partition, stored_partition};
use crate::schema::{self, Mode, SchemaName};

/// Holds this process's membership and leases.
#[derive(Debug)]
pub(crate) struct Leases {
    pub pool: PgPool,
    pub control: SchemaName,
    pub member_id: Uuid,
    pub partition_count: u32,
    pub heartbeat: Duration,
    pub lease_time: Duration,
}

impl Leases {
    /// Renews until the shutdown, then gives everything back. `owned` shows what this process holds.
    pub(crate) async fn run(
        self,
        owned: watch::Sender<BTreeSet<u32>>,
        shutdown: CancellationToken,
    ) {
        let mut valid_until = Instant::now();
        while !shutdown.is_cancelled() {
            let renewed_at = Instant::now();
            match self.renew().await {
                Ok(held) => {
                    valid_until = renewed_at + self.lease_time;
                    publish(&owned, held);
                }
                Err(error) => {
                    tracing::warn!(%error, "the leases could not be renewed");
                    if Instant::now() >= valid_until {
                        publish(&owned, BTreeSet::new());
                    }
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(self.heartbeat) => {}
            }
        }
        publish(&owned, BTreeSet::new());
        if let Err(error) = self.leave().await {
            tracing::info!(%error, "the leases run out by themselves");
        }
    }

    async fn renew(&self) -> Result<BTreeSet<u32>, sqlx::Error> {
        let mut transaction = schema::begin(&self.pool, &self.control, Mode::Write).await?;
        match self.renew_in(&mut transaction).await {
            Ok(held) => {
                transaction.commit().await?;
                Ok(held)
            }
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        }
    }

    async fn renew_in(&self, connection: &mut PgConnection) -> Result<BTreeSet<u32>, sqlx::Error> {
        let seconds = self.lease_time.as_secs_f64();
        sqlx::query(
            "insert into member (member_id, heartbeat_at) values ($1, clock_timestamp())
             on conflict (member_id) do update set heartbeat_at = excluded.heartbeat_at",
        )
        .bind(self.member_id)
        .execute(&mut *connection)
        .await?;
        let alive: Vec<Uuid> = sqlx::query_scalar(
            "select member_id from member
             where heartbeat_at > clock_timestamp() - make_interval(secs => $1) order by member_id",
        )
        .bind(seconds)
        .fetch_all(&mut *connection)
        .await?;
        // Rows are locked in the order of partitions, so that two processes cannot block each other.
        let rows = sqlx::query(
            "select partition, member_id = $1 as mine, expires_at < clock_timestamp() as free
             from lease order by partition for update",
        )
        .bind(self.member_id)
        .fetch_all(&mut *connection)
        .await?;
        let (mut mine, mut free) = (BTreeSet::new(), (0..self.partition_count).collect());
        for row in rows {
            let partition = loaded_partition(row.try_get("partition")?);
            let held: bool = row.try_get("mine")?;
            if held {
                mine.insert(partition);
            }
            if held || !row.try_get::<bool, _>("free")? {
                BTreeSet::remove(&mut free, &partition);
            }
        }
        let (held, given_back) = share(mine, &free, self.fair_share(&alive));
        self.store(connection, &held, &given_back, seconds).await?;
        Ok(held)
    }

    /// Gives how many partitions this process should hold: all shares together are all partitions.
    fn fair_share(&self, alive: &[Uuid]) -> usize {
        let (partitions, members) = (self.partition_count as usize, alive.len().max(1));
        let rank = alive.iter().position(|member| *member == self.member_id).unwrap_or(0);
        partitions / members + usize::from(rank < partitions % members)
    }

    async fn store(
        &self,
        connection: &mut PgConnection,
        held: &BTreeSet<u32>,
        given_back: &[u32],
        seconds: f64,
    ) -> Result<(), sqlx::Error> {
        let stored = |partitions: &mut dyn Iterator<Item = u32>| -> Vec<i32> {
            partitions.map(stored_partition).collect()
        };
        sqlx::query("delete from lease where partition = any($1)")
            .bind(stored(&mut given_back.iter().copied()))
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "insert into lease (partition, member_id, expires_at)
             select partition, $2, clock_timestamp() + make_interval(secs => $3)
             from unnest($1::integer[]) partition order by partition
             on conflict (partition) do update
             set member_id = excluded.member_id, expires_at = excluded.expires_at
             where lease.member_id = $2 or lease.expires_at < clock_timestamp()",
        )
        .bind(stored(&mut held.iter().copied()))
        .bind(self.member_id)
        .bind(seconds)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "delete from member where heartbeat_at < clock_timestamp() - make_interval(secs => 600)",
        )
        .execute(&mut *connection)
        .await?;
        Ok(())
    }

    async fn leave(&self) -> Result<(), sqlx::Error> {
        let mut transaction = schema::begin(&self.pool, &self.control, Mode::Write).await?;
        for statement in
            ["delete from lease where member_id = $1", "delete from member where member_id = $1"]
        {
            sqlx::query(statement).bind(self.member_id).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

/// Decides which partitions a process holds from now on, and which of its own it gives back.
fn share(mut mine: BTreeSet<u32>, free: &BTreeSet<u32>, fair: usize) -> (BTreeSet<u32>, Vec<u32>) {
    let mut given_back = Vec::new();
    while mine.len() > fair {
        given_back.extend(mine.pop_last());
    }
    let room = fair - mine.len();
    mine.extend(free.iter().copied().take(room));
    (mine, given_back)
}

fn publish(owned: &watch::Sender<BTreeSet<u32>>, held: BTreeSet<u32>) {
    owned.send_if_modified(|known| {
        let changed = *known != held;
        *known = held;
        changed
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(partitions: &[u32]) -> BTreeSet<u32> {
        partitions.iter().copied().collect()
    }

    #[test]
    fn a_lone_process_takes_everything_that_is_free() {
        assert_eq!(share(set(&[]), &set(&[0, 1, 2]), 3), (set(&[0, 1, 2]), vec![]));
    }

    #[test]
    fn a_process_gives_back_what_is_more_than_its_share() {
        assert_eq!(share(set(&[0, 1, 2, 3]), &set(&[]), 2), (set(&[0, 1]), vec![3, 2]));
    }

    #[test]
    fn a_process_takes_no_more_than_its_share() {
        assert_eq!(share(set(&[]), &set(&[1, 2, 3]), 2), (set(&[1, 2]), vec![]));
    }
}
