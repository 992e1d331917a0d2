//! A rate that depends on the unit's place in its row: the first blocks, the third day on, a missed appointment.
//!
//! Section 58 TKG: on the third and fourth day 5.00 EUR or 10 % of the monthly fee, whichever is more; 10.00 or 20 %
//! from the fifth on. ARERA: one amount for the first block and another for each further one.

use super::{Draft, Given, Value, day_ranges};
use crate::facts::FeePeriod;
use crate::money::{Currency, Money};
use crate::policy::count::Unit;
use crate::policy::error::Refusal;
use crate::policy::reader::Section;
use crate::rounding::{Exact, OutOfRange};

/// Rates by the units' indices, without a hole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByIndex {
    bands: Vec<Band>,
}

/// The rate of a run of indices.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Band {
    from: u32,
    /// The last index; none for all that follow.
    to: Option<u32>,
    each: Money,
    /// The percentage of the monthly fee, where that is more.
    or_percent_of_monthly_fee: Option<Exact>,
}

impl ByIndex {
    /// Reads the bands; `first` is the first index that can occur, after the grace.
    pub(super) fn read(
        section: &Section<'_, '_>,
        currency: Currency,
        first: u32,
    ) -> Option<ByIndex> {
        let tables = section.sections("bands", "[{ from = 1, each = \"34.50\" }]");
        if tables.is_empty() {
            section.fault(
                "formula",
                "there are no bands",
                "write bands = [{ from = 1, each = \"34.50\" }]",
            );
            return None;
        }
        let (count, mut bands, mut sound) = (tables.len(), Vec::new(), true);
        let mut next = Some(first);
        for (place, table) in tables.into_iter().enumerate() {
            let from = table.whole("from", "1").and_then(|from| u32::try_from(from).ok());
            let to = table.optional_whole("to", "2").and_then(|to| u32::try_from(to).ok());
            let each = table.money("each", currency);
            let percent = if table.has("or_percent_of_monthly_fee") {
                table.decimal("or_percent_of_monthly_fee", "\"10\"")
            } else {
                None
            };
            check_cover(&table, from, next);
            if place + 1 == count
                && let Some(to) = to
            {
                table.fault(
                    "to",
                    format!("what follows {to} has no rate"),
                    "remove \"to\" from the last band",
                );
            }
            next = to.and_then(|to| to.checked_add(1));
            table.finish();
            match from.zip(each) {
                Some((from, each)) => {
                    bands.push(Band { from, to, each, or_percent_of_monthly_fee: percent });
                }
                None => sound = false,
            }
        }
        sound.then_some(ByIndex { bands })
    }

    /// Says whether the monthly fee is looked at.
    pub(crate) fn sees_fee(&self) -> bool {
        self.bands.iter().any(|band| band.or_percent_of_monthly_fee.is_some())
    }

    /// Gives a line for each band and fee.
    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        let out_of_range = Refusal::out_of_range(&given.rule.id);
        let mut drafts = Vec::new();
        for band in &self.bands {
            let mut lines: Vec<(Exact, String, Vec<&Unit>)> = Vec::new();
            for unit in given.units.iter().filter(|unit| band.holds(unit.index)) {
                let fee = if band.or_percent_of_monthly_fee.is_some() {
                    given.fee_of(unit)?
                } else {
                    None
                };
                let (rate, text) = band.rate(fee).map_err(&out_of_range)?;
                match lines.iter_mut().find(|(known, _, _)| *known == rate) {
                    Some((_, _, units)) => units.push(unit),
                    None => lines.push((rate, text, vec![unit])),
                }
            }
            for (rate, text, units) in lines {
                drafts.push(line(given, rate, &text, &units)?);
            }
        }
        Ok(drafts)
    }
}

/// Notes a hole or an overlap between a band and what the bands before it left open.
fn check_cover(table: &Section<'_, '_>, from: Option<u32>, next: Option<u32>) {
    let Some(from) = from else { return };
    match next {
        Some(next) if from > next => {
            table.fault("from", format!("{next} has no rate"), format!("write from = {next}"));
        }
        Some(next) if from < next => {
            let what = format!("{from} is covered twice, or cannot occur");
            table.fault("from", what, format!("write from = {next}"));
        }
        Some(_) => {}
        None => {
            table.fault(
                "from",
                format!("{from} is covered twice"),
                "write \"to\" in the band before",
            );
        }
    }
}

fn line(given: &Given<'_>, rate: Exact, text: &str, units: &[&Unit]) -> Result<Draft, Refusal> {
    let out_of_range = Refusal::out_of_range(&given.rule.id);
    let rate = given.unit_amount(rate.times(given.factor).map_err(&out_of_range)?)?;
    let count = i64::try_from(units.len()).unwrap_or(i64::MAX);
    let exact = rate.times(Exact::whole(count)).map_err(&out_of_range)?;
    let days = day_ranges(units.iter().map(|unit| unit.day));
    let graded = crate::policy::count::has_grades(given.rule.count.what);
    let what = match units.first().filter(|_| graded) {
        Some(unit) => format!("{}, {days}", given.what_failed(unit.grade)),
        None => days,
    };
    Ok(Draft {
        text: format!("{what}{text}{}", given.factor_text),
        quantity: count.to_string(),
        unit: given.unit_name,
        rate: rate.amount(given.currency.exponent()),
        grade: None,
        value: Value::Money(exact),
    })
}

impl Band {
    fn holds(&self, index: u32) -> bool {
        index >= self.from && self.to.is_none_or(|to| index <= to)
    }

    /// Gives the exact rate, and what the trace says of it.
    fn rate(&self, fee: Option<(Money, FeePeriod)>) -> Result<(Exact, String), OutOfRange> {
        let each = Exact::whole(self.each.minor);
        let Some((percent, (fee, fee_period))) = self.or_percent_of_monthly_fee.zip(fee) else {
            return Ok((each, String::new()));
        };
        let months = match fee_period {
            FeePeriod::Month => 1,
            FeePeriod::Year => 12,
        };
        let share = Exact::whole(fee.minor).over(months)?.times(percent)?.over(100)?;
        if share.is_above(each)? {
            return Ok((
                share,
                format!("; {percent} % of the monthly fee, more than {}", self.each),
            ));
        }
        Ok((each, format!("; {} is more than {percent} % of the monthly fee", self.each)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, faults};

    const BLOCKS: &str = r#"{ formula = "by_index", bands = [{ from = 1, to = 1, each = "34.50" }, { from = 2, each = "17.25" }] }"#;

    #[test]
    fn a_unit_has_the_rate_of_its_place() {
        check(BLOCKS, "local_day", &[("total", 3)], &["34.50", "34.50"]);
        check(BLOCKS, "local_day", &[("total", 1)], &["34.50"]);
    }

    #[test]
    fn every_place_has_one_rate() {
        let bands = |text: &str| format!(r#"{{ formula = "by_index", bands = [{text}] }}"#);
        faults(BLOCKS, "local_day", &[]);
        faults(&bands(r#"{ from = 2, each = "1.00" }"#), "local_day", &["1 has no rate"]);
        faults(&bands(r#"{ from = 1, to = 2, each = "1.00" }"#), "local_day", &["what follows 2"]);
        let hole = r#"{ from = 1, to = 2, each = "1.00" }, { from = 4, each = "1.00" }"#;
        faults(&bands(hole), "local_day", &["3 has no rate"]);
        let twice = r#"{ from = 1, to = 2, each = "1.00" }, { from = 2, each = "1.00" }"#;
        faults(&bands(twice), "local_day", &["2 is covered twice"]);
        faults(&bands(""), "local_day", &["no bands"]);
    }
}
