//! Working days: calendars of countries and regions, each a file with its source.
//!
//! A day outside the years of a calendar is refused, never guessed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday};

/// The working days of a country or region, Monday to Friday without its holidays.
#[derive(PartialEq, Eq, Debug)]
pub struct Calendar {
    id: String,
    title: String,
    source: String,
    from: Date,
    to: Date,
    holidays: BTreeSet<Date>,
}

static CALENDARS: LazyLock<Vec<Calendar>> = LazyLock::new(|| {
    let texts = [
        include_str!("../../calendars/england.toml"),
        include_str!("../../calendars/germany.toml"),
        include_str!("../../calendars/italy.toml"),
    ];
    texts.map(parse).into()
});

/// Gives the shipped calendars, sorted by id.
pub(crate) fn calendars() -> &'static [Calendar] {
    &CALENDARS
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarFile {
    id: String,
    title: String,
    source: String,
    remark: Option<String>,
    from: toml::value::Date,
    to: toml::value::Date,
    holidays: Vec<toml::value::Date>,
}

fn parse(text: &str) -> Calendar {
    let file: CalendarFile = toml::from_str(text).expect("a shipped calendar is read by a test");
    let day = |date: toml::value::Date| {
        date.to_string().parse::<Date>().expect("a shipped calendar is read by a test")
    };
    let source = match file.remark {
        Some(remark) => format!("{} ({remark})", file.source),
        None => file.source,
    };
    Calendar {
        id: file.id,
        title: file.title,
        source,
        from: day(file.from),
        to: day(file.to),
        holidays: file.holidays.into_iter().map(day).collect(),
    }
}

impl Calendar {
    /// Gives the calendar's id, such as `england`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Gives what it is and where it comes from, for a trace.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{}, {}", self.title, self.source)
    }

    /// Says whether a day is a working day; none outside the calendar's years.
    #[must_use]
    pub fn is_working_day(&self, day: Date) -> Option<bool> {
        let known = day >= self.from && day < self.to;
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        known.then(|| !weekend && !self.holidays.contains(&day))
    }

    /// Gives the `count`-th full working day after `day`; `day` itself where `count` is 0; none outside the years.
    #[must_use]
    pub fn working_days_after(&self, day: Date, count: u32) -> Option<Date> {
        let (mut last, mut left) = (day, count);
        while left > 0 {
            last = last.tomorrow().ok()?;
            left -= u32::from(self.is_working_day(last)?);
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(id: &str) -> &'static Calendar {
        calendars().iter().find(|one| one.id() == id).unwrap()
    }

    #[track_caller]
    fn check(id: &str, day: &str, count: u32, expected: &str) {
        let after = calendar(id).working_days_after(day.parse().unwrap(), count);
        assert_eq!(after.map(|day| day.to_string()).unwrap_or_default(), expected);
    }

    #[test]
    fn weekends_and_holidays_are_passed_over() {
        check("england", "2023-02-01", 2, "2023-02-03");
        check("england", "2023-04-06", 2, "2023-04-12");
        check("england", "2022-06-01", 1, "2022-06-06");
        check("italy", "2023-04-24", 1, "2023-04-26");
        check("germany", "2024-10-02", 1, "2024-10-04");
        check("italy", "2023-04-24", 0, "2023-04-24");
    }

    #[test]
    fn beyond_its_years_a_calendar_does_not_guess() {
        check("england", "2027-12-31", 1, "");
        assert_eq!(calendar("italy").is_working_day("2018-12-31".parse().unwrap()), None);
    }

    #[test]
    fn every_year_has_its_holidays() {
        for calendar in calendars() {
            for year in 2019..=2027_i16 {
                let count = calendar.holidays.iter().filter(|day| day.year() == year).count();
                assert!((8..=12).contains(&count), "{} {year}: {count}", calendar.id);
            }
        }
    }
}
