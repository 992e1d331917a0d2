//! Faults at seeded random points: processes and the broker are killed and frozen while everything else goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, Worker};
use super::process::signal;
use super::random::Random;

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A process is killed with SIGKILL and started again at once.
    WorkerKilled,
    /// A process is frozen with SIGSTOP for a while.
    WorkerFrozen,
    /// The broker is killed with SIGKILL and started again on its data.
    BrokerKilled,
    /// The broker is frozen with SIGSTOP for a while.
    BrokerFrozen,
}

/// One fault of a schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// How long after the fault before it.
    pub pause: Duration,
    /// What.
    pub kind: Kind,
    /// Whom, as a place in the list of processes; not used for the broker.
    pub place: usize,
    /// How long, for a freeze.
    pub freeze: Duration,
}

/// What happens first, so that even a short run sees each of them.
const FIRST: [Kind; 4] =
    [Kind::WorkerFrozen, Kind::BrokerKilled, Kind::WorkerKilled, Kind::BrokerFrozen];

/// An endless schedule: the same seed gives the same faults; how many of them happen depends on how long the load takes.
#[derive(Clone, Debug)]
pub struct Schedule {
    random: Random,
    workers: usize,
    first: std::array::IntoIter<Kind, 4>,
}

impl Schedule {
    /// Makes a schedule for so many processes.
    #[must_use]
    pub fn new(seed: u64, workers: usize) -> Self {
        Self { random: Random::new(seed, "faults"), workers, first: FIRST.into_iter() }
    }
}

impl Iterator for Schedule {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        let random = &mut self.random;
        let pause = Duration::from_millis(1_000 + random.below(3_000));
        let kind = match random.below(100) {
            0..40 => Kind::WorkerKilled,
            40..86 => Kind::WorkerFrozen,
            86..94 => Kind::BrokerFrozen,
            _ => Kind::BrokerKilled,
        };
        let kind = self.first.next().unwrap_or(kind);
        let place = random.place(self.workers);
        // One freeze in three is longer than a takeover takes.
        let (least, most) = if random.chance(333) { (3_300, 5_000) } else { (200, 1_500) };
        let freeze = Duration::from_millis(least + random.below(most - least));
        Some(Fault { pause, kind, place, freeze })
    }
}

/// How many faults of each kind have happened.
pub type Counts = BTreeMap<Kind, u64>;

/// Does what the schedule says until it is told to end, and mends everything before it returns.
///
/// # Errors
/// Where a process or the broker cannot be killed or started again.
pub async fn inflict(
    cluster: &Cluster,
    schedule: Schedule,
    end: CancellationToken,
) -> Result<Counts, Box<dyn std::error::Error + Send + Sync>> {
    let mut counts = Counts::new();
    let mut freezes = JoinSet::new();
    for fault in schedule {
        tokio::select! {
            () = end.cancelled() => break,
            () = tokio::time::sleep(fault.pause) => {}
        }
        let worker = &cluster.workers[fault.place];
        let happened = match fault.kind {
            Kind::WorkerKilled => {
                worker.kill().await?;
                worker.start().await?;
                true
            }
            Kind::WorkerFrozen => match worker.id().await {
                Some(id) => {
                    freezes.spawn(freeze(Arc::clone(worker), id, fault.freeze));
                    true
                }
                None => false,
            },
            Kind::BrokerKilled => {
                let mut kafka = cluster.kafka.lock().await;
                kafka.kill().await?;
                kafka.restart().await?;
                true
            }
            Kind::BrokerFrozen => {
                let mut kafka = cluster.kafka.lock().await;
                kafka.freeze().await?;
                tokio::time::sleep(fault.freeze).await;
                kafka.thaw().await?;
                true
            }
        };
        *counts.entry(fault.kind).or_default() += u64::from(happened);
        for worker in &cluster.workers {
            worker.look_after().await?;
        }
    }
    while freezes.join_next().await.is_some() {}
    Ok(counts)
}

/// Freezes a process; one that is killed meanwhile is another process afterwards, which no signal reaches.
async fn freeze(worker: Arc<Worker>, id: u32, time: Duration) {
    if signal(id, "STOP").await.is_err() {
        return;
    }
    tokio::time::sleep(time).await;
    if worker.id().await == Some(id) {
        // It can only fail where the process is gone, and then there is nothing to wake.
        drop(signal(id, "CONT").await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_again_and_every_kind_of_them() {
        let faults = |seed| Schedule::new(seed, 9).take(200).collect::<Vec<_>>();
        assert_eq!(faults(1), faults(1));
        assert_ne!(faults(1), faults(2));
        assert_eq!(faults(3).iter().take(4).map(|it| it.kind).collect::<Vec<_>>(), FIRST);
        let kinds: std::collections::BTreeSet<Kind> =
            faults(1).iter().map(|fault| fault.kind).collect();
        assert_eq!(kinds.len(), 4);
        let longer = faults(1).iter().filter(|fault| fault.freeze.as_secs() >= 3).count();
        assert!(longer > 20, "{longer} freezes are longer than a takeover takes");
    }
}
