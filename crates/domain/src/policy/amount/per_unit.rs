//! A rate for each counted unit, by grade and by time.
//!
//! AGCOM 347/18/CONS, annex A: 6.00 EUR for each day of a total outage, 3.00 for each day of a degraded one. Ofcom: a
//! daily rate that changes each April.

use std::collections::BTreeMap;

use super::dated::{Dated, Step};
use super::{Draft, Given, Value, day_ranges};
use crate::money::Currency;
use crate::policy::count::Unit;
use crate::policy::error::Refusal;
use crate::policy::fields::Grade;
use crate::policy::reader::Section;
use crate::rounding::Exact;

/// A rate per unit for each grade, over time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PerUnit {
    rates: Dated,
}

impl PerUnit {
    pub(super) fn read(
        section: &Section<'_, '_>,
        currency: Currency,
        has_grades: bool,
    ) -> Option<PerUnit> {
        Dated::read(section, currency, has_grades).map(|rates| PerUnit { rates })
    }

    /// Gives the first day with a rate.
    pub(crate) fn first_day(&self) -> Option<jiff::civil::Date> {
        self.rates.first_day()
    }

    /// Lets the rates of a day hold always.
    pub(super) fn hold_at(&mut self, day: jiff::civil::Date) {
        self.rates.hold_at(day);
    }

    /// Gives a line for each grade and rate, from the highest grade and the first rate.
    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        let mut lines: BTreeMap<(std::cmp::Reverse<Grade>, &Step), Vec<&Unit>> = BTreeMap::new();
        for unit in given.units {
            let day = given.rate_day(unit);
            let Some(step) = self.rates.on(day) else {
                return Err(Refusal::NoRate { rule: given.rule.id.clone(), day });
            };
            lines.entry((std::cmp::Reverse(unit.grade), step)).or_default().push(unit);
        }
        let draft = |((grade, step), units): ((std::cmp::Reverse<Grade>, &Step), Vec<&Unit>)| {
            line(given, grade.0, step, &units)
        };
        lines.into_iter().map(draft).collect()
    }
}

fn line(given: &Given<'_>, grade: Grade, step: &Step, units: &[&Unit]) -> Result<Draft, Refusal> {
    let out_of_range = Refusal::out_of_range(&given.rule.id);
    let rate = given.multiplied(step.rates[grade as usize])?;
    let rate = given.unit_amount(rate)?;
    let count: i64 = units.iter().map(|unit| i64::from(unit.times)).sum();
    let exact = rate.times(Exact::whole(count)).map_err(&out_of_range)?;
    let days = day_ranges(units.iter().map(|unit| unit.day));
    let graded = crate::policy::count::has_grades(given.rule.count.what);
    let what = if graded { format!("{}, {days}", given.what_failed(grade)) } else { days };
    let remark = step.remark.as_ref().map_or_else(String::new, |remark| format!("; {remark}"));
    Ok(Draft {
        text: format!("{what}{}{remark}", given.factor_text),
        quantity: count.to_string(),
        unit: given.unit_name,
        rate: rate.amount(given.currency.exponent()),
        grade: graded.then_some(grade),
        value: Value::Money(exact),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, faults};

    const RATES: &str = r#"{ formula = "per_unit", free = "1.00", accessory = "2.50", degraded = "3.00", total = "6.00" }"#;

    #[test]
    fn each_grade_has_its_rate() {
        check(RATES, "local_day", &[("total", 5)], &["30.00"]);
        check(RATES, "local_day", &[("degraded", 3), ("total", 2)], &["12.00", "9.00"]);
        check(RATES, "local_day", &[("free", 5), ("accessory", 5)], &["12.50", "5.00"]);
        check(RATES, "local_day", &[], &[]);
        check(r#"{ formula = "per_unit", each = "30.00" }"#, "outage", &[("total", 1)], &["30.00"]);
    }

    /// Units begin on 23 January 2023.
    #[test]
    fn a_unit_has_the_rate_of_its_day() {
        let table = r#"{ formula = "per_unit", rates = [{ from = 2020-01-01, each = "1.00" }, { from = 2023-01-25, each = "2.00" }] }"#;
        check(table, "local_day", &[("total", 4)], &["2.00", "4.00"]);
        let indexed = r#"{ formula = "per_unit", indexed = { from = 2020-01-01, each = "25.00", rounding = "half_up", steps = [{ from = 2023-01-01, percent = "0.7" }] } }"#;
        check(indexed, "outage", &[("total", 1)], &["25.18"]);
    }

    #[test]
    fn a_table_with_a_hole_is_refused() {
        let table = |second: &str| {
            format!(
                r#"{{ formula = "per_unit", rates = [{{ from = 2020-01-01, to = 2021-01-01, each = "1.00" }}, {{ {second}, each = "2.00" }}] }}"#
            )
        };
        faults(&table("from = 2021-01-01"), "local_day", &[]);
        faults(&table("from = 2021-02-01"), "local_day", &["a hole"]);
        faults(&table("from = 2020-12-01"), "local_day", &["an overlap"]);
        faults(&table("from = 2021-01-01, to = 2022-01-01"), "local_day", &["nothing follows"]);
    }
}
