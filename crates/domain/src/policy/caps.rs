//! The most that is given: for a unit, for one grade, in a calendar month, by a rule, by the policy.
//!
//! They are applied in this order, each on what the ones before it left; what earlier assessments gave for the same
//! outage is subtracted after all of them, so that several assessments never give more than one.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Policy;
use super::amount::{Draft, Given, Value};
use super::error::Refusal;
use super::fields::{GRADES, Grade, name_of};
use super::reader::Section;
use super::rule::{Rule, read_source};
use super::sheet::{Account, Sheet};
use super::view::View;
use crate::facts::FeePeriod;
use crate::money::{Currency, Money};
use crate::remedy::{Payer, TraceLine};
use crate::rounding::{Exact, OutOfRange};

/// The most that is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cap {
    /// The grade; none for all together.
    pub grade: Option<Grade>,
    /// How much.
    pub most: Most,
    /// For what.
    pub per: CapPer,
    /// Where it comes from.
    pub source: String,
}

/// How much is the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Most {
    /// An amount.
    Amount(Money),
    /// So many monthly fees of the plan at the outage's start; nothing is capped where there is no fee.
    MonthlyFees(u32),
}

/// What a cap is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CapPer {
    /// One unit.
    Unit,
    /// The units of a calendar month.
    Month,
    /// All of the outage.
    Outage,
}

pub(crate) const CAP_PER: &[(&str, CapPer)] =
    &[("unit", CapPer::Unit), ("month", CapPer::Month), ("outage", CapPer::Outage)];

impl Cap {
    /// Reads a rule's cap.
    pub(crate) fn read(
        section: Section<'_, '_>,
        currency: Currency,
        has_grades: bool,
    ) -> Option<Cap> {
        let grade = section.optional_choice("grade", GRADES);
        let per = section.optional_choice("per", CAP_PER).unwrap_or(CapPer::Outage);
        let most = Most::read(&section, currency);
        let source = read_source(&section);
        if grade.is_some() && !has_grades {
            section.fault("grade", "this rule's count has no grades", "remove grade");
        }
        if grade.is_some() && per == CapPer::Unit {
            section.fault("per", "a cap for a unit is for all grades", "lower the grade's rate");
        }
        section.finish();
        Some(Cap { grade, most: most?, per, source: source? })
    }

    /// Reads a cap of the whole policy.
    pub(crate) fn read_of_policy(section: Section<'_, '_>, currency: Currency) -> Option<Cap> {
        let most = Most::read(&section, currency);
        let source = read_source(&section);
        section.finish();
        Some(Cap { grade: None, most: most?, per: CapPer::Outage, source: source? })
    }

    /// Says whether the monthly fee is looked at.
    pub(crate) fn sees_fee(&self) -> bool {
        matches!(self.most, Most::MonthlyFees(_))
    }

    /// Names the cap in a trace.
    fn text(&self, most: Exact, currency: Currency) -> String {
        let amount = format!("{} {currency}", most.amount(currency.exponent()));
        let per = match self.per {
            CapPer::Unit => " each",
            CapPer::Month => " a month",
            CapPer::Outage => "",
        };
        let about = self.grade.map_or("", |grade| name_of(GRADES, &grade));
        format!("cap of {amount}{per} {about}").trim_end().to_owned()
    }
}

impl Most {
    fn read(section: &Section<'_, '_>, currency: Currency) -> Option<Most> {
        let amount = section.optional_money("amount", currency);
        let fees = section.optional_whole("monthly_fees", "3").and_then(|n| u32::try_from(n).ok());
        match (amount, fees) {
            (Some(amount), None) => Some(Most::Amount(amount)),
            (None, Some(fees)) => Some(Most::MonthlyFees(fees)),
            (Some(_), Some(_)) => {
                let what = "\"amount\" and \"monthly_fees\" stand beside each other";
                section.fault("monthly_fees", what, "keep one of the two");
                None
            }
            (None, None) if section.has("amount") || section.has("monthly_fees") => None,
            (None, None) => {
                let what = format!("{} has no \"amount\"", section.name());
                section.fault("amount", what, "write amount = \"300.00\" or monthly_fees = 3");
                None
            }
        }
    }

    /// Gives the most in minor units before any multiplier; none where there is no fee.
    fn minor(self, view: &View<'_>, policy_currency: Currency) -> Result<Option<Exact>, Refusal> {
        let fees = match self {
            Most::Amount(amount) => return Ok(Some(Exact::whole(amount.minor))),
            Most::MonthlyFees(fees) => i64::from(fees),
        };
        let Some((fee, fee_period)) = view.timeline.plans.first().and_then(|plan| plan.fee) else {
            return Ok(None);
        };
        if fee.currency != policy_currency {
            return Err(Refusal::OtherCurrency {
                what: "the fee".to_owned(),
                found: fee.currency.to_string(),
                wanted: policy_currency.to_string(),
            });
        }
        let months = match fee_period {
            FeePeriod::Month => 1,
            FeePeriod::Year => 12,
        };
        let sum = Exact::whole(fee.minor).times(Exact::whole(fees));
        let sum = sum.and_then(|sum| sum.over(months));
        sum.map(Some).map_err(Refusal::out_of_range("cap"))
    }
}

impl Given<'_> {
    /// Gives one unit's amount: at most the rule's cap for a unit, rounded where units are.
    pub(crate) fn unit_amount(&self, exact: Exact) -> Result<Exact, Refusal> {
        let out_of_range = Refusal::out_of_range(&self.rule.id);
        let mut least = exact;
        for cap in self.rule.caps.iter().filter(|cap| cap.per == CapPer::Unit) {
            let most = self.most(cap)?;
            if let Some(most) = most
                && least.is_above(most).map_err(&out_of_range)?
            {
                least = most;
            }
        }
        self.rounding.unit(least).map_err(out_of_range)
    }

    fn most(&self, cap: &Cap) -> Result<Option<Exact>, Refusal> {
        let most = cap.most.minor(self.view, self.currency)?;
        let most = most.map(|most| most.times(self.factor)).transpose();
        most.map_err(Refusal::out_of_range(&self.rule.id))
    }
}

/// What a rule wrote: the day of its month, the grade and the exact amount of each line.
pub(crate) type Written = Vec<(Date, Option<Grade>, Exact)>;

/// Writes a rule's lines for the units of one month, and says what they add.
pub(crate) fn write(
    given: &Given<'_>,
    (payer, month): (Payer, Date),
    drafts: Vec<Draft>,
    sheet: &mut Sheet,
    written: &mut Written,
) -> Result<(), Refusal> {
    for draft in drafts {
        let (grade, is_money) = (draft.grade, matches!(draft.value, Value::Money(_)));
        let added = sheet.draft((given.rule, payer), draft)?;
        if is_money {
            written.push((month, grade, added));
        }
    }
    Ok(())
}

/// Writes a negative line for each cap of a rule that its lines exceed: of months first, then of the outage.
pub(crate) fn reduce(
    given: &Given<'_>,
    payer: Payer,
    written: &mut Written,
    sheet: &mut Sheet,
) -> Result<(), Refusal> {
    let Rule { caps, kind, pays_in, .. } = given.rule;
    let account = (*kind, *pays_in, payer);
    for per in [CapPer::Month, CapPer::Outage] {
        for cap in caps.iter().filter(|cap| cap.per == per) {
            let Some(most) = given.most(cap)? else { continue };
            let mut sums: BTreeMap<Option<Date>, Exact> = BTreeMap::new();
            for (month, grade, added) in written.iter() {
                if cap.grade.is_none() || cap.grade == *grade {
                    let key = (per == CapPer::Month).then_some(*month);
                    let sum = sums.entry(key).or_insert(Exact::ZERO);
                    *sum = sum.plus(*added).map_err(Refusal::out_of_range(&given.rule.id))?;
                }
            }
            for (month, sum) in sums {
                let text = format!("{}{}", cap.text(most, given.currency), given.factor_text);
                let line = line(&given.rule.id, &cap.source, text);
                let added = cut(account, (sum, most), line, sheet)?;
                take(written, (cap.grade, month), added)
                    .map_err(Refusal::out_of_range(&given.rule.id))?;
            }
        }
    }
    Ok(())
}

/// Takes what a cap cut off from what was written, from the last line that it is about: caps that follow see what is left.
fn take(
    written: &mut Written,
    (grade, month): (Option<Grade>, Option<Date>),
    cut: Exact,
) -> Result<(), OutOfRange> {
    let mut left = Exact::ZERO.minus(cut)?;
    for (of_month, of_grade, amount) in written.iter_mut().rev() {
        let is_cut =
            (grade.is_none() || grade == *of_grade) && month.is_none_or(|one| one == *of_month);
        if is_cut && left != Exact::ZERO {
            let part = if left.is_above(*amount)? { *amount } else { left };
            *amount = amount.minus(part)?;
            left = left.minus(part)?;
        }
    }
    Ok(())
}

/// Writes negative lines where all rules together exceed a cap of the policy.
pub(crate) fn reduce_all(
    policy: &Policy,
    view: &View<'_>,
    factor: Exact,
    sheet: &mut Sheet,
) -> Result<(), Refusal> {
    let out_of_range = || Refusal::out_of_range("cap");
    for cap in &policy.caps {
        let Some(most) = cap.most.minor(view, policy.currency)? else { continue };
        let mut left = most.times(factor).map_err(out_of_range())?;
        for (account, owed) in sheet.owed() {
            let owed = Exact::whole(owed);
            let line = line("cap", &cap.source, cap.text(most, policy.currency));
            let added = cut(account, (owed, left), line, sheet)?;
            let kept = owed.plus(added).map_err(out_of_range())?;
            left = left.minus(kept).map_err(out_of_range())?;
        }
    }
    Ok(())
}

/// Takes what is above the most from an account; gives what that adds, nothing where nothing is.
fn cut(
    account: Account,
    (sum, most): (Exact, Exact),
    line: TraceLine,
    sheet: &mut Sheet,
) -> Result<Exact, Refusal> {
    let reduction = most.minus(sum).map_err(Refusal::out_of_range(&line.rule))?;
    if reduction.parts().0 >= 0 {
        return Ok(Exact::ZERO);
    }
    sheet.add(account, reduction, line)
}

fn line(rule: &str, source: &str, text: String) -> TraceLine {
    TraceLine { rule: rule.to_owned(), source: source.to_owned(), text, ..TraceLine::default() }
}
