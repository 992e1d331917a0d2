//! The months or years that a fee is for: from the day on which the plan began, each as long as the calendar makes it.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::facts::FeePeriod;

/// A leap year, in which every day has a name.
const SOME_YEAR: i16 = 2000;

/// Gives a day on which a period of the fee begins, from that on which the plan began: the same one for everybody whose
/// periods are the same.
pub(crate) fn begins(plan_began: Date, fee_period: FeePeriod) -> Date {
    let month = match fee_period {
        FeePeriod::Month => 1,
        FeePeriod::Year => plan_began.month(),
    };
    Date::new(SOME_YEAR, month, plan_began.day()).unwrap_or(plan_began)
}

/// Gives the first day of the period that a day is in, and that of the next. A shorter month begins it on its last day.
pub(super) fn around(begins: Date, fee_period: FeePeriod, day: Date) -> Option<(Date, Date)> {
    let step = match fee_period {
        FeePeriod::Month => 1,
        FeePeriod::Year => 12,
    };
    let years = i32::from(day.year()) - i32::from(begins.year());
    let months = years * 12 + i32::from(day.month()) - i32::from(begins.month());
    let at = |count: i32| begins.checked_add((count * step).months()).ok();
    let count = months.div_euclid(step);
    let first = at(count)?;
    if day < first { Some((at(count - 1)?, first)) } else { Some((first, at(count + 1)?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(plan_began: &str, fee_period: FeePeriod, day: &str, expected: (&str, &str)) {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let begins = begins(date(plan_began), fee_period);
        let found = around(begins, fee_period, date(day)).unwrap();
        assert_eq!(found, (date(expected.0), date(expected.1)));
    }

    #[test]
    fn a_period_begins_on_the_day_on_which_the_plan_began() {
        let month = FeePeriod::Month;
        check("2022-10-15", month, "2023-01-14", ("2022-12-15", "2023-01-15"));
        check("2022-10-15", month, "2023-01-15", ("2023-01-15", "2023-02-15"));
        check("2022-10-31", month, "2023-02-27", ("2023-01-31", "2023-02-28"));
        check("2022-10-31", month, "2023-02-28", ("2023-02-28", "2023-03-31"));
        let year = FeePeriod::Year;
        check("2022-09-01", year, "2023-01-23", ("2022-09-01", "2023-09-01"));
        check("2021-09-15", year, "2023-09-14", ("2022-09-15", "2023-09-15"));
        check("2020-02-29", year, "2023-02-27", ("2022-02-28", "2023-02-28"));
        check("2020-02-29", year, "2024-02-28", ("2023-02-28", "2024-02-29"));
        check("2000-01-01", year, "1999-12-31", ("1999-01-01", "2000-01-01"));
    }
}
