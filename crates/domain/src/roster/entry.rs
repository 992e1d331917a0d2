//! What the roster knows of a subscription: the row of an import, and the parts that it is made of.

use std::fmt;
use std::sync::Arc;

use crate::facts::{Class, FeePeriod, Segment};
use crate::money::Money;
use crate::time::Instant;

/// What many subscriptions have in common. The fee is none on a free plan.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Profile {
    /// The service, such as `libero-mail`.
    pub service: String,
    /// The plan, such as `plus-5gb`.
    pub plan: String,
    /// Consumer or business.
    pub segment: Segment,
    /// The service's class.
    pub class: Class,
    /// The group of mailboxes that is restored together.
    pub cohort: Option<String>,
    /// The fee for one `fee_period`.
    pub fee: Option<Money>,
    /// The period that the fee is for.
    pub fee_period: FeePeriod,
}

/// How a subscriber is reached. Personal data: it stands in subscriber events alone and is never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Contact {
    /// The address that notices go to.
    pub email: Option<String>,
    /// The phone number in E.164 form.
    pub phone: Option<String>,
    /// The language as a BCP 47 tag: it, en, de.
    pub locale: Option<String>,
}

/// Where a subscriber is paid. Personal data: it stands in subscriber events alone and is never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payee {
    /// The account, without blanks, in upper case.
    pub iban: String,
    /// The account's holder.
    pub name: String,
}

/// One row of an import: a subscription on one plan for a stretch of time, and the person who has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportRow {
    /// The provider's subscription id, unique within its subscriber.
    pub subscription: String,
    /// The provider's subscriber id.
    pub subscriber: String,
    /// What it is. Shared, since a few profiles serve millions of rows.
    pub profile: Arc<Profile>,
    /// When the plan began; whole seconds.
    pub valid_from: Instant,
    /// When it ended; none while it runs.
    pub valid_to: Option<Instant>,
    /// How the subscriber is reached.
    pub contact: Contact,
    /// Where the subscriber is paid, where known.
    pub payee: Option<Payee>,
}

// Events and commands are printed by tests and tools; these two never show what they hold.
impl fmt::Debug for Contact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Contact(..)")
    }
}

impl fmt::Debug for Payee {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Payee(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_not_printed() {
        let payee = Payee { iban: "IT60X0542811101000000123456".into(), name: "Ada".into() };
        assert_eq!(format!("{payee:?}"), "Payee(..)");
        let contact = Contact { email: Some("ada@example.org".into()), ..Contact::default() };
        assert_eq!(format!("{contact:?}"), "Contact(..)");
    }
}
