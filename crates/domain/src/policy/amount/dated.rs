//! Rates over time: one that always holds, a table of dates, or a base that an index raises.
//!
//! A table has no hole: each line holds until the next begins. An index raises the rounded figure of the step before.

use jiff::civil::Date;

use crate::money::{Currency, Money};
use crate::policy::fields::{Grade, ROUNDING_MODES};
use crate::policy::reader::Section;
use crate::rounding::{Exact, RoundingMode};

/// The rates of free, accessory, degraded and total units from a day on, in the order of `Grade::ALL`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Step {
    /// The first day.
    pub from: Date,
    /// The rates.
    pub rates: [Money; 4],
    /// What is doubtful about them.
    pub remark: Option<String>,
}

/// Rates over time, by their first days.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dated {
    steps: Vec<Step>,
}

const EXAMPLE: &str = "[{ from = 2019-04-01, each = \"8.00\" }]";

impl Dated {
    /// Reads the rates of a section: beside `formula`, or in `rates` or `indexed`.
    pub(super) fn read(
        section: &Section<'_, '_>,
        currency: Currency,
        has_grades: bool,
    ) -> Option<Dated> {
        let tables = section.sections("rates", EXAMPLE);
        let indexed = section.optional_section("indexed", "{ from = 2019-04-01, each = \"8.00\" }");
        match (tables.is_empty(), indexed) {
            (true, None) => {
                let rates = read_rates(section, currency, has_grades)?;
                Some(Dated { steps: vec![Step { from: Date::MIN, rates, remark: None }] })
            }
            (false, None) => read_table(tables, currency, has_grades),
            (true, Some(indexed)) => read_indexed(indexed, currency, has_grades),
            (false, Some(_)) => {
                let what = "\"rates\" and \"indexed\" stand beside each other";
                section.fault("indexed", what, "keep one of the two");
                None
            }
        }
    }

    /// Gives the rates that hold on a day; none before the first.
    pub(super) fn on(&self, day: Date) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.from <= day)
    }

    /// Lets the rates of a day hold always; where none hold on it, they stay as they are.
    pub(super) fn hold_at(&mut self, day: Date) {
        if let Some(step) = self.on(day).cloned() {
            self.steps = vec![Step { from: Date::MIN, ..step }];
        }
    }

    /// Gives the first day with a rate.
    pub(crate) fn first_day(&self) -> Option<Date> {
        self.steps.first().map(|step| step.from)
    }
}

fn read_table(tables: Vec<Section<'_, '_>>, currency: Currency, has_grades: bool) -> Option<Dated> {
    let mut steps: Vec<Step> = Vec::new();
    let mut ends: Option<Date> = None;
    let (count, mut sound) = (tables.len(), true);
    for (place, table) in tables.into_iter().enumerate() {
        let from = table.date("from", "2019-04-01");
        let to = table.optional_date("to", "2021-04-01");
        let remark = table.optional_text("remark", "\"from memory\"").map(str::to_owned);
        let rates = read_rates(&table, currency, has_grades);
        let last = place + 1 == count;
        if last && let Some(to) = to {
            let what = format!("the rates end on {to} and nothing follows");
            table.fault("to", what, "remove \"to\", or write what follows");
        }
        if let Some((from, end)) = from.zip(ends.filter(|end| Some(*end) != from)) {
            let what = if end < from { "a hole" } else { "an overlap" };
            let what = format!("there is {what} between the rates until {end} and from {from}");
            table.fault("from", what, format!("write from = {end}"));
        }
        if let Some((from, before)) = from.zip(steps.last().map(|step| step.from))
            && from <= before
        {
            let what = format!("the rates from {from} stand after those from {before}");
            table.fault("from", what, "order them by their first day");
        }
        table.finish();
        ends = to;
        match from.zip(rates) {
            Some((from, rates)) => steps.push(Step { from, rates, remark }),
            None => sound = false,
        }
    }
    sound.then_some(Dated { steps })
}

fn read_indexed(section: Section<'_, '_>, currency: Currency, has_grades: bool) -> Option<Dated> {
    let from = section.date("from", "2019-04-01");
    let rounding = section.choice("rounding", ROUNDING_MODES);
    let rates = read_rates(&section, currency, has_grades);
    let tables = section.sections("steps", "[{ from = 2021-04-01, percent = \"0.7\" }]");
    let mut steps = Vec::new();
    if let Some((from, rates)) = from.zip(rates) {
        steps.push(Step { from, rates, remark: None });
    }
    for table in tables {
        let from = table.date("from", "2021-04-01");
        let percent = table.decimal("percent", "\"0.7\"");
        let remark = table.optional_text("remark", "\"from memory\"").map(str::to_owned);
        let before = steps.last();
        if let Some((from, before)) = from.zip(before.map(|step| step.from))
            && from <= before
        {
            let what = format!("the index of {from} stands after that of {before}");
            table.fault("from", what, "order them by their first day");
        }
        let raised = before
            .zip(percent)
            .zip(rounding)
            .and_then(|((before, percent), rounding)| raise(before.rates, percent, rounding));
        if percent.is_some() && before.is_some() && rounding.is_some() && raised.is_none() {
            table.fault("percent", "the raised rate is out of range", "write a smaller percent");
        }
        table.finish();
        if let Some((from, rates)) = from.zip(raised) {
            steps.push(Step { from, rates, remark });
        }
    }
    section.finish();
    (rounding.is_some() && !steps.is_empty()).then_some(Dated { steps })
}

/// Raises rounded figures by a percentage and rounds again.
fn raise(rates: [Money; 4], percent: Exact, rounding: RoundingMode) -> Option<[Money; 4]> {
    let factor = percent.over(100).ok()?.plus(Exact::ONE).ok()?;
    let mut raised = rates;
    for rate in &mut raised {
        rate.minor = Exact::whole(rate.minor).times(factor).ok()?.round(rounding).ok()?;
    }
    Some(raised)
}

/// Reads either `each`, or a rate for every grade: a grade without a rate would be a silent nothing.
fn read_rates(
    section: &Section<'_, '_>,
    currency: Currency,
    has_grades: bool,
) -> Option<[Money; 4]> {
    let names = Grade::ALL.map(Grade::name);
    let by_grade = names.map(|name| section.optional_money(name, currency));
    let each = section.optional_money("each", currency);
    let unread = |key: &str, rate: Option<Money>| rate.is_none() && section.has(key);
    let mut all = names.into_iter().zip(by_grade).chain([("each", each)]);
    if all.any(|(key, rate)| unread(key, rate)) {
        return None; // The wrong figure is a fault already; that it covers nothing would be a second one.
    }
    let fault = |key, what, fix| {
        section.fault(key, what, fix);
        None
    };
    match (each, by_grade) {
        (Some(each), [None, None, None, None]) => Some([each; 4]),
        (None, [Some(free), Some(accessory), Some(degraded), Some(total)]) if has_grades => {
            Some([free, accessory, degraded, total])
        }
        (Some(_), _) => {
            fault("each", "\"each\" stands beside rates of grades", "keep one of the two")
        }
        (None, _) if has_grades => {
            let what = "the rates do not cover every grade: free, accessory, degraded, total";
            fault("formula", what, "write all four rates, or each = \"6.00\"")
        }
        (None, _) => {
            fault("formula", "this count has no grades", "write one rate: each = \"2.50\"")
        }
    }
}
