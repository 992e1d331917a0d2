//! What one subscription is owed and why: typed grants, and the reason that explains them line by line.

use crate::money::Money;
use jiff::civil::Date;

/// The legal nature of a remedy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RemedyKind {
    /// A fixed amount because of the disservice, without proof of harm (indennizzo).
    Indemnity,
    /// The price of a paid service, given back in proportion (rimborso).
    Refund,
    /// Compensation for harm that the user proves (risarcimento).
    Damages,
    /// What the provider gives of its own accord (ristoro).
    Goodwill,
}

/// Who bears a remedy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Payer {
    /// The operator of the service.
    Operator,
    /// A fund for exceptional events.
    Fund,
}

/// What is given. Amounts are positive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Grant {
    /// Money, by transfer or on an invoice.
    Money(Money),
    /// Service credits.
    Credit(Money),
    /// A voucher of a value.
    Voucher(Money),
    /// A longer term of the contract: calendar months (end-of-month clamp), then days.
    Term {
        /// Calendar months added.
        months: u32,
        /// Days added.
        days: u32,
        /// The new last day, where the old one is known.
        new_end: Option<Date>,
    },
    /// More storage: the new total in bytes.
    Quota {
        /// The new total.
        bytes: u64,
    },
}

/// One thing that a subscription is owed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Remedy {
    /// Its legal nature.
    pub kind: RemedyKind,
    /// What is given.
    pub grant: Grant,
    /// Who bears it.
    pub payer: Payer,
}

/// One line of a reason: which rule counted what, at which rate, to which amount.
///
/// The amounts of the lines sum to the remedies. It names local days and units, never seconds, so that people with
/// the same days share one reason.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TraceLine {
    /// The rule's id in the policy file.
    pub rule: String,
    /// Where the rule comes from: regulation, article, page.
    pub source: String,
    /// What is counted or found, in words: `total outage of mailbox, local days 2023-01-23 to 2023-01-27`.
    pub text: String,
    /// How many units, as an exact decimal; empty where nothing is counted.
    pub quantity: String,
    /// The unit that is counted: `local_day`, `hour_block`, `minute`; empty where nothing is counted.
    pub unit: String,
    /// The rate for one unit, as an exact decimal; empty where there is none.
    pub rate: String,
    /// The exact amount before rounding, as a decimal or fraction; empty where there is none.
    pub before_rounding: String,
    /// What this line adds; negative for a cap or a set-off; none for a line that only explains.
    pub amount: Option<Money>,
    /// Why this line gives nothing, in UPPER_SNAKE (`NOT_REPORTED`); empty where it gives something.
    pub excluded: String,
}

/// What a minimum payout moves from one assessment to the next, of one legal nature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Carried {
    /// The legal nature.
    pub kind: RemedyKind,
    /// What was carried over from before, and counts here.
    pub before: Money,
    /// What is carried over to the next one.
    pub left: Money,
}

/// Why somebody is owed what they are owed, or nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Reason {
    /// What is owed; empty for nothing. Sorted, one per (kind, grant type, currency, payer).
    pub remedies: Vec<Remedy>,
    /// The lines that lead there; never empty.
    pub trace: Vec<TraceLine>,
    /// What is carried over, by its legal nature; empty for most.
    pub carried: Vec<Carried>,
}

impl Grant {
    /// Gives the amount where the grant is money, credit or a voucher.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        match self {
            Grant::Money(money) | Grant::Credit(money) | Grant::Voucher(money) => Some(*money),
            Grant::Term { .. } | Grant::Quota { .. } => None,
        }
    }

    /// Gives the grant's type as it is written in files and tables.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Grant::Money(_) => "money",
            Grant::Credit(_) => "credit",
            Grant::Voucher(_) => "voucher",
            Grant::Term { .. } => "term",
            Grant::Quota { .. } => "quota",
        }
    }
}

impl RemedyKind {
    /// Gives the kind as it is written in files and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RemedyKind::Indemnity => "indemnity",
            RemedyKind::Refund => "refund",
            RemedyKind::Damages => "damages",
            RemedyKind::Goodwill => "goodwill",
        }
    }
}

impl Payer {
    /// Gives the payer as it is written in files and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Payer::Operator => "operator",
            Payer::Fund => "fund",
        }
    }
}
