//! What a rule gives for what it counted. One formula is one file.
//!
//! Formulas are typed: a policy file names one and its figures, and never writes an expression over money.

mod fee_share;
mod per_unit;
mod quota;
mod term;

use jiff::civil::Date;

pub use fee_share::FeeShare;
pub use per_unit::PerUnit;
pub use quota::{Quota, QuotaBase};
pub use term::Term;

use super::count::Unit;
use super::error::Refusal;
use super::fields::{Grade, Rounding};
use super::reader::Section;
use super::rule::Rule;
use super::view::View;
use crate::facts::FeePeriod;
use crate::money::{Currency, Money};
use crate::remedy::Grant;
use crate::rounding::Exact;

/// A formula with its figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Amount {
    /// A rate for each unit, by grade.
    PerUnit(PerUnit),
    /// The fee of each counted day.
    FeeShare(FeeShare),
    /// More storage.
    Quota(Quota),
    /// A longer term.
    Term(Term),
}

/// A line of a reason before caps and rounding.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Draft {
    pub text: String,
    pub quantity: String,
    pub unit: &'static str,
    pub rate: String,
    /// The grade that it is about, for caps.
    pub grade: Option<Grade>,
    pub value: Value,
}

/// What a draft gives.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    /// Exact minor units of the policy's currency.
    Money(Exact),
    /// Something that is no money.
    Grant(Grant),
}

/// What a formula is given.
pub(crate) struct Given<'a> {
    pub rule: &'a Rule,
    pub view: &'a View<'a>,
    pub units: &'a [Unit],
    /// The unit's name in the trace.
    pub unit_name: &'static str,
    /// The multiplier for this subscription, and what the trace says of it.
    pub factor: Exact,
    pub factor_text: &'a str,
    pub rounding: Rounding,
    pub currency: Currency,
}

#[derive(Clone, Copy)]
pub(crate) enum FormulaName {
    FeeShare,
    PerUnit,
    Quota,
    Term,
}

pub(crate) const FORMULAS: &[(&str, FormulaName)] = &[
    ("per_unit", FormulaName::PerUnit),
    ("fee_share", FormulaName::FeeShare),
    ("quota", FormulaName::Quota),
    ("term", FormulaName::Term),
];

impl Amount {
    /// Reads the formula; `has_grades` says whether every grade needs a rate.
    pub(crate) fn read(
        section: Section<'_, '_>,
        currency: Currency,
        has_grades: bool,
    ) -> Option<Amount> {
        let amount = match section.choice("formula", FORMULAS)? {
            FormulaName::PerUnit => {
                PerUnit::read(&section, currency, has_grades).map(Amount::PerUnit)
            }
            FormulaName::FeeShare => FeeShare::read(&section).map(Amount::FeeShare),
            FormulaName::Quota => Quota::read(&section).map(Amount::Quota),
            FormulaName::Term => Term::read(&section).map(Amount::Term),
        };
        section.finish();
        amount
    }

    /// Calculates the lines.
    pub(crate) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        match self {
            Amount::PerUnit(formula) => formula.drafts(given),
            Amount::FeeShare(formula) => formula.drafts(given),
            Amount::Quota(formula) => formula.drafts(given),
            Amount::Term(formula) => Ok(formula.drafts(given)),
        }
    }

    /// Says whether the formula looks at the fee of a plan.
    pub(crate) fn sees_fee(&self) -> bool {
        match self {
            Amount::FeeShare(_) => true,
            Amount::PerUnit(_) | Amount::Quota(_) | Amount::Term(_) => false,
        }
    }

    /// Says whether the formula looks at the subscription's storage.
    pub(crate) fn sees_quota(&self) -> bool {
        matches!(self, Amount::Quota(_))
    }

    /// Says whether the formula looks at the end of the paid term.
    pub(crate) fn sees_term(&self) -> bool {
        matches!(self, Amount::Term(_))
    }

    /// Says whether what is given has no price, so that comparing it needs an estimate.
    pub(crate) fn needs_estimate(&self) -> bool {
        match self {
            Amount::Quota(_) | Amount::Term(_) => true,
            Amount::PerUnit(_) | Amount::FeeShare(_) => false,
        }
    }
}

impl Given<'_> {
    /// Names what failed at a grade: `total outage of mailbox, webmail`.
    pub(crate) fn what_failed(&self, grade: Grade) -> String {
        let head = match grade {
            Grade::Free => "outage on a free service",
            Grade::Accessory => "outage on an accessory service",
            Grade::Degraded => "degraded service",
            Grade::Total => "total outage",
        };
        let names = self.view.timeline.components.get(&grade).into_iter().flatten();
        let names: Vec<&str> = names.map(String::as_str).collect();
        if names.is_empty() { head.to_owned() } else { format!("{head}: {}", names.join(", ")) }
    }

    /// Gives the fee of the plan that was in force on a unit; none on a plan without a fee.
    pub(crate) fn fee_of(&self, unit: &Unit) -> Result<Option<(Money, FeePeriod)>, Refusal> {
        let seen = self.view.timeline.plans.get(usize::from(unit.plan));
        let fee = seen.and_then(|seen| seen.fee);
        if let Some((fee, _)) = fee.filter(|(fee, _)| fee.currency != self.currency) {
            return Err(Refusal::OtherCurrency {
                what: "the fee".to_owned(),
                found: fee.currency.to_string(),
                wanted: self.currency.to_string(),
            });
        }
        Ok(fee)
    }

    /// Multiplies by the multiplier.
    pub(crate) fn multiplied(&self, rate: Money) -> Result<Exact, Refusal> {
        let out_of_range = Refusal::out_of_range(&self.rule.id);
        Exact::whole(rate.minor).times(self.factor).map_err(out_of_range)
    }
}

/// Writes days as ranges: `2023-01-23 to 2023-01-27, 2023-02-03`. Long lists end with their count.
pub(crate) fn day_ranges(days: impl Iterator<Item = Date>) -> String {
    const LIMIT: usize = 12;
    let mut ranges: Vec<(Date, Date)> = Vec::new();
    for day in days {
        match ranges.last_mut() {
            Some((_, last)) if *last == day => {}
            Some((_, last)) if last.tomorrow().is_ok_and(|next| next == day) => *last = day,
            Some(_) | None => ranges.push((day, day)),
        }
    }
    let shown = ranges.iter().take(LIMIT).map(|(first, last)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    });
    let shown: Vec<String> = shown.collect();
    let more = match ranges.len().checked_sub(LIMIT) {
        Some(rest) if rest > 0 => format!(" and {rest} more"),
        Some(_) | None => String::new(),
    };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
pub(crate) mod testing;
