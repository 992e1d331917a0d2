//! The policy engine: versioned rules from a TOML file, applied to subscriptions of an outage.
//!
//! The way of a decision: windows -> `interruption` -> `count` (one way of counting, one file) -> `timeline` ->
//! `view` -> `gates` -> `amount` (one formula, one file) -> `sheet` -> reason.

mod amount;
mod as_if;
#[cfg(test)]
mod as_if_tests;
mod calendar;
mod caps;
pub mod case;
#[cfg(test)]
mod clock_tests;
mod condition;
mod context;
mod conventions;
mod count;
pub mod digest;
mod error;
mod evaluate;
mod evaluator;
#[cfg(test)]
mod example_tests;
mod exclusions;
mod faults;
mod fields;
mod file;
#[cfg(test)]
mod file_tests;
mod gates;
mod interest;
mod interruption;
#[cfg(test)]
mod laws;
mod minimum;
mod overlap;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod payment_tests;
mod reader;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod regime_tests;
mod rule;
mod shares;
mod sheet;
mod shipped;
mod suggest;
mod timeline;
mod view;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use amount::{
    Amount, ByDistance, ByIndex, FeeShare, PerUnit, Quota, QuotaBase, Term, UptimeCredit,
    UptimeTerm,
};
pub use as_if::{AsIf, NotApplicable};
pub use calendar::Calendar;
pub use caps::{Cap, CapPer, Most};
pub use condition::Condition;
pub use context::{Activation, Claim, Context, Granted, Journey};
pub use conventions::{Accessory, Block, Conventions, DayCount, Overrides, RestorationDay};
pub use count::{Clock, Count, Counted, Grace, HourBlock, TimeUnit, Unit, UptimeOf, UptimePeriod};
pub use error::{PolicyError, Refusal};
pub use evaluator::{Evaluator, IMPACT_LIMIT, Memo, ReasonIndex};
pub use exclusions::{Exclusions, Notice, Planned};
pub use fields::{
    Concurrence, Cover, Deadline, ForceMajeure, Grade, Rounding, RoundingPoint, Trigger,
    TriggerMode, VersionSelector,
};
pub use interest::{Interest, LegalRates};
pub use minimum::{Below, MinimumPayout};
pub use rule::{Fund, Multiplier, PaysIn, Rule};
pub use shares::Shares;
pub use shipped::{Shipped, shipped};

use crate::facts::Class;
use crate::money::{Currency, Money};
use crate::remedy::RemedyKind;

/// A policy: rules, and how they read what happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    id: String,
    version: String,
    title: String,
    source: String,
    valid_from: Date,
    valid_to: Option<Date>,
    zone: TimeZone,
    currency: Currency,
    version_selector: VersionSelector,
    free_plans: Vec<String>,
    components: BTreeMap<String, Class>,
    rounding: Rounding,
    trigger: Trigger,
    exclusions: Exclusions,
    conventions: Conventions,
    concurrence: BTreeMap<RemedyKind, Concurrence>,
    settlement: Option<Settlement>,
    multiplier: Option<Multiplier>,
    interest: Option<Interest>,
    minimum_payout: Option<MinimumPayout>,
    shares: Option<Shares>,
    caps: Vec<Cap>,
    conditions: Vec<Condition>,
    rules: Vec<Rule>,
    sees: view::Sees,
    /// Whether amounts are in the currency of the fees: never as the file is read, only as if it were for other people.
    follows_fees: bool,
}

/// The key in `[components]` that stands for every component that is not named.
const OTHER_COMPONENTS: &str = "*";

/// How what is owed is settled. It changes no amount; payout and notices read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// By what: `invoice_credit`, `transfer`, `voucher`, `provisioning`.
    pub by: SettledBy,
    /// Within how many days, or on the first invoice after so many.
    pub days: u32,
    /// What exceeds the invoice by more than this is paid out on request.
    pub payable_above: Option<Money>,
    /// Where the rule comes from.
    pub source: String,
}

/// By what a remedy is settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettledBy {
    /// A credit on an invoice.
    InvoiceCredit,
    /// A transfer.
    Transfer,
    /// A voucher.
    Voucher,
    /// The systems that keep storage and terms.
    Provisioning,
}

impl Policy {
    /// Reads a policy file. `file` is its name in messages.
    ///
    /// # Errors
    /// Every fault of the file, in its order, with line, column and what to write instead.
    pub fn parse(file: &str, text: &str) -> Result<Policy, Vec<PolicyError>> {
        file::parse(file, text)
    }

    /// Gives the id, such as `agcom-347-18`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Gives the version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Gives the title for people.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Gives where the policy comes from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Gives the first day on which it is in force.
    #[must_use]
    pub fn valid_from(&self) -> Date {
        self.valid_from
    }

    /// Gives the first day on which it is no longer in force.
    #[must_use]
    pub fn valid_to(&self) -> Option<Date> {
        self.valid_to
    }

    /// Gives the zone whose local days are counted.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Gives the currency of all its amounts.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Gives the rules in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Gives the readings of what the sources leave open.
    #[must_use]
    pub fn conventions(&self) -> &Conventions {
        &self.conventions
    }

    /// Gives how what is owed is settled.
    #[must_use]
    pub fn settlement(&self) -> Option<&Settlement> {
        self.settlement.as_ref()
    }

    /// Says whether what is below the minimum payout is carried over to the next assessment.
    #[must_use]
    pub fn carries_over(&self) -> bool {
        self.sees.carried
    }

    /// Gives the same policy with a case's own readings.
    #[must_use]
    pub fn with_overrides(&self, by: &Overrides) -> Policy {
        let (conventions, rounding) = self.conventions.overridden(self.rounding, by);
        Policy { conventions, rounding, ..self.clone() }
    }

    /// Says whether two versions of one policy are in force on the same day.
    #[must_use]
    pub fn overlaps(&self, other: &Policy) -> bool {
        let ends_before =
            |one: &Policy, next: &Policy| one.valid_to.is_some_and(|end| end <= next.valid_from);
        self.id == other.id && !ends_before(self, other) && !ends_before(other, self)
    }

    fn is_in_force(&self, day: Date) -> bool {
        day >= self.valid_from && self.valid_to.is_none_or(|end| day < end)
    }

    /// Gives the class of a component: its own, or that of all others.
    fn class_of(&self, component: &str) -> Option<Class> {
        let other = || self.components.get(OTHER_COMPONENTS);
        self.components.get(component).or_else(other).copied()
    }

    fn concurrence_with(&self, kind: RemedyKind) -> Concurrence {
        self.concurrence.get(&kind).copied().unwrap_or(Concurrence::SetOff)
    }
}
