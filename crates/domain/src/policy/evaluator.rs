//! Decides many subscriptions for one policy and one outage, each distinct view once.

use std::collections::BTreeMap;

use super::Policy;
use super::context::Context;
use super::count::Start;
use super::error::Refusal;
use super::evaluate::evaluate;
use super::timeline::{Reading, Timeline};
use super::view::{View, see, write_text};
use crate::facts::{Class, FeePeriod, Outage, Subscription};
use crate::remedy::Reason;
use crate::time::Instant;

/// The most impacts of an outage that are decided at once.
pub const IMPACT_LIMIT: usize = 1_000;

/// The place of a reason in `Evaluator::reasons`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReasonIndex(pub u32);

/// Decides subscriptions one by one and remembers what it has seen.
///
/// Two subscriptions with the same view, the bytes of everything that the policy can see, share one decision; two
/// decisions with the same outcome share one reason.
pub struct Evaluator<'a> {
    reading: Reading<'a>,
    memo: Memo,
    /// The end of everything for those without a restoration of their own; none while something is open.
    last_end: Option<Instant>,
    key: Vec<u8>,
}

/// What an evaluator has seen, without what it borrows: to be kept between reads by whoever owns policy and outage.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    reasons: Vec<Reason>,
    known_reasons: BTreeMap<Reason, ReasonIndex>,
    decided: BTreeMap<Box<[u8]>, ReasonIndex>,
    timelines: Vec<Timeline>,
    known_timelines: BTreeMap<Timeline, u32>,
    /// The timelines of groups: subscriptions that differ in nothing that the windows depend on.
    groups: BTreeMap<Box<[u8]>, u32>,
}

impl<'a> Evaluator<'a> {
    /// Makes an evaluator that has seen nobody yet.
    #[must_use]
    pub fn new(policy: &'a Policy, outage: &'a Outage) -> Self {
        Self::with_memo(policy, outage, Memo::default())
    }

    /// Goes on with what an evaluator of the same policy and the same outage has seen.
    #[must_use]
    pub fn with_memo(policy: &'a Policy, outage: &'a Outage, memo: Memo) -> Self {
        let (reading, last_end) = (Reading::new(policy, outage), last_end(outage));
        Self { reading, memo, last_end, key: Vec::new() }
    }

    /// Gives what it has seen.
    #[must_use]
    pub fn into_memo(self) -> Memo {
        self.memo
    }

    /// Gives the place of the subscription's reason. Remedies are new totals, after what was granted before.
    ///
    /// # Errors
    /// `OutageStillOpen` while something has no end for this subscription, and the other refusals.
    pub fn decide(
        &mut self,
        subscription: &Subscription,
        context: &Context<'_>,
    ) -> Result<ReasonIndex, Refusal> {
        if self.reading.outage.impacts.len() > IMPACT_LIMIT {
            return Err(Refusal::TooManyImpacts { limit: IMPACT_LIMIT });
        }
        let number = self.timeline_of(subscription, context)?;
        let seen = see(self.reading.policy, context);
        let timeline = &self.memo.timelines[number as usize];
        let view = View::new(&self.reading, subscription, context, (number, timeline), &seen);
        self.key.clear();
        view.write_key(&mut self.key);
        if let Some(index) = self.memo.decided.get(self.key.as_slice()) {
            return Ok(*index);
        }
        let reason = evaluate(&self.reading, &view)?;
        let index = self.intern(reason);
        self.memo.decided.insert(self.key.as_slice().into(), index);
        Ok(index)
    }

    /// Gives the distinct reasons so far, in the order in which they were first reached.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.memo.reasons
    }

    /// Gives how many decisions were not remembered but made.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.memo.decided.len() as u64
    }

    /// Gives one reason by its place.
    #[must_use]
    pub fn reason(&self, index: ReasonIndex) -> &Reason {
        &self.memo.reasons[index.0 as usize]
    }

    fn intern(&mut self, reason: Reason) -> ReasonIndex {
        if let Some(index) = self.memo.known_reasons.get(&reason) {
            return *index;
        }
        let count = u32::try_from(self.memo.reasons.len());
        let index = ReasonIndex(count.expect("memory ends before four billion reasons"));
        self.memo.reasons.push(reason.clone());
        self.memo.known_reasons.insert(reason, index);
        index
    }

    fn timeline_of(
        &mut self,
        subscription: &Subscription,
        context: &Context<'_>,
    ) -> Result<u32, Refusal> {
        let starts = self.reading.starts(context);
        if !self.write_group(subscription, &starts) {
            let timeline = self.reading.timeline(subscription, &starts)?;
            return Ok(self.intern_timeline(timeline));
        }
        if let Some(number) = self.memo.groups.get(self.key.as_slice()) {
            return Ok(*number);
        }
        let timeline = self.reading.timeline(subscription, &starts)?;
        let number = self.intern_timeline(timeline);
        self.memo.groups.insert(self.key.as_slice().into(), number);
        Ok(number)
    }

    fn intern_timeline(&mut self, timeline: Timeline) -> u32 {
        if let Some(number) = self.memo.known_timelines.get(&timeline) {
            return *number;
        }
        let count = u32::try_from(self.memo.timelines.len());
        let number = count.expect("memory ends before four billion timelines");
        self.memo.timelines.push(timeline.clone());
        self.memo.known_timelines.insert(timeline, number);
        number
    }

    /// Writes what timelines depend on into the key, restorations and clocks of one's own with it; false where plans change while
    /// something may be down.
    fn write_group(&mut self, subscription: &Subscription, starts: &[Start]) -> bool {
        let Subscription { id, service, class, cohort, periods, .. } = subscription;
        let Some(started) = self.reading.started else { return false };
        self.key.clear();
        let mut last_end = self.last_end;
        let impacts = self.reading.outage.impacts.iter();
        for (place, impact) in (0_u16..).zip(impacts) {
            if let Some(own) = impact.restored_subscriptions.get(id) {
                self.key.extend(place.to_be_bytes());
                self.key.extend(own.as_nanosecond().to_be_bytes());
                last_end = last_end.map(|end| end.max(*own));
            }
        }
        self.key.extend(u16::MAX.to_be_bytes());
        let covers = |period: &&crate::facts::Period| {
            let to_the_end = match (period.window.to, last_end) {
                (None, _) => true,
                (Some(to), Some(last)) => to >= last,
                (Some(_), None) => false,
            };
            period.window.from <= started && to_the_end
        };
        let Some(period) = periods.iter().find(covers) else { return false };
        write_text(&mut self.key, service);
        write_text(&mut self.key, cohort.as_deref().unwrap_or(""));
        write_text(&mut self.key, &period.plan);
        self.key.extend([u8::from(cohort.is_some()), class_byte(*class)]);
        if self.reading.policy.sees.start {
            self.key.extend(self.reading.started_on(subscription).to_be_bytes());
        }
        for start in starts {
            match start {
                Start::WithTheOutage => self.key.push(0),
                Start::Never => self.key.push(1),
                Start::At(instant) => {
                    self.key.push(2);
                    self.key.extend(instant.as_nanosecond().to_be_bytes());
                }
            }
        }
        if let Some(fee) = period.fee.filter(|_| self.reading.policy.sees.fee) {
            self.key.extend(fee.minor.to_be_bytes());
            self.key.extend(fee.currency.code().bytes());
            self.key.push(match period.fee_period {
                FeePeriod::Month => 1,
                FeePeriod::Year => 2,
            });
            if self.reading.policy.sees.fee_term {
                self.key.extend(period.window.from.as_nanosecond().to_be_bytes());
            }
        }
        true
    }
}

fn class_byte(class: Class) -> u8 {
    match class {
        Class::Principal => 1,
        Class::Accessory => 2,
        Class::Free => 3,
    }
}

/// Gives the latest end of all impacts and cohorts; none while one of them is open.
fn last_end(outage: &Outage) -> Option<Instant> {
    let mut last = Instant::MIN;
    for impact in &outage.impacts {
        last = last.max(impact.window.to?);
        last = impact.restored_cohorts.values().fold(last, |last, end| last.max(*end));
    }
    Some(last)
}
