//! The fee of each counted day, minute or second, given back.
//!
//! A refund in proportion (rimborso): what was paid for time in which nothing was delivered. The base says over how many
//! days, or seconds, the fee is spread.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Draft, Given, Value, day_ranges, fee_term};
use crate::facts::FeePeriod;
use crate::money::Money;
use crate::policy::count::{Counted, Unit};
use crate::policy::error::Refusal;
use crate::policy::reader::Section;
use crate::rounding::{Exact, OutOfRange};

/// A unit's share of the fee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeeShare {
    base: Base,
}

/// Over what a fee is spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Base {
    /// The days of the calendar year, 365 or 366.
    DaysInYear,
    /// The days of the calendar month.
    DaysInMonth,
    /// Months of 30 and years of 360 days.
    Thirty360,
    /// The days of the month or year that the fee is for, from the day on which the plan began.
    DaysInTerm,
    /// The seconds of that month or year.
    Seconds,
}

pub(crate) const BASES: &[(&str, Base)] = &[
    ("days_in_year", Base::DaysInYear),
    ("days_in_month", Base::DaysInMonth),
    ("30_360", Base::Thirty360),
    ("days_in_term", Base::DaysInTerm),
    ("seconds", Base::Seconds),
];

/// A fee, and the unit whose share of it is asked for.
#[derive(Clone, Copy)]
struct Charged<'a> {
    fee: Money,
    fee_period: FeePeriod,
    day: Date,
    /// A day on which a period of the fee begins, where that is looked at.
    begins: Option<Date>,
    /// The length of minutes and seconds; else 0.
    unit_seconds: u32,
    zone: &'a TimeZone,
}

impl FeeShare {
    pub(super) fn read(section: &Section<'_, '_>, what: Counted) -> Option<FeeShare> {
        let base = section.choice("base", BASES)?;
        let unit = crate::policy::count::unit_word(what);
        match (what, base) {
            (Counted::RealTime(_), Base::Seconds) => {}
            (Counted::RealTime(_), _) => {
                let what = format!("a fee that is spread over days has no share for a {unit}");
                section.fault("base", what, "write base = \"seconds\"");
            }
            (_, Base::Seconds) => {
                let what = format!("a {unit} is no count of seconds");
                let fix = "write base = \"days_in_term\", or count = { unit = \"second\" }";
                section.fault("base", what, fix);
            }
            (_, _) => {}
        }
        Some(FeeShare { base })
    }

    /// Says whether it matters when the periods of a fee begin.
    pub(super) fn sees_term(self) -> bool {
        match self.base {
            Base::DaysInTerm | Base::Seconds => true,
            Base::DaysInYear | Base::DaysInMonth | Base::Thirty360 => false,
        }
    }

    /// Gives one line for each plan and rate; days on a plan without a fee give nothing.
    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        let out_of_range = Refusal::out_of_range(&given.rule.id);
        let (mut unit_seconds, mut what) = (0, "these days");
        if let Counted::RealTime(length) = given.rule.count.what {
            (unit_seconds, what) = (length.seconds(), "this time");
        }
        let mut lines: BTreeMap<(u16, i128, i128), (Exact, Vec<&Unit>)> = BTreeMap::new();
        for unit in given.units {
            let Some((fee, fee_period)) = given.fee_of(unit)? else { continue };
            let charged = Charged {
                fee,
                fee_period,
                day: unit.day,
                begins: given.fee_begins(unit),
                unit_seconds,
                zone: given.zone,
            };
            let rate = self.rate(&charged).map_err(&out_of_range)?;
            let (numerator, denominator) = rate.parts();
            let key = (unit.plan, numerator, denominator);
            lines.entry(key).or_insert_with(|| (rate, Vec::new())).1.push(unit);
        }
        let mut drafts = Vec::new();
        for (rate, units) in lines.into_values() {
            let rate = given.unit_amount(rate.times(given.factor).map_err(&out_of_range)?)?;
            let count: i64 = units.iter().map(|unit| i64::from(unit.times)).sum();
            let exact = rate.times(Exact::whole(count)).map_err(&out_of_range)?;
            let ranges = day_ranges(units.iter().map(|unit| unit.day));
            drafts.push(Draft {
                text: format!("the fee of {what}: {ranges}{}", given.factor_text),
                quantity: count.to_string(),
                unit: given.unit_name,
                rate: rate.amount(given.currency.exponent()),
                grade: None,
                value: Value::Money(exact),
            });
        }
        Ok(drafts)
    }

    /// Gives the exact fee of one unit.
    fn rate(self, of: &Charged<'_>) -> Result<Exact, OutOfRange> {
        let Charged { fee, fee_period, day, begins, unit_seconds, zone } = *of;
        let fee = Exact::whole(fee.minor);
        let months = match fee_period {
            FeePeriod::Month => 1,
            FeePeriod::Year => 12,
        };
        let term = || {
            let term = begins.and_then(|begins| fee_term::around(begins, fee_period, day));
            term.ok_or(OutOfRange)
        };
        match self.base {
            Base::DaysInYear => {
                fee.times(Exact::ratio(12, months)?)?.over(i64::from(day.days_in_year()))
            }
            Base::DaysInMonth => {
                fee.times(Exact::ratio(1, months)?)?.over(i64::from(day.days_in_month()))
            }
            Base::Thirty360 => fee.times(Exact::ratio(1, months)?)?.over(30),
            Base::DaysInTerm => {
                let (first, next) = term()?;
                fee.over(first.duration_until(next).as_hours() / 24)
            }
            Base::Seconds => {
                let (first, next) = term()?;
                let begin = |day: Date| {
                    let midnight = day.to_datetime(jiff::civil::Time::midnight());
                    zone.to_timestamp(midnight).map_err(|_| OutOfRange)
                };
                let seconds = begin(next)?.duration_since(begin(first)?).as_secs();
                fee.times(Exact::ratio(i128::from(unit_seconds), i128::from(seconds))?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    /// Checks the fee of one unit on a plan that began on 15 October 2020, in Rome.
    #[track_caller]
    fn check(base: Base, fee: &str, fee_period: FeePeriod, day: &str, expected: &str) {
        let plan_began = "2020-10-15".parse().unwrap();
        let charged = Charged {
            fee: Money::parse(fee, Currency::EUR).unwrap(),
            fee_period,
            day: day.parse().unwrap(),
            begins: Some(fee_term::begins(plan_began, fee_period)),
            unit_seconds: 60,
            zone: &crate::time::zone("Europe/Rome").unwrap(),
        };
        assert_eq!(FeeShare { base }.rate(&charged).unwrap().amount(2), expected);
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

    /// The month from 15 February has 28 days, the year from 15 October 2023 has 366; the clock is put forward on 26 March.
    #[test]
    fn a_fee_is_spread_over_the_time_that_it_is_for() {
        check(Base::DaysInTerm, "28.00", FeePeriod::Month, "2023-03-14", "1.00");
        check(Base::DaysInTerm, "31.00", FeePeriod::Month, "2023-03-15", "1.00");
        check(Base::DaysInTerm, "36.50", FeePeriod::Year, "2023-10-14", "0.10");
        check(Base::DaysInTerm, "36.60", FeePeriod::Year, "2023-10-15", "0.10");
        check(Base::Seconds, "403.20", FeePeriod::Month, "2023-03-14", "0.01");
        check(Base::Seconds, "445.80", FeePeriod::Month, "2023-03-15", "0.01");
        check(Base::Seconds, "5256.00", FeePeriod::Year, "2023-10-14", "0.01");
    }
}
