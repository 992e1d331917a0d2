//! Minutes or seconds of real time in which the service was down.
//!
//! What is down at once counts once, at the highest grade; gaps of a relapse count not at all. A minute may begin in one
//! stretch of an interruption and end in another. What is left of an interruption behind its last whole minute counts
//! where a minute counts that was started; seconds count whole, and what is left of one is dropped.

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::super::conventions::{Block, Conventions};
use super::super::interruption::{Interruption, Stretch};
use super::Unit;
use super::blocks::lines;
use crate::time::Instant;

/// How long one counted unit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeUnit {
    /// A minute.
    Minute,
    /// A second.
    Second,
}

impl TimeUnit {
    /// Gives the unit's name in a trace.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TimeUnit::Minute => "minute",
            TimeUnit::Second => "second",
        }
    }

    /// Gives its length.
    pub(crate) fn seconds(self) -> u32 {
        match self {
            TimeUnit::Minute => 60,
            TimeUnit::Second => 1,
        }
    }
}

/// Counts the time, one unit with its number of times for each local day, grade and plan.
pub(super) fn count(
    unit: TimeUnit,
    interruptions: &[Interruption],
    zone: &TimeZone,
    conventions: &Conventions,
) -> Vec<Unit> {
    let length = SignedDuration::from_secs(i64::from(unit.seconds()));
    let block = match unit {
        TimeUnit::Minute => conventions.block,
        TimeUnit::Second => Block::Completed,
    };
    let mut units = Vec::new();
    for interruption in lines(interruptions, conventions) {
        count_one(&interruption.stretches(), (length, block), zone, &mut units);
    }
    units.sort_by_key(|unit| (unit.day, std::cmp::Reverse(unit.grade), unit.plan));
    units.dedup_by(|next, unit| {
        let same = (next.day, next.grade, next.plan) == (unit.day, unit.grade, unit.plan);
        if same {
            unit.times = unit.times.saturating_add(next.times);
        }
        same
    });
    units
}

fn count_one(
    stretches: &[Stretch],
    (length, block): (SignedDuration, Block),
    zone: &TimeZone,
    units: &mut Vec<Unit>,
) {
    // The unit that was begun, and what is missing of its length.
    let mut open: Option<(Unit, SignedDuration)> = None;
    for stretch in stretches {
        let mut from = stretch.from;
        if let Some((unit, missing)) = open.take() {
            let unit = if stretch.grade > unit.grade {
                Unit { day: unit.day, ..Unit::of_day(unit.day, stretch.grade, stretch.plan) }
            } else {
                unit
            };
            let rest = stretch.to.duration_since(from);
            if rest < missing {
                open = Some((unit, missing - rest));
                continue;
            }
            units.push(unit);
            from = later(from, missing);
        }
        open = whole(stretch, from, (length, zone), units);
    }
    match block {
        Block::Started => units.extend(open.map(|(unit, _)| unit)),
        Block::Completed => {}
    }
}

/// Counts the whole units of a stretch from an instant on, day by day, and gives the one that is begun behind them.
fn whole(
    stretch: &Stretch,
    mut from: Instant,
    (length, zone): (SignedDuration, &TimeZone),
    units: &mut Vec<Unit>,
) -> Option<(Unit, SignedDuration)> {
    while from < stretch.to {
        let day = zone.to_datetime(from).date();
        let unit = Unit::of_day(day, stretch.grade, stretch.plan);
        let next = day.tomorrow().ok();
        let next = next.and_then(|next| zone.to_timestamp(next.to_datetime(Time::midnight())).ok());
        let rest = stretch.to.duration_since(from);
        let until_next = next.map_or(rest, |next| next.duration_since(from)).as_nanos();
        // Those that begin on this day, and those that end within the stretch.
        let begin = (until_next + length.as_nanos() - 1) / length.as_nanos();
        let times = begin.min(rest.as_nanos() / length.as_nanos());
        if times == 0 {
            return Some((unit, length - rest));
        }
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        units.push(Unit { times, ..unit });
        from = later(from, length * i32::try_from(times).unwrap_or(i32::MAX));
    }
    None
}

fn later(from: Instant, by: SignedDuration) -> Instant {
    from.checked_add(by).unwrap_or(Instant::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::Grade;
    use super::super::testing::{conventions, interruptions};
    use super::*;

    /// Checks the minutes of each day and grade: those that were completed, and those that were started.
    #[track_caller]
    fn check(
        windows: &[(&str, &str, Grade)],
        completed: &[(i8, Grade, u32)],
        started: &[(i8, Grade, u32)],
    ) {
        let rome = crate::time::zone("Europe/Rome").unwrap();
        for (block, expected) in [(Block::Completed, completed), (Block::Started, started)] {
            let with = Conventions { block, ..conventions() };
            let units = count(TimeUnit::Minute, &interruptions(windows), &rome, &with);
            let found: Vec<(i8, Grade, u32)> =
                units.iter().map(|unit| (unit.day.day(), unit.grade, unit.times)).collect();
            assert_eq!(found, expected, "{block:?}");
        }
    }

    const TOTAL: Grade = Grade::Total;
    const DEGRADED: Grade = Grade::Degraded;

    #[test]
    fn minutes_are_named_by_the_day_on_which_they_begin() {
        let whole = [(23, TOTAL, 90)];
        check(&[("2023-01-23T10:00", "2023-01-23T11:30", TOTAL)], &whole, &whole);
        let part = ("2023-01-23T10:00", "2023-01-23T10:01:30", TOTAL);
        check(&[part], &[(23, TOTAL, 1)], &[(23, TOTAL, 2)]);
        check(
            &[("2023-01-23T23:58:30", "2023-01-24T00:01", TOTAL)],
            &[(23, TOTAL, 2)],
            &[(23, TOTAL, 2), (24, TOTAL, 1)],
        );
        // The night on which the clock is put forward has an hour less.
        let night = [(26, TOTAL, 120)];
        check(&[("2023-03-26T01:00", "2023-03-26T04:00", TOTAL)], &night, &night);
        check(&[], &[], &[]);
    }

    /// Half a minute and another half behind a gap that is merged are one minute, at the higher grade.
    #[test]
    fn a_minute_may_begin_in_one_stretch_and_end_in_another() {
        let halves = [
            ("2023-01-23T10:00", "2023-01-23T10:00:30", DEGRADED),
            ("2023-01-23T11:00", "2023-01-23T11:01:30", TOTAL),
        ];
        check(&halves, &[(23, TOTAL, 2)], &[(23, TOTAL, 2)]);
        let overlapping = [
            ("2023-01-23T10:00", "2023-01-23T11:00", DEGRADED),
            ("2023-01-23T10:30", "2023-01-23T10:40", TOTAL),
            ("2023-01-23T10:30", "2023-01-23T10:50", Grade::Accessory),
        ];
        let expected = [(23, TOTAL, 10), (23, DEGRADED, 50)];
        check(&overlapping, &expected, &expected);
    }

    #[test]
    fn seconds_are_exact() {
        let rome = crate::time::zone("Europe/Rome").unwrap();
        let windows = [("2023-01-23T10:00", "2023-01-23T10:01:30.7", TOTAL)];
        let with = Conventions { block: Block::Started, ..conventions() };
        let units = count(TimeUnit::Second, &interruptions(&windows), &rome, &with);
        assert_eq!(units.iter().map(|unit| unit.times).collect::<Vec<_>>(), [90]);
    }
}
