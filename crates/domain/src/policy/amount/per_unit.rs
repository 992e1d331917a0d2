//! A rate for each counted unit, by grade.
//!
//! AGCOM 347/18/CONS, annex A: 6.00 EUR for each day of a total outage, 3.00 for each day of a degraded one.

use super::{Draft, Given, Value, day_ranges};
use crate::money::{Currency, Money};
use crate::policy::count::Unit;
use crate::policy::error::Refusal;
use crate::policy::fields::Grade;
use crate::policy::reader::Section;
use crate::rounding::Exact;

/// A rate per unit for each grade.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PerUnit {
    /// The rates of free, accessory, degraded and total units, in the order of `Grade::ALL`.
    rates: [Money; 4],
}

impl PerUnit {
    /// Reads either `each`, or a rate for every grade: a grade without a rate would be a silent nothing.
    pub(super) fn read(
        section: &Section<'_, '_>,
        currency: Currency,
        has_grades: bool,
    ) -> Option<PerUnit> {
        let rate = |key| section.optional_money(key, currency);
        let by_grade = [rate("free"), rate("accessory"), rate("degraded"), rate("total")];
        let each = rate("each");
        let unread = |key, rate: Option<Money>| rate.is_none() && section.has(key);
        let names = ["free", "accessory", "degraded", "total", "each"];
        if names.into_iter().zip(by_grade.into_iter().chain([each])).any(|(k, r)| unread(k, r)) {
            return None; // The wrong figure is a fault already; that it covers nothing would be a second one.
        }
        match (each, by_grade) {
            (Some(each), [None, None, None, None]) => Some(PerUnit { rates: [each; 4] }),
            (None, [Some(free), Some(accessory), Some(degraded), Some(total)]) if has_grades => {
                Some(PerUnit { rates: [free, accessory, degraded, total] })
            }
            (Some(_), _) => {
                section.fault(
                    "each",
                    "\"each\" stands beside rates of grades",
                    "keep one of the two",
                );
                None
            }
            (None, _) if has_grades => {
                let what = "the rates do not cover every grade: free, accessory, degraded, total";
                section.fault("formula", what, "write all four rates, or each = \"6.00\"");
                None
            }
            (None, _) => {
                let what = "this count has no grades";
                section.fault("formula", what, "write one rate: each = \"2.50\"");
                None
            }
        }
    }

    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        let mut drafts = Vec::new();
        for (grade, rate) in Grade::ALL.iter().zip(&self.rates).rev() {
            let units: Vec<&Unit> =
                given.units.iter().filter(|unit| unit.grade == *grade).collect();
            if units.is_empty() {
                continue;
            }
            let out_of_range = Refusal::out_of_range(&given.rule.id);
            let rate = given.rounding.unit(given.multiplied(*rate)?).map_err(&out_of_range)?;
            let count = i64::try_from(units.len()).unwrap_or(i64::MAX);
            let exact = rate.times(Exact::whole(count)).map_err(&out_of_range)?;
            let days = day_ranges(units.iter().map(|unit| unit.day));
            let what = if given.rule.count.has_grades() {
                format!("{}, {days}", given.what_failed(*grade))
            } else {
                days
            };
            drafts.push(Draft {
                text: format!("{what}{}", given.factor_text),
                quantity: count.to_string(),
                unit: given.unit_name,
                rate: rate.amount(given.currency.exponent()),
                grade: given.rule.count.has_grades().then_some(*grade),
                value: Value::Money(exact),
            });
        }
        Ok(drafts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    const RATES: &str = r#"{ formula = "per_unit", free = "1.00", accessory = "2.50", degraded = "3.00", total = "6.00" }"#;

    #[test]
    fn each_grade_has_its_rate() {
        check(RATES, "local_day", &[("total", 5)], &["30.00"]);
        check(RATES, "local_day", &[("degraded", 3), ("total", 2)], &["12.00", "9.00"]);
        check(RATES, "local_day", &[("free", 5), ("accessory", 5)], &["12.50", "5.00"]);
        check(RATES, "local_day", &[], &[]);
        check(r#"{ formula = "per_unit", each = "30.00" }"#, "outage", &[("total", 1)], &["30.00"]);
    }
}
