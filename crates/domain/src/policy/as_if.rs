//! A policy as if it had been written for an outage: what would a rule for electricity have given for mailboxes?
//!
//! Nothing is hidden: whatever is bent so that the policy applies is named, and what cannot be bent is refused with its
//! reason. Figures and currencies stay as they are. A fee keeps its own currency, and nothing is ever converted.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::Policy;
use super::amount::Amount;
use super::condition::Condition;
use super::count::Clock;
use super::error::Refusal;
use super::fields::{Grade, TriggerMode, VersionSelector};
use super::view::View;
use crate::facts::{Class, Outage};

/// A policy and an outage that fit each other, and what is taken for granted for that.
#[derive(Clone, PartialEq, Debug)]
pub struct AsIf {
    /// The policy.
    pub policy: Policy,
    /// The outage.
    pub outage: Outage,
    /// What is taken for granted, in words; empty where the policy was written for such an outage.
    pub assumptions: Vec<String>,
}

/// Why a policy cannot be applied to an outage, in words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotApplicable(String);

impl Policy {
    /// Applies the policy to an outage that it was not written for. `components` are those of the outage that stand for
    /// the policy's principal one where it knows none of them; all of them where the list is empty.
    ///
    /// # Errors
    /// `NotApplicable` where nothing that the policy counts can be found in an outage.
    pub fn as_if(&self, outage: &Outage, components: &[String]) -> Result<AsIf, NotApplicable> {
        if !self.rules.iter().any(|rule| rule.count.is_about_outage()) {
            let unit = |rule: &super::Rule| {
                format!("{}s", rule.count.unit_name(&self.conventions).replace('_', " "))
            };
            let units: BTreeSet<String> = self.rules.iter().map(unit).collect();
            let what = format!("it counts {}, not time without a service", listed(&units));
            return Err(NotApplicable(what));
        }
        let (policy, outage) = (self.clone(), outage.clone());
        let mut bent = AsIf { policy, outage, assumptions: Vec::new() };
        bent.cover(components)?;
        bent.put_in_force();
        bent.pass_services();
        bent.ask_nobody();
        bent.follow_fees();
        bent.tell_of_free_services();
        Ok(bent)
    }

    /// Gives the policy in the currency of the plan's fee, where amounts follow the fees and that makes a difference.
    pub(super) fn in_fee_currency(&self, view: &View<'_>) -> Option<Policy> {
        let fees = view.timeline.plans.iter().filter_map(|plan| plan.fee);
        let (fee, _) = fees.take(usize::from(self.follows_fees)).next()?;
        let (own, other) = (self.currency, fee.currency);
        // Where the minor digits differ, the policy's rounding would be another one: the fee is refused instead.
        let fits = own != other && own.exponent() == other.exponent();
        fits.then(|| Policy { currency: other, ..self.clone() })
    }

    /// Says whether all amounts are shares of fees, or no amounts at all.
    fn gives_shares_alone(&self) -> bool {
        let is_share = |amount: &Amount| match amount {
            Amount::FeeShare(_)
            | Amount::UptimeCredit(_)
            | Amount::Quota(_)
            | Amount::Term(_)
            | Amount::UptimeTerm(_) => true,
            Amount::PerUnit(_)
            | Amount::ByIndex(_)
            | Amount::ByDistance(_)
            | Amount::Recognised => false,
        };
        let mut caps = self.caps.iter().chain(self.rules.iter().flat_map(|rule| &rule.caps));
        self.rules.iter().all(|rule| is_share(&rule.amount))
            && caps.all(super::Cap::sees_fee)
            && self.minimum_payout.is_none()
    }
}

impl Refusal {
    /// Says whether it is the policy that does not fit, rather than the outage or the arithmetic.
    #[must_use]
    pub fn is_about_the_policy(&self) -> bool {
        match self {
            Refusal::QuotaUnknown { .. }
            | Refusal::OtherCurrency { .. }
            | Refusal::NoRate { .. }
            | Refusal::CalendarEnds { .. } => true,
            Refusal::OutageStillOpen { .. }
            | Refusal::OutOfRange { .. }
            | Refusal::OutageTooLong { .. }
            | Refusal::TooManyImpacts { .. } => false,
        }
    }
}

impl AsIf {
    fn assume(&mut self, what: String) {
        if !self.assumptions.contains(&what) {
            self.assumptions.push(what);
        }
    }

    /// Takes what failed for the policy's principal component where it knows nothing of what failed.
    fn cover(&mut self, components: &[String]) -> Result<(), NotApplicable> {
        let known = |component: &str| self.policy.class_of(component).is_some();
        if self.outage.impacts.iter().any(|impact| known(&impact.component)) {
            return Ok(());
        }
        let mut named = self.policy.components.iter();
        let principal = named.find(|(_, class)| **class == Class::Principal);
        let Some(principal) = principal.map(|(name, _)| name.clone()) else {
            return Err(NotApplicable("it knows no principal component".to_owned()));
        };
        let stands = |component: &String| components.is_empty() || components.contains(component);
        let failed = self.outage.impacts.iter().map(|impact| impact.component.clone());
        let (taken, left): (BTreeSet<String>, BTreeSet<String>) = failed.partition(stands);
        if taken.is_empty() {
            return Err(NotApplicable(format!("nothing that failed stands for its {principal}")));
        }
        self.outage.impacts.retain(|impact| taken.contains(&impact.component));
        for impact in &mut self.outage.impacts {
            impact.component.clone_from(&principal);
        }
        self.assume(format!("{} taken for {principal}", listed(&taken)));
        if !left.is_empty() {
            self.assume(format!("{} left out", listed(&left)));
        }
        Ok(())
    }

    /// Applies the policy as on the nearest day of its validity where the outage lies outside it.
    fn put_in_force(&mut self) {
        let day = |instant| self.policy.zone.to_datetime(instant).date();
        let begins = self.outage.impacts.iter().map(|impact| impact.window.from);
        let Some(first) = begins.min().map(day) else { return };
        let ends = self.outage.impacts.iter().filter_map(|impact| impact.window.to);
        let last = match self.policy.version_selector {
            VersionSelector::AccrualDay => ends.max().map_or(first, day),
            VersionSelector::ReportDate | VersionSelector::OutageStart => first,
        };
        let ended = self.policy.valid_to.filter(|end| *end <= first);
        let on = match ended {
            Some(end) => end.yesterday().unwrap_or(end),
            None if last < self.policy.valid_from => self.policy.valid_from,
            None => return,
        };
        (self.policy.valid_from, self.policy.valid_to) = (Date::MIN, None);
        for rule in &mut self.policy.rules {
            rule.amount.hold_at(on);
        }
        self.assume(format!("it applies as it did on {on}"));
    }

    /// Drops conditions on the service that name none of the outage's. An outage of all services names none, so that
    /// nothing can be said of its conditions: they stay.
    fn pass_services(&mut self) {
        let services = self.outage.impacts.iter().map(|impact| impact.service.clone());
        let Some(services) = services.collect::<Option<BTreeSet<String>>>() else { return };
        let mut dropped = Vec::new();
        let mut stays = |condition: &Condition| {
            let about_others = condition.mentions("subscription", "service")
                && !services.iter().any(|service| condition.names(service));
            if about_others {
                dropped.push(format!("taken as met: {}", condition.text));
            }
            !about_others
        };
        self.policy.conditions.retain(&mut stays);
        for rule in &mut self.policy.rules {
            rule.conditions.retain(&mut stays);
        }
        for text in dropped {
            self.assume(text);
        }
    }

    /// Lets reports, claims and opt-ins count as given by everybody, in time.
    fn ask_nobody(&mut self) {
        match self.policy.trigger.mode {
            TriggerMode::Automatic | TriggerMode::AfterReport => {}
            TriggerMode::OnClaim => self.assume("everybody claimed in time".to_owned()),
            TriggerMode::OptIn => self.assume("everybody opted in in time".to_owned()),
        }
        if self.policy.trigger.mode != TriggerMode::AfterReport {
            self.policy.trigger.mode = TriggerMode::Automatic;
        }
        let by_claim = self.policy.rules.iter_mut().filter(|rule| rule.count.clock == Clock::Claim);
        let by_claim = by_claim.map(|rule| rule.count.clock = Clock::Report).count();
        if by_claim > 0 {
            self.policy.sees.reports = true;
            self.assume("everybody claimed on the first day".to_owned());
        }
        let begins = || self.outage.impacts.iter().map(|impact| impact.window.from).min();
        if self.policy.sees.declaration && self.outage.declared_at.is_none() {
            (self.outage.declared, self.outage.declared_at) = (true, begins());
            self.assume("it was declared when it began".to_owned());
        }
        if self.policy.sees.reports && !self.outage.declared {
            self.outage.declared = true;
            self.assume("everybody reported it on the first day".to_owned());
        }
    }

    /// Lets shares of fees stay in the fees' currency, and takes fees for charges.
    fn follow_fees(&mut self) {
        if self.policy.sees.charges {
            self.assume("the fee taken for the charges".to_owned());
        }
        if !self.policy.sees.fee || !self.policy.gives_shares_alone() {
            return;
        }
        self.policy.follows_fees = true;
        self.assume("shares of a fee stay in its currency".to_owned());
        let thresholds = self.policy.rules.iter().filter_map(|rule| rule.amount.threshold());
        for threshold in thresholds.collect::<Vec<_>>() {
            self.assume(format!(
                "the threshold of {threshold} is the same figure in that currency"
            ));
        }
    }

    /// Says where services without a fee get nothing by the policy's own words: elsewhere most services have one.
    fn tell_of_free_services(&mut self) {
        let mut rules = self.policy.rules.iter().filter(|rule| rule.count.is_about_outage());
        if rules.all(|rule| !rule.count.grades[Grade::Free as usize]) {
            self.assume("services without a fee do not count".to_owned());
        }
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
