//! Periods in which the service was down, with their uptime.
//!
//! The service agreements of cloud providers: uptime of a calendar month, a quarter or a billing cycle, in real time. A
//! billing cycle begins each month on one day, that of the file or of the subscription's start; a shorter month begins it
//! on its last day.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};

use super::super::interruption::{Interruption, Stretch};
use super::super::reader::Section;
use super::Unit;
use crate::time::Instant;

/// The period whose uptime counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UptimePeriod {
    /// A calendar month.
    CalendarMonth,
    /// A calendar quarter.
    CalendarQuarter,
    /// A month from the day of the month on which the subscriber is billed.
    BillingCycle,
}

/// The uptime of what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UptimeOf {
    /// The period.
    pub period: UptimePeriod,
    /// Whether each component has an uptime of its own, of which the worst counts; else the service is down while any
    /// of them is.
    pub by_component: bool,
    /// Of billing cycles: the day of the month on which they begin; none for that of the subscription's start.
    pub cycle_day: Option<i8>,
}

pub(crate) const PERIODS: &[(&str, UptimePeriod)] = &[
    ("calendar_month", UptimePeriod::CalendarMonth),
    ("calendar_quarter", UptimePeriod::CalendarQuarter),
    ("billing_cycle", UptimePeriod::BillingCycle),
];

pub(crate) const UPTIME_OF: &[(&str, bool)] = &[("service", false), ("component", true)];

impl UptimePeriod {
    /// Gives the period's name in a trace.
    pub(crate) fn name(self) -> &'static str {
        super::super::fields::name_of(PERIODS, &self)
    }

    /// Gives the first day of the period that a day is in, and that of the next. Billing cycles begin on `cycle_day`.
    pub(crate) fn around(self, day: Date, cycle_day: i8) -> Option<(Date, Date)> {
        let (first, months) = match self {
            UptimePeriod::CalendarMonth => (day.first_of_month(), 1),
            UptimePeriod::CalendarQuarter => {
                let month = (day.month() - 1) / 3 * 3 + 1;
                (Date::new(day.year(), month, 1).ok()?, 3)
            }
            UptimePeriod::BillingCycle => return cycle_around(day, cycle_day),
        };
        Some((first, first.checked_add(months.months()).ok()?))
    }
}

/// Gives the beginning of a billing cycle and of the next. Each is clamped on its own: after 28 February comes 31 March.
fn cycle_around(day: Date, cycle_day: i8) -> Option<(Date, Date)> {
    let begin = |month: Date| {
        let day = cycle_day.clamp(1, month.days_in_month());
        Date::new(month.year(), month.month(), day).ok()
    };
    let month = day.first_of_month();
    let this = begin(month)?;
    let other = |months: i32| begin(month.checked_add(months.months()).ok()?);
    if day < this { Some((other(-1)?, this)) } else { Some((this, other(1)?)) }
}

impl UptimeOf {
    pub(super) fn read(section: &Section<'_, '_>) -> Option<UptimeOf> {
        let period = section.choice("period", PERIODS);
        let by_component = section.choice("of", UPTIME_OF);
        let cycle_day = match period? {
            UptimePeriod::BillingCycle => read_cycle_day(section)?,
            UptimePeriod::CalendarMonth | UptimePeriod::CalendarQuarter => None,
        };
        Some(UptimeOf { period: period?, by_component: by_component?, cycle_day })
    }

    /// Says whether the day of the subscription's start is looked at.
    pub(crate) fn sees_start(self) -> bool {
        self.period == UptimePeriod::BillingCycle && self.cycle_day.is_none()
    }

    /// Gives the period that a day is in, for a subscription that began on a day of the month.
    pub(crate) fn around(self, day: Date, started_on: i8) -> Option<(Date, Date)> {
        self.period.around(day, self.cycle_day.unwrap_or(started_on))
    }
}

/// Reads where billing cycles begin: on a day of the month, or on that of the subscription's start.
fn read_cycle_day(section: &Section<'_, '_>) -> Option<Option<i8>> {
    let day = section.optional_whole("cycle_day", "15");
    let from = section.optional_choice("cycle_from", &[("subscription_start", ())]);
    match (day, from) {
        (Some(day), None) => {
            let fits = i8::try_from(day).ok().filter(|day| (1..=31).contains(day));
            if fits.is_none() {
                let what = format!("there is no day {day} in any month");
                section.fault("cycle_day", what, "write 1 to 31");
            }
            fits.map(Some)
        }
        (None, Some(())) => Some(None),
        (Some(_), Some(())) => {
            let what = "\"cycle_day\" and \"cycle_from\" stand beside each other";
            section.fault("cycle_from", what, "keep one of the two");
            None
        }
        (None, None) => {
            if !section.has("cycle_day") && !section.has("cycle_from") {
                let what = "it is open on which day of the month a billing cycle begins";
                let fix = "write cycle_day = 15 or cycle_from = \"subscription_start\"";
                section.fault("period", what, fix);
            }
            None
        }
    }
}

/// Gives each period in which something was down, with the seconds down in it.
pub(super) fn count(
    of: UptimeOf,
    interruptions: &[Interruption],
    zone: &TimeZone,
    started_on: i8,
) -> Vec<Unit> {
    let mut by_component: BTreeMap<u16, Vec<Stretch>> = BTreeMap::new();
    for interruption in interruptions {
        if !of.by_component {
            by_component.entry(0).or_default().extend(interruption.stretches());
            continue;
        }
        for piece in &interruption.pieces {
            let alone = Interruption { pieces: vec![*piece] };
            by_component.entry(piece.component).or_default().extend(alone.stretches());
        }
    }
    let mut worst: BTreeMap<Date, Unit> = BTreeMap::new();
    for stretches in by_component.values() {
        for (day, unit) in periods(of, &united(stretches), zone, started_on) {
            let known = worst.entry(day).or_insert(unit);
            if unit.down_seconds > known.down_seconds {
                *known = unit;
            }
        }
    }
    worst.into_values().collect()
}

/// Unites stretches that overlap.
fn united(stretches: &[Stretch]) -> Vec<Stretch> {
    let mut sorted = stretches.to_vec();
    sorted.sort_by_key(|stretch| (stretch.from, stretch.to));
    let mut united: Vec<Stretch> = Vec::new();
    for stretch in sorted {
        match united.last_mut() {
            Some(last) if stretch.from <= last.to => {
                last.to = last.to.max(stretch.to);
                last.grade = last.grade.max(stretch.grade);
            }
            Some(_) | None => united.push(stretch),
        }
    }
    united
}

fn periods(
    of: UptimeOf,
    stretches: &[Stretch],
    zone: &TimeZone,
    started_on: i8,
) -> BTreeMap<Date, Unit> {
    let begin = |day: Date| zone.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).ok();
    let mut units: BTreeMap<Date, Unit> = BTreeMap::new();
    let mut down: BTreeMap<Date, SignedDuration> = BTreeMap::new();
    for stretch in stretches {
        let mut day = zone.to_datetime(stretch.from).date();
        while let Some((first, next)) = of.around(day, started_on) {
            let Some((from, to)) = begin(first).zip(begin(next)) else { break };
            let within = overlap((stretch.from, stretch.to), (from, to));
            let sum = down.entry(first).or_default();
            *sum = sum.saturating_add(within);
            let of_seconds = u32::try_from(to.duration_since(from).as_secs()).unwrap_or(u32::MAX);
            let unit = Unit::of_day(first, stretch.grade, stretch.plan);
            units.entry(first).or_insert(Unit { of_seconds, ..unit });
            if to >= stretch.to {
                break;
            }
            day = next;
        }
    }
    for (day, unit) in &mut units {
        let seconds = down.get(day).map_or(0, SignedDuration::as_secs);
        unit.down_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    }
    units.retain(|_, unit| unit.down_seconds > 0);
    units
}

fn overlap(left: (Instant, Instant), right: (Instant, Instant)) -> SignedDuration {
    let (from, to) = (left.0.max(right.0), left.1.min(right.1));
    to.duration_since(from).max(SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::Grade;
    use super::super::testing::interruptions;
    use super::*;

    #[track_caller]
    fn check(period: UptimePeriod, windows: &[(&str, &str)], expected: &[(&str, u32, u32)]) {
        let rome = crate::time::zone("Europe/Rome").unwrap();
        let windows: Vec<(&str, &str, Grade)> =
            windows.iter().map(|(from, to)| (*from, *to, Grade::Total)).collect();
        let of = UptimeOf { period, by_component: false, cycle_day: None };
        let units = count(of, &interruptions(&windows), &rome, 31);
        let found: Vec<(String, u32, u32)> = units
            .iter()
            .map(|unit| (unit.day.to_string(), unit.down_seconds / 60, unit.of_seconds / 60))
            .collect();
        let expected: Vec<(String, u32, u32)> =
            expected.iter().map(|(day, down, of)| ((*day).to_owned(), *down, *of)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_down_is_added_up_in_each_period() {
        let month = UptimePeriod::CalendarMonth;
        check(
            month,
            &[("2023-01-30", "2023-02-02")],
            &[("2023-01-01", 2_880, 44_640), ("2023-02-01", 1_440, 40_320)],
        );
        check(
            month,
            &[("2023-01-01", "2023-01-02"), ("2023-01-01T12:00", "2023-01-03")],
            &[("2023-01-01", 2_880, 44_640)],
        );
        check(month, &[("2023-01-31", "2023-02-01")], &[("2023-01-01", 1_440, 44_640)]);
        // The month in which the clock is put forward has an hour less.
        check(month, &[("2023-03-01T00:00", "2023-03-01T00:10")], &[("2023-03-01", 10, 44_580)]);
        let quarter = UptimePeriod::CalendarQuarter;
        check(
            quarter,
            &[("2022-12-31", "2023-01-02")],
            &[("2022-10-01", 1_440, 132_540), ("2023-01-01", 1_440, 129_540)],
        );
        check(quarter, &[], &[]);
        // Cycles from the 31st: 31 January to 27 February, 28 February to 30 March.
        check(
            UptimePeriod::BillingCycle,
            &[("2023-02-27", "2023-03-01"), ("2023-03-31", "2023-03-31T00:01")],
            &[
                ("2023-01-31", 1_440, 40_320),
                ("2023-02-28", 1_440, 44_580),
                ("2023-03-31", 1, 43_200),
            ],
        );
    }
}
