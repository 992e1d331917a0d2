//! A whole roster through one policy, without writing: totals, digests, groups, amounts and reasons for nothing.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ristoro_domain::facts::{Segment, Subscription};
use ristoro_domain::money::{Money, MoneyError};
use ristoro_domain::policy::digest::{Digest, canonical};
use ristoro_domain::policy::{Evaluator, ReasonIndex};
use ristoro_domain::remedy::Reason;
use ristoro_domain::totals::Totals;
use ristoro_runtime::views::Views;
use tokio::task::JoinSet;

use super::walk::{Basis, Walk, Walked};
use super::{AssessError, Inputs};

/// What a policy gives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Simulation {
    /// People and sums.
    pub totals: Totals,
    /// Per partition, the digest of the decisions.
    pub digests: Vec<[u8; 32]>,
    /// The same by (dimension, value).
    pub groups: BTreeMap<(&'static str, String), Totals>,
    /// How many people get which amount.
    pub amounts: BTreeMap<Money, u64>,
    /// How many people get nothing, by reason.
    pub zeros: BTreeMap<String, u64>,
}

/// How many people are read at once: short transactions, few round trips.
const PEOPLE_A_READ: u32 = 5_000;

/// People by group and reason, before the reasons are summed.
type Groups = BTreeMap<(&'static str, String), BTreeMap<ReasonIndex, u64>>;

/// Partitions that no worker has begun, and what those that are through gave.
struct Walks {
    views: Views,
    inputs: Arc<Inputs>,
    next: AtomicU32,
}

/// What one worker found in its partitions.
struct Found {
    digests: Vec<(u32, [u8; 32])>,
    simulation: Simulation,
}

/// Decides everyone, on all cores. Where the caller goes away, the work stops at its next read.
///
/// However many people there are, a worker holds one read of them at a time.
///
/// # Errors
/// `Refused` where the policy refuses a case, `Money` where a sum leaves 64 bits, `Database`.
pub async fn simulate(views: &Views, inputs: &Arc<Inputs>) -> Result<Simulation, AssessError> {
    let partitions = inputs.pins.roster_offsets.len();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let walks = Walks { views: views.clone(), inputs: Arc::clone(inputs), next: AtomicU32::new(0) };
    let walks = Arc::new(walks);
    // Dropped with the call, the set ends its workers.
    let mut workers = JoinSet::new();
    for _ in 0..cores.min(partitions) {
        let walks = Arc::clone(&walks);
        workers.spawn(async move { walks.work().await });
    }
    let mut simulation = Simulation::default();
    let mut digests = BTreeMap::new();
    while let Some(found) = workers.join_next().await {
        let found = found.map_err(|_| AssessError::Worker)??;
        digests.extend(found.digests);
        simulation.merge(&found.simulation)?;
    }
    simulation.digests = digests.into_values().collect();
    Ok(simulation)
}

impl Walks {
    /// Decides partition after partition until all have begun.
    async fn work(&self) -> Result<Found, AssessError> {
        let inputs = &*self.inputs;
        let mut evaluator = Evaluator::new(&inputs.policy, &inputs.outage);
        let basis = Basis { pins: &inputs.pins, earlier: &inputs.earlier };
        let mut found = Found { digests: Vec::new(), simulation: Simulation::default() };
        let (mut people, mut groups) = (BTreeMap::new(), Groups::new());
        loop {
            let partition = self.next.fetch_add(1, Ordering::Relaxed);
            if partition as usize >= inputs.pins.roster_offsets.len() {
                break;
            }
            let mut walk = Walk::new(partition, &inputs.pins, 0);
            let mut digest = Digest::new();
            loop {
                let mut view = self.views.begin().await?;
                let walked = walk.next(&mut view, &mut evaluator, basis, PEOPLE_A_READ).await?;
                view.rollback().await?;
                let Some(walked) = walked else { break };
                for (row, reason) in walked.rows.iter().zip(&walked.reasons) {
                    let remedies = &evaluator.reason(*reason).remedies;
                    digest
                        .push(row.number, &canonical(remedies))
                        .expect("a walk gives ascending numbers");
                }
                count(&walked, inputs, &mut people, &mut groups);
            }
            found.digests.push((partition, digest.finish()));
        }
        summarise(&mut found.simulation, evaluator.reasons(), &people, &groups)?;
        Ok(found)
    }
}

impl Simulation {
    /// Adds what another worker found; digests stay as they are.
    fn merge(&mut self, other: &Self) -> Result<(), MoneyError> {
        self.totals.merge(&other.totals)?;
        for (key, totals) in &other.groups {
            self.groups.entry(key.clone()).or_default().merge(totals)?;
        }
        for (amount, count) in &other.amounts {
            *self.amounts.entry(*amount).or_default() += count;
        }
        for (why, count) in &other.zeros {
            *self.zeros.entry(why.clone()).or_default() += count;
        }
        Ok(())
    }
}

fn count(
    walked: &Walked,
    inputs: &Inputs,
    people: &mut BTreeMap<ReasonIndex, u64>,
    groups: &mut Groups,
) {
    for (row, reason) in walked.rows.iter().zip(&walked.reasons) {
        *people.entry(*reason).or_default() += 1;
        for key in group_keys(&row.subscription, inputs) {
            *groups.entry(key).or_default().entry(*reason).or_default() += 1;
        }
    }
}

fn group_keys(subscription: &Subscription, inputs: &Inputs) -> [(&'static str, String); 4] {
    let began_at = inputs.outage.impacts.iter().map(|impact| impact.window.from).min();
    let in_force = subscription
        .periods
        .iter()
        .find(|period| began_at.is_none_or(|at| period.window.to.is_none_or(|to| to > at)));
    let plan = in_force.or(subscription.periods.last()).map_or("", |period| &period.plan);
    let segment = match subscription.segment {
        Segment::Consumer => "consumer",
        Segment::Business => "business",
    };
    [
        ("service", subscription.service.clone()),
        ("plan", format!("{}/{plan}", subscription.service)),
        ("segment", segment.to_owned()),
        ("cohort", subscription.cohort.clone().unwrap_or_default()),
    ]
}

fn summarise(
    simulation: &mut Simulation,
    reasons: &[Reason],
    people: &BTreeMap<ReasonIndex, u64>,
    groups: &Groups,
) -> Result<(), MoneyError> {
    for (index, count) in people {
        let reason = &reasons[index.0 as usize];
        simulation.totals.add(&reason.remedies, *count)?;
        let mut sums: Vec<Money> = Vec::new();
        for money in reason.remedies.iter().filter_map(|remedy| remedy.grant.amount()) {
            match sums.iter_mut().find(|sum| sum.currency == money.currency) {
                Some(sum) => *sum = sum.checked_add(money)?,
                None => sums.push(money),
            }
        }
        for sum in sums {
            *simulation.amounts.entry(sum).or_default() += count;
        }
        if reason.remedies.is_empty() {
            let why = reason.trace.iter().map(|line| &line.excluded).find(|why| !why.is_empty());
            let why = why.cloned().unwrap_or_else(|| "NOTHING_OWED".to_owned());
            *simulation.zeros.entry(why).or_default() += count;
        }
    }
    for (key, members) in groups {
        let totals = simulation.groups.entry(key.clone()).or_default();
        for (index, count) in members {
            totals.add(&reasons[index.0 as usize].remedies, *count)?;
        }
    }
    Ok(())
}
