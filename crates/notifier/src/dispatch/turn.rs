//! One round of the loop: which dispatches can go on, and all of them at once, within a limit.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use ristoro_domain::time::Instant;
use ristoro_runtime::service::WorkerContext;
use sqlx::PgConnection;
use tokio::time::Instant as Clock;

use super::DispatchError;
use super::known::Outages;
use super::lane::Lanes;
use crate::projections::chunk::{self, Waiting};
use crate::projections::outage_event;
use crate::projections::wave::OpenWave;
use crate::projections::{payout_switch, retry, wave};
use crate::settings::Settings;
use crate::streams::DispatchKey;

/// How many dispatches one round has for each that goes out at once; the others have the next.
const ROUNDS: usize = 8;
/// After how long a chunk is looked at again though its outage did not change: somebody may have changed cohort.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// The same where somebody in it was not known yet.
const LOOK_AGAIN_SOON: Duration = Duration::from_secs(5);

/// What the loop works with.
pub(super) struct Desk<'a> {
    pub(super) settings: &'a Settings,
    pub(super) context: &'a WorkerContext,
    pub(super) outages: Outages,
    pub(super) lanes: Lanes,
    memory: Mutex<Memory>,
}

/// What saves looking at everything in every round. Forgetting it costs time alone.
#[derive(Default)]
struct Memory {
    /// When there is something to do for a dispatch again.
    looked: BTreeMap<DispatchKey, Looked>,
    /// Since when waves of other owners stand where they do.
    still: BTreeMap<(DispatchKey, u64), (Standing, Clock)>,
}

/// Where a wave stands.
type Standing = (Option<String>, u32);

/// What was found when a dispatch was planned.
pub(super) struct Looked {
    /// The outage's version that it was planned on.
    pub(super) outage_version: u64,
    /// The next restoration that is known and lies ahead.
    pub(super) next_at: Option<Instant>,
    /// Whether everybody in it was known.
    pub(super) complete: bool,
    /// When.
    pub(super) at: Clock,
}

/// What can go on.
#[derive(Debug)]
pub(super) enum Job {
    /// A wave that nobody works on.
    Resume(OpenWave),
    /// A dispatch whose people may have their mailboxes back; none for all of them, else these numbers alone.
    Plan { key: DispatchKey, outage: String, only: Option<Vec<u64>> },
}

impl<'a> Desk<'a> {
    pub(super) fn new(settings: &'a Settings, context: &'a WorkerContext) -> Self {
        Self {
            settings,
            context,
            outages: Outages::default(),
            lanes: Lanes::default(),
            memory: Mutex::default(),
        }
    }

    /// Does one round; tells whether anything went out.
    pub(super) async fn turn(&self) -> Result<bool, DispatchError> {
        let jobs = self.jobs().await?;
        if jobs.is_empty() {
            return Ok(false);
        }
        let work =
            stream::iter(jobs).map(|job| self.work(job)).buffer_unordered(self.settings.at_once);
        let results: Vec<Result<bool, DispatchError>> = work.collect().await;
        let mut went_out = false;
        let mut first_failure = None;
        for result in results {
            match result {
                Ok(out) => went_out |= out,
                Err(error) => first_failure = first_failure.or(Some(error)),
            }
        }
        match first_failure {
            Some(error) => Err(error),
            None => Ok(went_out),
        }
    }

    /// Says goodbye to the mail server.
    pub(super) async fn close(&self) {
        self.lanes.close().await;
    }

    async fn work(&self, job: Job) -> Result<bool, DispatchError> {
        match job {
            Job::Resume(open) => self.resume(open).await,
            Job::Plan { key, outage, only } => self.plan(&key, &outage, only).await,
        }
    }

    /// Tells whether this process should work on a partition.
    pub(super) fn is_owned(&self, partition: u32) -> bool {
        self.context.owned.borrow().contains(&partition)
    }

    /// Remembers when a dispatch is worth another look.
    pub(super) fn remember(&self, key: &DispatchKey, looked: Looked) {
        let mut memory = self.memory.lock().expect("nothing panics while it holds this");
        memory.looked.insert(key.clone(), looked);
    }

    async fn jobs(&self) -> Result<Vec<Job>, DispatchError> {
        let owned: Vec<u32> = self.context.owned.borrow().iter().copied().collect();
        if owned.is_empty() {
            return Ok(Vec::new());
        }
        let mut view = self.context.views.begin().await?;
        if payout_switch::is_stopped(&mut view).await? {
            return Ok(Vec::new());
        }
        let mut jobs: Vec<Job> = self
            .takeable(wave::open(&mut view, &owned).await?)
            .into_iter()
            .map(Job::Resume)
            .collect();
        self.retries(&mut view, &owned, &mut jobs).await?;
        self.waiting(&mut view, &owned, &mut jobs).await?;
        view.rollback().await?;
        jobs.truncate(self.settings.at_once * ROUNDS);
        Ok(jobs)
    }

    /// Keeps the waves that were handed back, and those that did not move for as long as an owner may take.
    fn takeable(&self, open: Vec<OpenWave>) -> Vec<OpenWave> {
        let mut memory = self.memory.lock().expect("nothing panics while it holds this");
        let mut still = BTreeMap::new();
        let mut takeable = Vec::new();
        for one in open {
            let place = (one.key.clone(), one.wave.started_version);
            let standing = (one.wave.owner.clone(), one.wave.next_block);
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
        jobs: &mut Vec<Job>,
    ) -> Result<(), DispatchError> {
        let mut by_chunk: BTreeMap<DispatchKey, (String, Vec<u64>)> = BTreeMap::new();
        for ((assessment, partition, attempt), (outage, numbers)) in
            retry::waiting(view, owned).await?
        {
            for number in numbers {
                let chunk = chunk::of_number(view, &assessment, partition, number).await?;
                let Some(chunk) = chunk else { continue };
                let entry = by_chunk.entry(DispatchKey::email(chunk.key, attempt));
                entry.or_insert((outage.clone(), Vec::new())).1.push(number);
            }
        }
        for (key, (outage, only)) in by_chunk {
            // New numbers may have come, and there are few: these are looked at in every round.
            jobs.push(Job::Plan { key, outage, only: Some(only) });
        }
        Ok(())
    }

    async fn waiting(
        &self,
        view: &mut PgConnection,
        owned: &[u32],
        jobs: &mut Vec<Job>,
    ) -> Result<(), DispatchError> {
        let mut versions: BTreeMap<String, u64> = BTreeMap::new();
        let mut by_assessment: BTreeMap<String, Vec<Job>> = BTreeMap::new();
        for Waiting { key, outage } in chunk::waiting(view, owned).await? {
            let version = match versions.get(&outage) {
                Some(version) => *version,
                None => {
                    let version = outage_event::version(view, &outage).await?;
                    versions.insert(outage.clone(), version);
                    version
                }
            };
            let assessment = key.assessment.clone();
            let key = DispatchKey::email(key, 1);
            if self.is_due(&key, version) {
                let job = Job::Plan { key, outage, only: None };
                by_assessment.entry(assessment).or_default().push(job);
            }
        }
        take_turns(by_assessment.into_values().collect(), jobs);
        Ok(())
    }

    fn is_due(&self, key: &DispatchKey, outage_version: u64) -> bool {
        let memory = self.memory.lock().expect("nothing panics while it holds this");
        memory.looked.get(key).is_none_or(|looked| {
            let again = if looked.complete { LOOK_AGAIN } else { LOOK_AGAIN_SOON };
            looked.outage_version != outage_version
                || looked.next_at.is_some_and(|at| at <= Instant::now())
                || looked.at.elapsed() >= again
        })
    }
}

/// Takes one of each assessment in turn, so that a small one is not held up by a big one.
fn take_turns(assessments: Vec<Vec<Job>>, jobs: &mut Vec<Job>) {
    let mut queues: Vec<_> = assessments.into_iter().map(Vec::into_iter).collect();
    while !queues.is_empty() {
        queues.retain_mut(|queue| match queue.next() {
            Some(job) => {
                jobs.push(job);
                true
            }
            None => false,
        });
    }
}
