//! A one-line check for formulas.

use std::collections::{BTreeMap, BTreeSet};

use super::super::count::Count;
use super::super::faults::Source;
use super::super::fields::{GRADES, Rounding, RoundingPoint};
use super::super::reader::Section;
use super::super::timeline::{PlanSeen, Timeline};
use super::super::view::{Report, Seen, View};
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
    let plans = vec![PlanSeen { plan: "plan".to_owned(), fee: None, fee_begins: None }];
    let timeline = Timeline {
        missed: None,
        plans,
        observed: Vec::new(),
        components: BTreeMap::new(),
        too_short: BTreeSet::new(),
        started_on: 1,
    };
    let seen = Seen::default();
    let view = view(&timeline, &seen);
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
        zone: &TimeZone::UTC,
        rate_day: None,
    };
    let drafts = rule.amount.drafts(&given).unwrap();
    let values: Vec<String> = drafts.iter().map(|draft| shown(&draft.value)).collect();
    assert_eq!(values, expected);
}

/// Reads a formula for a unit and checks that each expected text is in a fault; none where none is expected.
#[track_caller]
pub(crate) fn faults(formula: &str, unit: &str, expected: &[&str]) {
    let text = format!("count = {{ unit = {unit:?} }}\namount = {formula}");
    let source = Source::new("test", &text);
    let table = toml::de::DeTable::parse(&text).unwrap();
    let section = Section::new(&source, table.get_ref(), 0..0, "test".to_owned());
    let count = Count::read(section.section("count", "").unwrap()).unwrap();
    let amount = Amount::read(section.section("amount", "").unwrap(), Currency::EUR, &count);
    let found = source.into_faults();
    assert_eq!(found.is_empty(), expected.is_empty(), "{found:?}");
    assert!(!expected.is_empty() || amount.is_some());
    for part in expected {
        assert!(
            found.iter().any(|fault| fault.what.contains(part)),
            "{part:?} is not in {found:?}"
        );
    }
}

fn rule(text: &str) -> Rule {
    let source = Source::new("test", text);
    let table = toml::de::DeTable::parse(text).unwrap();
    let section = Section::new(&source, table.get_ref(), 0..0, "test".to_owned());
    let count = Count::read(section.section("count", "").unwrap()).unwrap();
    let amount = section.section("amount", "").unwrap();
    let amount = Amount::read(amount, Currency::EUR, &count);
    assert_eq!(source.into_faults(), []);
    Rule {
        id: "test".to_owned(),
        kind: RemedyKind::Indemnity,
        payer: Payer::Operator,
        fund: None,
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
            let index = u32::try_from(units.len() + 1).unwrap();
            units.push(Unit { index, ..Unit::of_day(day, grade, 0) });
            day = day.tomorrow().unwrap();
        }
    }
    units
}

fn view<'a>(timeline: &'a Timeline, seen: &'a Seen) -> View<'a> {
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
        declared_on: None,
        joined_knowing: false,
        announced: false,
        unpaid: false,
        paid_on: None,
        seen,
        granted: &[],
        carried: &[],
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Money(exact) => exact.amount(2),
        Value::Grant(Grant::Quota { bytes }) => format!("quota {bytes}"),
        Value::Grant(other) => format!("{other:?}"),
        Value::Nothing(excluded) => (*excluded).to_owned(),
    }
}
