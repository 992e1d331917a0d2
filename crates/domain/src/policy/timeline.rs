//! What a policy sees of an outage's windows for one subscription: its counted units, never an instant.
//!
//! People with equal timelines are decided once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::Policy;
use super::amount::fee_term;
use super::context::Context;
use super::count::{Clock, Observed, Start};
use super::error::Refusal;
use super::fields::{ForceMajeure, Grade};
use super::interruption::{Interruption, Piece, unite};
use crate::facts::{Cause, Class, FeePeriod, Impact, Outage, Period, Severity, Subscription};
use crate::money::Money;
use crate::time::Instant;

/// The longest window, ten years: longer ones are slips of the pen, and every day of them would be counted.
const LIMIT_DAYS: i64 = 3_660;

/// The first day of a calendar month and of a calendar year.
const FIRST_DAY: Date = Date::constant(2000, 1, 1);

/// A plan in force during the outage, as far as the policy sees it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PlanSeen {
    pub plan: String,
    /// None where the policy does not look at fees.
    pub fee: Option<(Money, FeePeriod)>,
    /// A day on which a period of the fee begins; none where the policy does not look at those.
    pub fee_begins: Option<Date>,
}

/// Why nothing of an outage is left for a subscription.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Missed {
    /// No impact is about its service and cohort.
    NotAffected,
    /// What failed is nothing that the policy knows.
    ComponentNotCovered,
    /// It was over, or had not begun.
    NotSubscribed,
    /// The necessary works were not done before the end.
    ForceMajeure,
    /// Every interruption was too short.
    BelowMinimum,
}

/// The visible result of the windows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Timeline {
    /// Why nothing is left; none where something is.
    pub missed: Option<Missed>,
    /// The plans in force while something was down, by time; else the one at the start.
    pub plans: Vec<PlanSeen>,
    /// What each rule counts of the windows.
    pub observed: Vec<Observed>,
    /// The components that failed, by grade.
    pub components: BTreeMap<Grade, BTreeSet<String>>,
    /// The days on which interruptions began that were too short to count.
    pub too_short: BTreeSet<Date>,
    /// The day of the month on which the subscription began, where billing cycles begin on it; else 1.
    pub started_on: i8,
}

/// An outage as one policy reads it, made once for many subscriptions.
pub(crate) struct Reading<'a> {
    pub policy: &'a Policy,
    pub outage: &'a Outage,
    /// The class of each impact's component; none where the policy does not know it.
    classes: Vec<Option<Class>>,
    /// The names of the components, sorted.
    components: Vec<&'a str>,
    /// The first start of all impacts.
    pub started: Option<Instant>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(policy: &'a Policy, outage: &'a Outage) -> Self {
        let class = |impact: &Impact| policy.class_of(&impact.component);
        let mut components: Vec<&str> =
            outage.impacts.iter().map(|impact| impact.component.as_str()).collect();
        components.sort_unstable();
        components.dedup();
        Self {
            policy,
            outage,
            classes: outage.impacts.iter().map(class).collect(),
            components,
            started: outage.impacts.iter().map(|impact| impact.window.from).min(),
        }
    }

    /// Reads the same outage by another policy that knows the same components.
    pub(crate) fn under<'b>(&'b self, policy: &'b Policy) -> Reading<'b> {
        let (classes, components) = (self.classes.clone(), self.components.clone());
        Reading { policy, outage: self.outage, classes, components, started: self.started }
    }

    /// Makes the timeline of one subscription, for whom the rules' clocks start as `starts` says.
    pub(crate) fn timeline(
        &self,
        subscription: &Subscription,
        starts: &[Start],
    ) -> Result<Timeline, Refusal> {
        let mut missed = Missed::NotAffected;
        let mut pieces = Vec::new();
        for (impact, class) in self.outage.impacts.iter().zip(&self.classes) {
            if !impact.hits(&subscription.service, subscription.cohort.as_deref()) {
                continue;
            }
            let Some(class) = class else {
                missed = missed.max(Missed::ComponentNotCovered);
                continue;
            };
            let reached = self.cut(impact, *class, subscription, &mut pieces)?;
            missed = missed.max(reached);
        }
        Ok(self.counted((subscription, starts), pieces, missed))
    }

    /// Cuts an impact by the subscription's plans and the policy's exclusions, and says how far it came.
    fn cut(
        &self,
        impact: &Impact,
        class: Class,
        subscription: &Subscription,
        pieces: &mut Vec<Piece>,
    ) -> Result<Missed, Refusal> {
        let end = impact.end_for(subscription.cohort.as_deref(), &subscription.id);
        let covered_from = self.covered_from(impact);
        if end.is_some_and(|end| end <= impact.window.from) {
            return Ok(Missed::NotAffected);
        }
        let component = self.components.binary_search(&impact.component.as_str());
        let component = u16::try_from(component.unwrap_or(0)).unwrap_or(u16::MAX);
        let mut reached = Missed::NotSubscribed;
        for (place, period) in subscription.periods.iter().enumerate() {
            let begin = impact.window.from.max(period.window.from);
            let Some(to) = earlier(end, period.window.to) else {
                let component = impact.component.clone();
                return Err(Refusal::OutageStillOpen { component, from: impact.window.from });
            };
            if begin >= to {
                continue;
            }
            if to.duration_since(begin).as_hours() > LIMIT_DAYS * 24 {
                let component = impact.component.clone();
                let (from, limit_days) = (impact.window.from, LIMIT_DAYS);
                return Err(Refusal::OutageTooLong { component, from, limit_days });
            }
            reached = reached.max(Missed::ForceMajeure);
            let Some(begin) = covered_from.map(|from| begin.max(from)) else { continue };
            if begin < to {
                let grade = self.grade(impact, class, subscription, period);
                let plan = u16::try_from(place).unwrap_or(u16::MAX);
                pieces.push(Piece { from: begin, to, grade, plan, component });
            }
        }
        Ok(reached)
    }

    /// Gives the instant from which an impact counts; none where it does not count at all.
    fn covered_from(&self, impact: &Impact) -> Option<Instant> {
        match (self.outage.cause, self.policy.exclusions.force_majeure) {
            (Cause::ForceMajeure, ForceMajeure::UntilWorksDone) => {
                self.outage.works_done_at.map(|done| done.max(impact.window.from))
            }
            (Cause::ForceMajeure, ForceMajeure::Covered | ForceMajeure::Excluded)
            | (Cause::Fault | Cause::Planned | Cause::Customer, _) => Some(impact.window.from),
        }
    }

    fn grade(&self, impact: &Impact, class: Class, of: &Subscription, on: &Period) -> Grade {
        let free_plan = self.policy.free_plans.contains(&on.plan);
        match (of.class, class) {
            (Class::Free, _) | (Class::Principal | Class::Accessory, Class::Free) => Grade::Free,
            (Class::Principal | Class::Accessory, Class::Principal | Class::Accessory)
                if free_plan =>
            {
                Grade::Free
            }
            (Class::Accessory, Class::Principal | Class::Accessory)
            | (Class::Principal, Class::Accessory) => Grade::Accessory,
            (Class::Principal, Class::Principal) => match impact.severity {
                Severity::Degraded => Grade::Degraded,
                Severity::Total => Grade::Total,
            },
        }
    }

    /// Unites the pieces, drops what is too short and counts for each rule.
    fn counted(
        &self,
        (subscription, starts): (&Subscription, &[Start]),
        pieces: Vec<Piece>,
        missed: Missed,
    ) -> Timeline {
        let policy = self.policy;
        let conventions = &policy.conventions;
        let came_through = !pieces.is_empty();
        let is_accessory = |piece: &Piece| piece.grade == Grade::Accessory;
        let (accessory, principal): (Vec<Piece>, Vec<Piece>) =
            pieces.into_iter().partition(is_accessory);
        let mut too_short = BTreeSet::new();
        let mut kept: Vec<Interruption> = Vec::new();
        for line in [principal, accessory] {
            for interruption in unite(line, conventions.relapse_merge) {
                if interruption.counted() >= conventions.minimum {
                    kept.push(interruption);
                } else {
                    too_short.insert(policy.zone.to_datetime(interruption.from()).date());
                }
            }
        }
        let plans = self.renumber(subscription, &mut kept);
        let started_on = self.started_on(subscription);
        let observe = |(place, rule): (usize, &super::rule::Rule)| {
            let start = starts.get(place).copied().unwrap_or(Start::WithTheOutage);
            rule.count.observe(&kept, policy, started_on, start)
        };
        let missed = match (kept.is_empty(), came_through) {
            (false, _) => None,
            (true, true) => Some(Missed::BelowMinimum),
            (true, false) => Some(missed),
        };
        Timeline {
            missed,
            plans,
            observed: policy.rules.iter().enumerate().map(observe).collect(),
            components: self.names(&kept),
            too_short,
            started_on,
        }
    }

    /// Says when each rule's clock starts, as far as an instant is looked at; nothing where none is.
    pub(crate) fn starts(&self, context: &Context<'_>) -> Vec<Start> {
        if !self.policy.rules.iter().any(|rule| rule.count.sees_instant()) {
            return Vec::new();
        }
        let at = |instant: Option<Instant>| instant.map_or(Start::Never, Start::At);
        let start = |rule: &super::rule::Rule| match rule.count.clock {
            _ if !rule.count.sees_instant() => Start::WithTheOutage,
            Clock::OutageStart => Start::WithTheOutage,
            Clock::Report if self.outage.declared => Start::WithTheOutage,
            Clock::Report => at(context.reports.iter().min().copied()),
            Clock::Claim => at(context.claims.iter().map(|claim| claim.received).min()),
            Clock::Known => at(context.known_at.or(self.started)),
            Clock::Declaration => at(self.outage.declared_at),
        };
        self.policy.rules.iter().map(start).collect()
    }

    /// Gives the day of the month on which the subscription began, as far as the policy sees it.
    pub(crate) fn started_on(&self, subscription: &Subscription) -> i8 {
        let asked = subscription.periods.first().filter(|_| self.policy.sees.start);
        // Who was there all the time has no such day.
        let begun = asked.map(|period| period.window.from).filter(|from| *from > Instant::MIN);
        begun.map_or(1, |from| self.policy.zone.to_datetime(from).date().day())
    }

    /// Numbers the plans in force by time, so that plans from before the outage are not seen.
    fn renumber(&self, subscription: &Subscription, kept: &mut [Interruption]) -> Vec<PlanSeen> {
        let mut places: BTreeSet<u16> = BTreeSet::new();
        for piece in kept.iter().flat_map(|interruption| &interruption.pieces) {
            places.insert(piece.plan);
        }
        if places.is_empty() {
            return self
                .plan_at_start(subscription)
                .into_iter()
                .map(|period| self.see(period))
                .collect();
        }
        for piece in kept.iter_mut().flat_map(|interruption| &mut interruption.pieces) {
            let before = places.range(..piece.plan).count();
            piece.plan = u16::try_from(before).unwrap_or(u16::MAX);
        }
        let periods =
            places.iter().filter_map(|place| subscription.periods.get(usize::from(*place)));
        periods.map(|period| self.see(period)).collect()
    }

    fn plan_at_start<'s>(&self, subscription: &'s Subscription) -> Option<&'s Period> {
        // What is about no outage, such as an appointment, is about the plan of today.
        let started = self.started.unwrap_or(Instant::MAX);
        let begun = |period: &&Period| period.window.from <= started;
        subscription.periods.iter().rev().find(begun).or(subscription.periods.first())
    }

    fn see(&self, period: &Period) -> PlanSeen {
        let fee = period.fee.filter(|_| self.policy.sees.fee).map(|fee| (fee, period.fee_period));
        let fee_begins = fee.filter(|_| self.policy.sees.fee_term).map(|(_, fee_period)| {
            // The fee of who was there all the time is that of calendar months and years.
            let known = Some(period.window.from).filter(|from| *from > Instant::MIN);
            let day = known.map(|from| self.policy.zone.to_datetime(from).date());
            fee_term::begins(day.unwrap_or(FIRST_DAY), fee_period)
        });
        PlanSeen { plan: period.plan.clone(), fee, fee_begins }
    }

    fn names(&self, kept: &[Interruption]) -> BTreeMap<Grade, BTreeSet<String>> {
        let mut names: BTreeMap<Grade, BTreeSet<String>> = BTreeMap::new();
        for piece in kept.iter().flat_map(|interruption| &interruption.pieces) {
            if let Some(name) = self.components.get(usize::from(piece.component)) {
                names.entry(piece.grade).or_default().insert((*name).to_owned());
            }
        }
        names
    }
}

/// Gives the earlier of two ends; an open one is later than any.
fn earlier(left: Option<Instant>, right: Option<Instant>) -> Option<Instant> {
    [left, right].into_iter().flatten().max_by_key(|end| Reverse(*end))
}
