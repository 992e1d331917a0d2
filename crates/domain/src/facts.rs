//! What a policy may see: a subscription with its history, and an outage with its windows.
//!
//! The same shapes serve the case files, the roster's rows and the scan, so that all of them decide alike.

use std::collections::BTreeMap;

use crate::money::Money;
use crate::time::{Instant, Window};
use jiff::civil::Date;

/// Consumer or business.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Segment {
    /// A natural person outside trade.
    Consumer,
    /// Everyone else.
    Business,
}

/// How essential a service or component is to its user.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// The service itself.
    Principal,
    /// An accessory service.
    Accessory,
    /// A service without a fee.
    Free,
}

/// The period that a fee is due for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FeePeriod {
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

/// A stretch of time on one plan. The fee is none on a free plan.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Period {
    /// The plan's id, such as `plus-5gb`.
    pub plan: String,
    /// The fee for one `fee_period`.
    pub fee: Option<Money>,
    /// The period that the fee is for.
    pub fee_period: FeePeriod,
    /// When the plan was in force.
    pub window: Window,
}

/// A subscription as a policy sees it: a history, not a state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subscription {
    /// The provider's own id, unique within its subscriber.
    pub id: String,
    /// The service, such as `libero-mail`.
    pub service: String,
    /// Consumer or business.
    pub segment: Segment,
    /// The service's class; it wins over the component's where it is free or accessory.
    pub class: Class,
    /// The group of mailboxes that is restored together.
    pub cohort: Option<String>,
    /// Storage before any grant, in bytes, where known.
    pub quota_bytes: Option<u64>,
    /// The last day of the paid term, where known.
    pub term_end: Option<Date>,
    /// Whether payments are overdue.
    pub in_arrears: bool,
    /// Plans over time, ordered, not overlapping.
    pub periods: Vec<Period>,
}

/// What is known of a subscription beside its plans; the default is a subscription of which nothing is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Account {
    /// Whether payments are overdue.
    pub in_arrears: bool,
    /// The date of the oldest invoice that is unpaid.
    pub unpaid_since: Option<Date>,
    /// Storage before any grant, in bytes.
    pub quota_bytes: Option<u64>,
    /// The last day of the paid term.
    pub term_end: Option<Date>,
}

impl Subscription {
    /// Takes over what is known of its account; invoices are no part of a subscription.
    pub fn put_account(&mut self, account: Account) {
        let Account { in_arrears, unpaid_since: _, quota_bytes, term_end } = account;
        (self.in_arrears, self.quota_bytes, self.term_end) = (in_arrears, quota_bytes, term_end);
    }
}

/// How badly a component is affected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// It works badly.
    Degraded,
    /// It does not work at all.
    Total,
}

/// Why an outage happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cause {
    /// A fault of the operator; also what is assumed until a cause is determined.
    Fault,
    /// Planned work.
    Planned,
    /// Force majeure.
    ForceMajeure,
    /// The customer's own doing.
    Customer,
}

/// One component that fails for everyone, for a service or for a cohort, until it is restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Impact {
    /// The service that is hit; none for all.
    pub service: Option<String>,
    /// What fails: mailbox, webmail, imap, ios-app.
    pub component: String,
    /// How badly.
    pub severity: Severity,
    /// The cohort that is hit; none for all.
    pub cohort: Option<String>,
    /// When it began, and when it ended for those whom nothing below names.
    pub window: Window,
    /// Ends of single cohorts.
    pub restored_cohorts: BTreeMap<String, Instant>,
    /// Ends of single subscriptions, by the provider's subscription id.
    pub restored_subscriptions: BTreeMap<String, Instant>,
}

/// An outage as a policy sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outage {
    /// The outage's id.
    pub id: String,
    /// Why it happened.
    pub cause: Cause,
    /// When the necessary works after a calamity were done.
    pub works_done_at: Option<Instant>,
    /// Whether the operator declared it, which counts as reported by everyone.
    pub declared: bool,
    /// When the operator declared it; none where it did not, or where that is not known.
    pub declared_at: Option<Instant>,
    /// What failed, in any order.
    pub impacts: Vec<Impact>,
}

/// An impact as one subscription felt it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FeltImpact {
    /// What failed.
    pub component: String,
    /// How badly.
    pub severity: Severity,
    /// When, for this subscription.
    pub window: Window,
}

impl Outage {
    /// Gives the impacts that hit the subscription, each ending when it ended for that subscription. Sorted.
    ///
    /// An impact that was over before it began for this subscription is left out.
    #[must_use]
    pub fn felt_by(
        &self,
        service: &str,
        cohort: Option<&str>,
        subscription: &str,
    ) -> Vec<FeltImpact> {
        let mut felt: Vec<FeltImpact> = self
            .impacts
            .iter()
            .filter(|impact| impact.hits(service, cohort))
            .filter_map(|impact| {
                let to = impact.end_for(cohort, subscription);
                let window = Window::new(impact.window.from, to).ok()?;
                let component = impact.component.clone();
                Some(FeltImpact { component, severity: impact.severity, window })
            })
            .collect();
        felt.sort();
        felt
    }
}

impl Impact {
    /// Says whether the impact is about a service and cohort.
    #[must_use]
    pub fn hits(&self, service: &str, cohort: Option<&str>) -> bool {
        let of_service = self.service.as_deref().is_none_or(|name| name == service);
        of_service && (self.cohort.is_none() || self.cohort.as_deref() == cohort)
    }

    /// Gives the end for one subscription: its own, else its cohort's, else everyone's.
    #[must_use]
    pub fn end_for(&self, cohort: Option<&str>, subscription: &str) -> Option<Instant> {
        let own = self.restored_subscriptions.get(subscription);
        let of_cohort = || cohort.and_then(|name| self.restored_cohorts.get(name));
        own.or_else(of_cohort).copied().or(self.window.to)
    }
}
