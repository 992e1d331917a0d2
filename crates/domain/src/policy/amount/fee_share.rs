//! The fee of each counted day, given back.
//!
//! A refund in proportion (rimborso): what was paid for days on which nothing was delivered. The base says how many
//! days the fee is spread over.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Draft, Given, Value, day_ranges};
use crate::facts::FeePeriod;
use crate::money::Money;
use crate::policy::error::Refusal;
use crate::policy::reader::Section;
use crate::rounding::{Exact, OutOfRange};

/// A day's share of the fee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeeShare {
    base: Base,
}

/// Over how many days a fee is spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Base {
    /// The days of the calendar year, 365 or 366.
    DaysInYear,
    /// The days of the calendar month.
    DaysInMonth,
    /// Months of 30 and years of 360 days.
    Thirty360,
}

const BASES: &[(&str, Base)] = &[
    ("days_in_year", Base::DaysInYear),
    ("days_in_month", Base::DaysInMonth),
    ("30_360", Base::Thirty360),
];

impl FeeShare {
    pub(super) fn read(section: &Section<'_, '_>) -> Option<FeeShare> {
        section.choice("base", BASES).map(|base| FeeShare { base })
    }

    /// Gives one line for each plan and rate; days on a plan without a fee give nothing.
    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        let out_of_range = Refusal::out_of_range(&given.rule.id);
        let mut days: BTreeMap<(u16, i128, i128), (Exact, Vec<Date>)> = BTreeMap::new();
        for unit in given.units {
            let Some((fee, fee_period)) = given.fee_of(unit)? else { continue };
            let rate = self.rate(fee, fee_period, unit.day).map_err(&out_of_range)?;
            let (numerator, denominator) = rate.parts();
            let key = (unit.plan, numerator, denominator);
            days.entry(key).or_insert_with(|| (rate, Vec::new())).1.push(unit.day);
        }
        let mut drafts = Vec::new();
        for (rate, days) in days.into_values() {
            let rate = given.unit_amount(rate.times(given.factor).map_err(&out_of_range)?)?;
            let count = i64::try_from(days.len()).unwrap_or(i64::MAX);
            let exact = rate.times(Exact::whole(count)).map_err(&out_of_range)?;
            let ranges = day_ranges(days.into_iter());
            drafts.push(Draft {
                text: format!("the fee of these days: {ranges}{}", given.factor_text),
                quantity: count.to_string(),
                unit: given.unit_name,
                rate: rate.amount(given.currency.exponent()),
                grade: None,
                value: Value::Money(exact),
            });
        }
        Ok(drafts)
    }

    /// Gives the exact fee of one day.
    fn rate(self, fee: Money, fee_period: FeePeriod, day: Date) -> Result<Exact, OutOfRange> {
        let fee = Exact::whole(fee.minor);
        let months = match fee_period {
            FeePeriod::Month => 1,
            FeePeriod::Year => 12,
        };
        match self.base {
            Base::DaysInYear => {
                fee.times(Exact::ratio(12, months)?)?.over(i64::from(day.days_in_year()))
            }
            Base::DaysInMonth => {
                fee.times(Exact::ratio(1, months)?)?.over(i64::from(day.days_in_month()))
            }
            Base::Thirty360 => fee.times(Exact::ratio(1, months)?)?.over(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[track_caller]
    fn check(base: Base, fee: &str, period: FeePeriod, day: &str, expected: &str) {
        let fee = Money::parse(fee, Currency::EUR).unwrap();
        let rate = FeeShare { base }.rate(fee, period, day.parse().unwrap()).unwrap();
        assert_eq!(rate.amount(2), expected);
    }

    /// The rates behind worked examples L3 (19.99 a year over 365 days) and S8 (70 a month over 31 days).
    #[test]
    fn a_fee_is_spread_over_its_base() {
        check(Base::DaysInYear, "19.99", FeePeriod::Year, "2023-01-23", "1999/36500");
        check(Base::DaysInYear, "36.60", FeePeriod::Year, "2024-01-23", "0.10");
        check(Base::DaysInMonth, "70.00", FeePeriod::Month, "2023-01-23", "70/31");
        check(Base::DaysInMonth, "36.00", FeePeriod::Year, "2023-04-23", "0.10");
        check(Base::Thirty360, "60.00", FeePeriod::Month, "2023-02-23", "2.00");
        check(Base::Thirty360, "360.00", FeePeriod::Year, "2023-02-23", "1.00");
    }
}
