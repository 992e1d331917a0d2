//! What a rule gives for what it counted. One formula is one file.
//!
//! Formulas are typed: a policy file names one and its figures, and never writes an expression over money.

mod by_index;
mod dated;
mod fee_share;
pub(crate) mod fee_term;
mod journey;
mod per_unit;
mod quota;
mod recognised;
mod term;
mod tiers;
mod uptime_credit;
mod uptime_term;

use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use by_index::ByIndex;
#[cfg(test)]
pub(crate) use fee_share::BASES;
pub use fee_share::FeeShare;
pub use journey::ByDistance;
pub use per_unit::PerUnit;
pub use quota::{Quota, QuotaBase};
pub use term::Term;
pub use uptime_credit::UptimeCredit;
pub use uptime_term::UptimeTerm;

use super::count::{Count, Counted, Grace, Unit};
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
    /// A rate for each unit, by grade and time.
    PerUnit(PerUnit),
    /// A rate for each unit, by its place in its row.
    ByIndex(ByIndex),
    /// The fee of each counted day.
    FeeShare(FeeShare),
    /// More storage.
    Quota(Quota),
    /// A longer term.
    Term(Term),
    /// A percentage of charges, by uptime.
    UptimeCredit(UptimeCredit),
    /// Days of term, by uptime.
    UptimeTerm(UptimeTerm),
    /// An amount for each passenger, by distance and delay.
    ByDistance(ByDistance),
    /// The damages that were recognised.
    Recognised,
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
    /// Nothing, and the reason in UPPER_SNAKE.
    Nothing(&'static str),
}

/// What a formula is given.
#[derive(Clone, Copy)]
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
    pub zone: &'a TimeZone,
    /// The day that chooses among dated rates; none where each unit's own does.
    pub rate_day: Option<Date>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormulaName {
    PerUnit,
    ByIndex,
    FeeShare,
    Quota,
    Term,
    UptimeCredit,
    UptimeTerm,
    ByDistance,
    Recognised,
}

pub(crate) const FORMULAS: &[(&str, FormulaName)] = &[
    ("per_unit", FormulaName::PerUnit),
    ("by_index", FormulaName::ByIndex),
    ("fee_share", FormulaName::FeeShare),
    ("quota", FormulaName::Quota),
    ("term", FormulaName::Term),
    ("uptime_credit", FormulaName::UptimeCredit),
    ("uptime_term", FormulaName::UptimeTerm),
    ("by_distance", FormulaName::ByDistance),
    ("recognised", FormulaName::Recognised),
];

impl Amount {
    /// Reads the formula for what is counted. A formula that does not fit the count is refused.
    pub(crate) fn read(
        section: Section<'_, '_>,
        currency: Currency,
        count: &Count,
    ) -> Option<Amount> {
        let name = section.choice("formula", FORMULAS)?;
        let first = match count.grace {
            Grace::CalendarDays(days) => days + 1,
            Grace::None | Grace::WorkingDays(..) | Grace::Hours(_) | Grace::Minutes(_) => 1,
        };
        let amount = match name {
            FormulaName::PerUnit => {
                PerUnit::read(&section, currency, count.has_grades()).map(Amount::PerUnit)
            }
            FormulaName::ByIndex => ByIndex::read(&section, currency, first).map(Amount::ByIndex),
            FormulaName::FeeShare => FeeShare::read(&section, count.what).map(Amount::FeeShare),
            FormulaName::Quota => Quota::read(&section).map(Amount::Quota),
            FormulaName::Term => Term::read(&section).map(Amount::Term),
            FormulaName::UptimeCredit => {
                UptimeCredit::read(&section, currency).map(Amount::UptimeCredit)
            }
            FormulaName::UptimeTerm => UptimeTerm::read(&section).map(Amount::UptimeTerm),
            FormulaName::ByDistance => ByDistance::read(&section, currency).map(Amount::ByDistance),
            FormulaName::Recognised => Some(Amount::Recognised),
        };
        if !name.fits(count.what) {
            let formula = name_of_formula(name);
            let unit = super::count::unit_word(count.what);
            let what = format!("{formula:?} cannot be given for a count of {unit:?}");
            section.fault("formula", what, format!("choose a formula for {unit:?}"));
        }
        section.finish();
        amount
    }

    /// Calculates the lines.
    pub(crate) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        match self {
            Amount::PerUnit(formula) => formula.drafts(given),
            Amount::ByIndex(formula) => formula.drafts(given),
            Amount::FeeShare(formula) => formula.drafts(given),
            Amount::Quota(formula) => formula.drafts(given),
            Amount::Term(formula) => Ok(formula.drafts(given)),
            Amount::UptimeCredit(formula) => formula.drafts(given),
            Amount::UptimeTerm(formula) => formula.drafts(given),
            Amount::ByDistance(formula) => formula.drafts(given),
            Amount::Recognised => recognised::drafts(given),
        }
    }

    /// Says whether the formula looks at the fee of a plan.
    pub(crate) fn sees_fee(&self) -> bool {
        match self {
            Amount::FeeShare(_) | Amount::UptimeCredit(_) => true,
            Amount::ByIndex(formula) => formula.sees_fee(),
            Amount::PerUnit(_)
            | Amount::Quota(_)
            | Amount::Term(_)
            | Amount::UptimeTerm(_)
            | Amount::ByDistance(_)
            | Amount::Recognised => false,
        }
    }

    /// Says whether the formula looks at when the periods of a fee begin.
    pub(crate) fn sees_fee_term(&self) -> bool {
        matches!(self, Amount::FeeShare(formula) if formula.sees_term())
    }

    /// Says whether the formula looks at the subscription's storage.
    pub(crate) fn sees_quota(&self) -> bool {
        matches!(self, Amount::Quota(_))
    }

    /// Says whether the formula looks at charges.
    pub(crate) fn sees_charges(&self) -> bool {
        matches!(self, Amount::UptimeCredit(_))
    }

    /// Says whether the formula looks at the end of the paid term.
    pub(crate) fn sees_term(&self) -> bool {
        matches!(self, Amount::Term(_) | Amount::UptimeTerm(_))
    }

    /// Says whether what is given has no price, so that comparing it needs an estimate.
    pub(crate) fn needs_estimate(&self) -> bool {
        matches!(self, Amount::Quota(_) | Amount::Term(_) | Amount::UptimeTerm(_))
    }

    /// Lets the rates of a day hold always, where the rates are dated.
    pub(crate) fn hold_at(&mut self, day: Date) {
        if let Amount::PerUnit(formula) = self {
            formula.hold_at(day);
        }
    }

    /// Gives the amount that a credit has to exceed, where there is one.
    pub(crate) fn threshold(&self) -> Option<Money> {
        if let Amount::UptimeCredit(formula) = self { formula.only_above } else { None }
    }

    /// Gives the first day with a rate, where the rates are dated.
    pub(crate) fn first_day(&self) -> Option<Date> {
        match self {
            Amount::PerUnit(formula) => formula.first_day(),
            Amount::ByIndex(_)
            | Amount::FeeShare(_)
            | Amount::Quota(_)
            | Amount::Term(_)
            | Amount::UptimeCredit(_)
            | Amount::UptimeTerm(_)
            | Amount::ByDistance(_)
            | Amount::Recognised => None,
        }
    }
}

fn name_of_formula(name: FormulaName) -> &'static str {
    super::fields::name_of(FORMULAS, &name)
}

impl FormulaName {
    /// Says whether the formula makes sense for what is counted.
    fn fits(self, what: Counted) -> bool {
        let uptime = matches!(what, Counted::Uptime(_));
        match self {
            FormulaName::UptimeCredit | FormulaName::UptimeTerm => uptime,
            FormulaName::ByDistance => what == Counted::Passenger,
            FormulaName::Recognised => what == Counted::RecognisedClaim,
            FormulaName::Quota | FormulaName::Term => what == Counted::Outage,
            FormulaName::FeeShare => {
                matches!(
                    what,
                    Counted::LocalDay
                        | Counted::WorkingDay(_)
                        | Counted::Midnight
                        | Counted::RealTime(_)
                )
            }
            FormulaName::PerUnit => !uptime,
            // No minute has a place in a row that anybody could look up.
            FormulaName::ByIndex => !uptime && !matches!(what, Counted::RealTime(_)),
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
        if let Some((fee, _)) = fee {
            self.same_currency("the fee", fee)?;
        }
        Ok(fee)
    }

    /// Gives a day on which a period of the fee of a unit's plan begins.
    pub(crate) fn fee_begins(&self, unit: &Unit) -> Option<Date> {
        let seen = self.view.timeline.plans.get(usize::from(unit.plan))?;
        seen.fee_begins
    }

    /// Refuses an amount in another currency.
    pub(crate) fn same_currency(&self, what: &str, money: Money) -> Result<(), Refusal> {
        if money.currency == self.currency {
            return Ok(());
        }
        Err(Refusal::OtherCurrency {
            what: what.to_owned(),
            found: money.currency.to_string(),
            wanted: self.currency.to_string(),
        })
    }

    /// Gives the day that chooses a unit's rate.
    pub(crate) fn rate_day(&self, unit: &Unit) -> Date {
        self.rate_day.unwrap_or(unit.day)
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
