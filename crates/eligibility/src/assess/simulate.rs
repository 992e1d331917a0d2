//! A whole roster through policies, without writing: one walk for all of them.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ristoro_domain::facts::Subscription;
use ristoro_domain::money::MoneyError;
use ristoro_runtime::heavy::heavy;
use ristoro_runtime::views::Views;
use tokio::task::JoinSet;

use super::compare::Comparison;
use super::summary::Simulation;
use super::tally::{Column, Tally};
use super::walk::{Known, Walk};
use super::{AssessError, Inputs};

/// How many people are read at once: short transactions, few round trips.
const PEOPLE_A_READ: u32 = 5_000;

/// What the outcome is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To propose what comes out: with digests, and refused where a policy refuses anybody.
    Propose,
    /// To see what policies would give that were written for something else: a policy that cannot decide somebody is
    /// left out.
    Try,
}

/// What policies give, side by side.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Simulated {
    /// One for each policy, in the same order.
    pub simulations: Vec<Simulation>,
    /// The first policy against each other one, in the same order.
    pub comparisons: Vec<Comparison>,
}

/// Partitions that no worker has begun, and what those that are through gave.
struct Walks {
    views: Views,
    policies: Arc<Vec<Inputs>>,
    purpose: Purpose,
    next: AtomicU32,
}

/// What one worker found in its partitions.
#[derive(Default)]
struct Found {
    /// The digests of each partition, by policy.
    digests: Vec<(u32, Vec<[u8; 32]>)>,
    simulated: Simulated,
}

/// Decides everyone under every policy, on all cores. The policies' inputs are of one state: they share the roster's
/// offsets and what was granted before. Where the caller goes away, the work stops at its next read.
///
/// However many people there are, a worker holds one read of them at a time.
///
/// # Errors
/// `Refused` where a policy refuses a case, `Money` where a sum leaves 64 bits, `Database`.
pub async fn simulate(
    views: &Views,
    policies: &Arc<Vec<Inputs>>,
    purpose: Purpose,
) -> Result<Simulated, AssessError> {
    let partitions = policies.first().map_or(0, |inputs| inputs.pins.roster_offsets.len());
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (views, shared) = (views.clone(), Arc::clone(policies));
    let walks = Arc::new(Walks { views, policies: shared, purpose, next: AtomicU32::new(0) });
    // Dropped with the call, the set ends its workers.
    let mut workers = JoinSet::new();
    for _ in 0..cores.min(partitions) {
        let walks = Arc::clone(&walks);
        workers.spawn(async move { walks.work().await });
    }
    let mut simulated = Simulated::new(policies.len());
    let mut digests = BTreeMap::new();
    while let Some(found) = workers.join_next().await {
        let found = found.map_err(|_| AssessError::Worker)??;
        digests.extend(found.digests);
        simulated.merge(&found.simulated)?;
    }
    for (place, simulation) in simulated.simulations.iter_mut().enumerate() {
        simulation.digests = digests.values().filter_map(|all| all.get(place)).copied().collect();
        simulation.drop_idle_payers();
    }
    Ok(simulated)
}

impl Walks {
    /// Decides partition after partition until all have begun.
    async fn work(&self) -> Result<Found, AssessError> {
        let Some(first) = self.policies.first() else { return Ok(Found::default()) };
        let mut columns: Vec<Column<'_>> = self.policies.iter().map(Column::new).collect();
        let mut tally = Tally::new(&first.outage);
        let mut digests = Vec::new();
        loop {
            let partition = self.next.fetch_add(1, Ordering::Relaxed);
            if partition as usize >= first.pins.roster_offsets.len() {
                break;
            }
            let mut walk = Walk::new(partition, &first.pins, 0);
            loop {
                let mut view = self.views.begin().await?;
                let read = walk.read(&mut view, &self.policies, PEOPLE_A_READ).await?;
                view.rollback().await?;
                let Some(read) = read else { break };
                let mut numbers = read.numbers();
                let take = |subscription: &Subscription, known: Known<'_>| {
                    let number = numbers.next().expect("everybody who is shown has a number");
                    tally.take(&mut columns, (number, subscription), known, self.purpose)
                };
                heavy(|| read.show(take))?;
            }
            if self.purpose == Purpose::Propose {
                digests.push((partition, columns.iter_mut().map(Column::finish).collect()));
            }
        }
        Ok(Found { digests, simulated: tally.summed(&columns)? })
    }
}

impl Simulated {
    /// Begins for so many policies.
    pub(super) fn new(policies: usize) -> Self {
        Self {
            simulations: vec![Simulation::default(); policies],
            comparisons: vec![Comparison::default(); policies.saturating_sub(1)],
        }
    }

    /// Adds what another worker found; digests stay as they are.
    fn merge(&mut self, found: &Self) -> Result<(), MoneyError> {
        for (simulation, other) in self.simulations.iter_mut().zip(&found.simulations) {
            simulation.merge(other)?;
        }
        for (comparison, other) in self.comparisons.iter_mut().zip(&found.comparisons) {
            comparison.merge(other)?;
        }
        Ok(())
    }
}
