//! What a rule gives for what it counted. One formula is one file.
//!
//! Formulas are typed: a policy file names one and its figures, and never writes an expression over money.

mod per_unit;
mod quota;
mod term;

use jiff::civil::Date;

pub use per_unit::PerUnit;
pub use quota::{Quota, QuotaBase};
pub use term::Term;

use super::count::Unit;
use super::error::Refusal;
use super::fields::{Grade, Rounding};
use super::reader::Section;
use super::rule::Rule;
use super::view::View;
use crate::money::{Currency, Money};
use crate::remedy::Grant;
use crate::rounding::Exact;

/// A formula with its figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Amount {
    /// A rate for each unit, by grade.
    PerUnit(PerUnit),
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
enum FormulaName {
    PerUnit,
    Quota,
    Term,
}

const FORMULAS: &[(&str, FormulaName)] = &[
    ("per_unit", FormulaName::PerUnit),
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
            Amount::Quota(formula) => formula.drafts(given),
            Amount::Term(formula) => Ok(formula.drafts(given)),
        }
    }

    /// Says whether the formula looks at the fee of a plan.
    pub(crate) fn sees_fee(&self) -> bool {
        match self {
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
            Amount::PerUnit(_) => false,
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
pub(crate) mod testing {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::count::Count;
    use super::super::fields::{GRADES, Rounding, RoundingPoint};
    use super::super::reader::{Section, Source};
    use super::super::timeline::{PlanSeen, Timeline};
    use super::super::view::{Report, View};
    use super::*;
    use crate::facts::{Class, Segment};
    use crate::remedy::{Payer, RemedyKind};
    use crate::rounding::RoundingMode;

    /// Checks a formula: its TOML, what is counted, runs of units by grade, and the exact values of its lines.
    #[track_caller]
    pub(crate) fn check(formula: &str, unit: &str, runs: &[(&str, usize)], expected: &[&str]) {
        let text = format!("count = {{ unit = {unit:?} }}\namount = {formula}");
        let rule = rule(&text);
        let units = units(runs);
        let plans = vec![PlanSeen { plan: "plan".to_owned(), fee: None }];
        let timeline = Timeline {
            missed: None,
            plans,
            units: vec![units.clone()],
            components: BTreeMap::new(),
            too_short: BTreeSet::new(),
        };
        let view = view(&timeline);
        let rounding =
            Rounding { mode: RoundingMode::HalfUp, point: RoundingPoint::Line, step_minor: 1 };
        let given = Given {
            rule: &rule,
            view: &view,
            units: &units,
            unit_name: "unit",
            factor: Exact::ONE,
            factor_text: "",
            rounding,
            currency: Currency::EUR,
        };
        let drafts = rule.amount.drafts(&given).unwrap();
        let values: Vec<String> = drafts.iter().map(|draft| shown(&draft.value)).collect();
        assert_eq!(values, expected);
    }

    fn rule(text: &str) -> Rule {
        let source = Source::new("test", text);
        let table = toml::de::DeTable::parse(text).unwrap();
        let section = Section::new(&source, table.get_ref(), 0..0, "test".to_owned());
        let count = Count::read(section.section("count", "").unwrap()).unwrap();
        let amount = section.section("amount", "").unwrap();
        let amount = Amount::read(amount, Currency::EUR, count.has_grades());
        assert_eq!(source.into_faults(), []);
        Rule {
            id: "test".to_owned(),
            kind: RemedyKind::Indemnity,
            payer: Payer::Operator,
            pays_in: super::super::rule::PaysIn::Money,
            source: "test".to_owned(),
            count,
            amount: amount.unwrap(),
            caps: Vec::new(),
            conditions: Vec::new(),
            estimate: None,
        }
    }

    fn units(runs: &[(&str, usize)]) -> Vec<Unit> {
        let mut day: Date = "2023-01-23".parse().unwrap();
        let mut units = Vec::new();
        for (name, count) in runs {
            let grade = GRADES.iter().find(|(word, _)| word == name).unwrap().1;
            for _ in 0..*count {
                units.push(Unit { day, grade, plan: 0 });
                day = day.tomorrow().unwrap();
            }
        }
        units
    }

    fn view(timeline: &Timeline) -> View<'_> {
        View {
            timeline_number: 0,
            timeline,
            service: "mail",
            segment: Segment::Consumer,
            class: Class::Principal,
            in_arrears: false,
            quota_bytes: None,
            term_end: None,
            report: Report::NotAsked,
            known_on: None,
            joined_knowing: false,
            claims: &[],
            granted: &[],
            carried: &[],
        }
    }

    fn shown(value: &Value) -> String {
        match value {
            Value::Money(exact) => exact.amount(2),
            Value::Grant(Grant::Quota { bytes }) => format!("quota {bytes}"),
            Value::Grant(other) => format!("{other:?}"),
        }
    }
}
