//! What can go wrong with a log, decided by a seed or by a script.

use std::collections::VecDeque;
use std::time::Duration;

use crate::append::RawRecord;

/// What becomes of one append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is written, and the writer learns so.
    Acknowledged,
    /// It is not written, and the writer does not know.
    Lost,
    /// It is written, and the writer does not know.
    Unacknowledged,
    /// Only so many of its records are written, and the writer does not know.
    Torn {
        /// The number of records that are written.
        written: usize,
    },
    /// It is written after so many further appends, and the writer does not know.
    Late {
        /// The number of appends, anybody's, that come first.
        appends: u32,
    },
    /// It is written and acknowledged, and written once more after so many further appends.
    Repeated {
        /// The number of appends, anybody's, before the repetition.
        appends: u32,
    },
}

/// How often things go wrong, each in parts of a thousand appends or polls; nothing does by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultPlan {
    /// Appends that are lost.
    pub lost_per_mille: u32,
    /// Appends that are written but not acknowledged.
    pub unacknowledged_per_mille: u32,
    /// Appends of which only the first records are written.
    pub torn_per_mille: u32,
    /// Appends that are written when their writer has given up.
    pub late_per_mille: u32,
    /// Appends that are written twice.
    pub repeated_per_mille: u32,
    /// Polls that give three records at most, or none.
    pub short_poll_per_mille: u32,
    /// Appends wait up to this long before they are written; on tokio's paused clock this costs no time.
    pub longest_delay: Duration,
}

/// A late append comes after this many others at most.
const LATEST: u64 = 8;

#[derive(Debug)]
pub(super) struct Faults {
    plan: FaultPlan,
    random: Random,
    script: VecDeque<Fate>,
    put_off: Vec<(u32, Vec<RawRecord>)>,
}

impl Faults {
    pub(super) fn none() -> Self {
        let plan = FaultPlan::default();
        Self { plan, random: Random(0), script: VecDeque::new(), put_off: Vec::new() }
    }

    pub(super) fn begin(&mut self, seed: u64, plan: FaultPlan) {
        self.plan = plan;
        self.random = Random(seed);
    }

    pub(super) fn script(&mut self, fates: impl IntoIterator<Item = Fate>) {
        self.script.extend(fates);
    }

    /// Ends all faults and gives what has still to be written.
    pub(super) fn settle(&mut self) -> Vec<Vec<RawRecord>> {
        self.plan = FaultPlan::default();
        self.script.clear();
        self.put_off.drain(..).map(|(_, records)| records).collect()
    }

    pub(super) fn put_off(&mut self, appends: u32, records: &[RawRecord]) {
        self.put_off.push((appends, records.to_vec()));
    }

    /// Counts an append and gives what comes before it.
    pub(super) fn due(&mut self) -> Vec<Vec<RawRecord>> {
        let mut due = Vec::new();
        self.put_off.retain_mut(|(appends, records)| match appends.checked_sub(1) {
            Some(fewer) => {
                *appends = fewer;
                true
            }
            None => {
                due.push(std::mem::take(records));
                false
            }
        });
        due
    }

    pub(super) fn fate(&mut self, records: usize) -> Fate {
        if let Some(fate) = self.script.pop_front() {
            return fate;
        }
        let mut appends = || u32::try_from(self.random.below(LATEST)).unwrap_or(0);
        let fates = [
            (self.plan.late_per_mille, Fate::Late { appends: appends() }),
            (self.plan.repeated_per_mille, Fate::Repeated { appends: appends() }),
            (self.plan.lost_per_mille, Fate::Lost),
            (self.plan.unacknowledged_per_mille, Fate::Unacknowledged),
            (
                self.plan.torn_per_mille,
                Fate::Torn {
                    written: usize::try_from(self.random.below(records as u64 + 1)).unwrap_or(0),
                },
            ),
        ];
        let mut drawn = self.random.below(1000);
        for (per_mille, fate) in fates {
            match drawn.checked_sub(u64::from(per_mille)) {
                Some(rest) => drawn = rest,
                None => return fate,
            }
        }
        Fate::Acknowledged
    }

    pub(super) fn delay(&mut self) -> Duration {
        let longest_us = u64::try_from(self.plan.longest_delay.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.random.below(longest_us + 1))
    }

    /// Gives the number of records that a poll may bring, where it is a short one.
    pub(super) fn short_poll(&mut self) -> Option<usize> {
        let short = self.random.below(1000) < u64::from(self.plan.short_poll_per_mille);
        short.then(|| usize::try_from(self.random.below(4)).unwrap_or(0))
    }
}

/// SplitMix64: enough for drawing lots, and the same on every machine and in every version.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// Gives a number below the bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
