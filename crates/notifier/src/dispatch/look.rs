//! What can go on: waves that nobody works on, notices to be sent again, and chunks whose people can be told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ristoro_domain::time::Instant;
use sqlx::PgConnection;
use tokio::time::Instant as Clock;

use super::DispatchError;
use super::turn::{Desk, Job};
use crate::projections::chunk::{self, Waiting};
use crate::projections::outage_event;
use crate::projections::retry::{self, Retries};
use crate::projections::wave::OpenWave;
use crate::projections::{payout_switch, wave};
use crate::streams::DispatchKey;

/// How many jobs one look gives for each that goes on at once: a look costs more than a job is worth, and the world
/// moves on while a job waits.
const JOBS_A_LANE: usize = 8;
/// After how long a chunk is looked at again though its outage did not change: somebody may have changed cohort.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// The same where somebody in it was not known yet, or a wave waits.
const LOOK_AGAIN_SOON: Duration = Duration::from_secs(5);

/// The versions of outages as of one look.
#[derive(Default)]
struct Versions(BTreeMap<String, u64>);

impl Versions {
    async fn get(&mut self, view: &mut PgConnection, outage: &str) -> Result<u64, sqlx::Error> {
        if let Some(version) = self.0.get(outage) {
            return Ok(*version);
        }
        let version = outage_event::version(view, outage).await?;
        self.0.insert(outage.to_owned(), version);
        Ok(version)
    }
}

impl Desk<'_> {
    /// Gives what can go on and is not under way: waves, retries and first notices in turn, and assessments in turn, so
    /// that many of one kind never hold up the others.
    pub(super) async fn look_around(
        &self,
        under_way: &BTreeSet<DispatchKey>,
    ) -> Result<VecDeque<Job>, DispatchError> {
        let owned: Vec<u32> = self.context.owned.borrow().iter().copied().collect();
        if owned.is_empty() {
            return Ok(VecDeque::new());
        }
        let mut view = self.context.views.begin().await?;
        if payout_switch::is_stopped(&mut view).await? {
            return Ok(VecDeque::new());
        }
        let mut versions = Versions::default();
        let mut kinds = [
            self.open_waves(&mut view, &owned, &mut versions).await?,
            self.retries(&mut view, &owned, &mut versions).await?,
            self.waiting(&mut view, &owned, &mut versions).await?,
        ];
        view.rollback().await?;
        for jobs in &mut kinds {
            jobs.retain(|job| !under_way.contains(job.key()));
        }
        let mut jobs = in_turn(kinds.into());
        jobs.truncate(self.settings.lanes * JOBS_A_LANE);
        Ok(jobs.into())
    }

    async fn open_waves(
        &self,
        view: &mut PgConnection,
        owned: &[u32],
        versions: &mut Versions,
    ) -> Result<Vec<Job>, DispatchError> {
        let mut jobs = Vec::new();
        for open in self.takeable(wave::open(view, owned).await?) {
            let version = versions.get(view, &open.outage).await?;
            if self.is_due(&open.key, Some(open.wave.started_version), version, None) {
                jobs.push(Job::Resume(open));
            }
        }
        Ok(jobs)
    }

    /// Keeps the waves that were handed back, and those that did not move for as long as an owner may take.
    fn takeable(&self, open: Vec<OpenWave>) -> Vec<OpenWave> {
        let mut memory = self.memory.lock().expect("nothing panics while it holds this");
        let mut still = BTreeMap::new();
        let mut takeable = Vec::new();
        for one in open {
            let place = (one.key.clone(), one.wave.started_version);
            let standing = one.wave.standing();
            let since = match memory.still.get(&place) {
                Some((before, since)) if *before == standing => *since,
                Some(_) | None => Clock::now(),
            };
            still.insert(place, (standing, since));
            if one.wave.owner.is_none() || since.elapsed() >= self.settings.takeover_after {
                takeable.push(one);
            }
        }
        memory.still = still;
        takeable
    }

    async fn retries(
        &self,
        view: &mut PgConnection,
        owned: &[u32],
        versions: &mut Versions,
    ) -> Result<Vec<Job>, DispatchError> {
        let mut by_assessment: BTreeMap<String, Vec<Job>> = BTreeMap::new();
        let retries: Retries = retry::waiting(view, owned).await?;
        for (key, (outage, only)) in retries {
            let version = versions.get(view, &outage).await?;
            if self.is_due(&key, None, version, Some(&only)) {
                let assessment = key.chunk.assessment.clone();
                let job = Job::Plan { key, outage, only: Some(only) };
                by_assessment.entry(assessment).or_default().push(job);
            }
        }
        Ok(in_turn(by_assessment.into_values().collect()))
    }

    async fn waiting(
        &self,
        view: &mut PgConnection,
        owned: &[u32],
        versions: &mut Versions,
    ) -> Result<Vec<Job>, DispatchError> {
        let mut by_assessment: BTreeMap<String, Vec<Job>> = BTreeMap::new();
        for Waiting { key, outage } in chunk::waiting(view, owned).await? {
            let version = versions.get(view, &outage).await?;
            let assessment = key.assessment.clone();
            let key = DispatchKey::email(key, 1);
            if self.is_due(&key, None, version, None) {
                let job = Job::Plan { key, outage, only: None };
                by_assessment.entry(assessment).or_default().push(job);
            }
        }
        Ok(in_turn(by_assessment.into_values().collect()))
    }

    fn is_due(
        &self,
        key: &DispatchKey,
        wave: Option<u64>,
        outage_version: u64,
        only: Option<&Vec<u64>>,
    ) -> bool {
        let memory = self.memory.lock().expect("nothing panics while it holds this");
        memory.looked.get(&(key.clone(), wave)).is_none_or(|looked| {
            let again = if looked.complete { LOOK_AGAIN } else { LOOK_AGAIN_SOON };
            looked.outage_version != outage_version
                || looked.only.as_ref() != only
                || looked.next_at.is_some_and(|at| at <= Instant::now())
                || looked.at.elapsed() >= again
        })
    }
}

/// Takes one of each in turn, so that a short list is not held up by a long one.
fn in_turn<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let mut taken = Vec::new();
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    while !lists.is_empty() {
        lists.retain_mut(|list| {
            let next = list.next();
            let more = next.is_some();
            taken.extend(next);
            more
        });
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_list_is_not_held_up_by_a_long_one() {
        let lists = vec![vec![1, 2, 3, 4, 5], vec![], vec![10], vec![20, 21]];
        assert_eq!(in_turn(lists), [1, 10, 20, 2, 21, 3, 4, 5]);
    }
}
