//! The loop: keeps several chunks going at once, and looks for more when one is through.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ristoro_domain::dispatch::Standing;
use ristoro_domain::time::Instant;
use ristoro_runtime::service::WorkerContext;
use tokio::time::Instant as Clock;

use super::DispatchError;
use super::known::Outages;
use super::lane::Lanes;
use crate::projections::wave::OpenWave;
use crate::settings::Settings;
use crate::streams::DispatchKey;

/// What the loop works with.
pub(super) struct Desk<'a> {
    pub(super) settings: &'a Settings,
    pub(super) context: &'a WorkerContext,
    pub(super) outages: Outages,
    pub(super) lanes: Lanes,
    pub(super) memory: Mutex<Memory>,
}

/// What saves looking at everything every time. Forgetting it costs time alone.
#[derive(Default)]
pub(super) struct Memory {
    /// When there is something to do again for a dispatch, or for one of its waves.
    pub(super) looked: BTreeMap<(DispatchKey, Option<u64>), Looked>,
    /// Since when waves of other owners stand where they do.
    pub(super) still: BTreeMap<(DispatchKey, u64), (Standing, Clock)>,
}

/// What was found when a dispatch was planned, or a wave was to go on.
pub(super) struct Looked {
    /// The outage's version that it was found on.
    pub(super) outage_version: u64,
    /// The next restoration that is known and lies ahead.
    pub(super) next_at: Option<Instant>,
    /// Whether everybody in it was known.
    pub(super) complete: bool,
    /// The numbers that were asked for; none for all.
    pub(super) only: Option<Vec<u64>>,
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

/// What was worked on, and whether anything went out.
type Worked = (DispatchKey, Result<bool, DispatchError>);

impl Looked {
    /// A wave that waits for the outage's next version.
    pub(super) fn waits(outage_version: u64) -> Self {
        let (next_at, complete, only) = (None, false, None);
        Self { outage_version, next_at, complete, only, at: Clock::now() }
    }
}

impl Job {
    pub(super) fn key(&self) -> &DispatchKey {
        match self {
            Job::Resume(open) => &open.key,
            Job::Plan { key, .. } => key,
        }
    }
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

    /// Works until the shutdown, and until what is under way by then has come to a report.
    pub(super) async fn work(&self) {
        let (mut queue, mut under_way) = (VecDeque::new(), BTreeSet::new());
        let mut running = FuturesUnordered::new();
        let (mut look_at, mut failures) = (Clock::now(), 0_u32);
        while !self.context.shutdown.is_cancelled() {
            if queue.is_empty() && look_at <= Clock::now() {
                look_at = Clock::now() + self.settings.rest;
                match self.look_around(&under_way).await {
                    Ok(jobs) => queue = jobs,
                    Err(error) => look_at = self.trouble(&error, &mut failures),
                }
            }
            while running.len() < self.settings.lanes
                && let Some(job) = queue.pop_front()
            {
                if under_way.insert(job.key().clone()) {
                    running.push(self.do_one(job));
                }
            }
            let is_free = queue.is_empty() && running.len() < self.settings.lanes;
            tokio::select! {
                Some((key, result)) = running.next() => {
                    under_way.remove(&key);
                    match result {
                        // There is more where this came from.
                        Ok(true) => (look_at, failures) = (Clock::now(), 0),
                        Ok(false) => {}
                        Err(error) => {
                            queue.clear();
                            look_at = self.trouble(&error, &mut failures);
                        }
                    }
                }
                () = tokio::time::sleep_until(look_at), if is_free => {}
                () = self.context.shutdown.cancelled() => {}
            }
        }
        while running.next().await.is_some() {}
    }

    /// Says what is wrong and gives when to look again.
    fn trouble(&self, error: &DispatchError, failures: &mut u32) -> Clock {
        tracing::warn!(%error, "notices stand still");
        *failures = failures.saturating_add(1);
        Clock::now() + self.settings.pause * 2_u32.pow((*failures).min(5)) / 2
    }

    /// Says goodbye to the mail server.
    pub(super) async fn close(&self) {
        self.lanes.close().await;
    }

    async fn do_one(&self, job: Job) -> Worked {
        let key = job.key().clone();
        let result = match job {
            Job::Resume(open) => self.resume(open).await,
            Job::Plan { key, outage, only } => self.plan(&key, &outage, only).await,
        };
        (key, result)
    }

    /// Tells whether this process should work on a partition.
    pub(super) fn is_owned(&self, partition: u32) -> bool {
        self.context.owned.borrow().contains(&partition)
    }

    /// Remembers when a dispatch, or one of its waves, is worth another look.
    pub(super) fn remember(&self, key: &DispatchKey, wave: Option<u64>, looked: Looked) {
        let mut memory = self.memory.lock().expect("nothing panics while it holds this");
        memory.looked.insert((key.clone(), wave), looked);
    }
}
