//! Blocks of hours of real time, per interruption.
//!
//! ARERA, from 2025: over eight hours a first amount, and one more for each further completed four hours, up to 240
//! hours. Hours are real: the night on which the clock is put forward is one hour shorter.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::super::conventions::Block;
use super::super::fields::Grade;
use super::super::interruption::Interruption;
use super::super::reader::Section;
use super::Unit;

/// The length of blocks, and from when and up to when they count. All in hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HourBlock {
    /// The length of a further block.
    pub hours: u32,
    /// An interruption must last longer than this; the first unit is for that.
    pub after_hours: u32,
    /// What lasts longer counts as this long; none for no end.
    pub most_hours: Option<u32>,
}

/// The most hours that a file may name, a year.
const HOURS_LIMIT: u64 = 8_784;

impl HourBlock {
    pub(super) fn read(section: &Section<'_, '_>) -> Option<HourBlock> {
        let bounded = |key: &'static str, value: u64, least: u64| {
            let fits = (least..=HOURS_LIMIT).contains(&value);
            if !fits {
                section.fault(
                    key,
                    format!("{key} is {value}"),
                    format!("write {least} to {HOURS_LIMIT}"),
                );
            }
            u32::try_from(value).ok().filter(|_| fits)
        };
        let hours = section.whole("hours", "4").and_then(|value| bounded("hours", value, 1));
        let after_hours =
            section.whole("after_hours", "8").and_then(|value| bounded("after_hours", value, 0));
        let most_hours = section
            .optional_whole("most_hours", "240")
            .and_then(|value| bounded("most_hours", value, 1));
        let (hours, after_hours) = (hours?, after_hours?);
        if most_hours.is_some_and(|most| most <= after_hours) {
            section.fault("most_hours", "most_hours is not above after_hours", "write more hours");
        }
        Some(HourBlock { hours, after_hours, most_hours })
    }

    /// Gives the last unit that ends within the first hours of an interruption.
    pub(crate) fn index_within(self, first_hours: u32) -> u32 {
        match first_hours.checked_sub(self.after_hours) {
            Some(rest) => 1 + rest / self.hours,
            None => 0,
        }
    }
}

/// Counts the blocks of each interruption, named by the day on which it began.
pub(super) fn count(
    block: HourBlock,
    convention: Block,
    interruptions: &[Interruption],
    zone: &TimeZone,
) -> Vec<Unit> {
    let hours = |count: u32| SignedDuration::from_hours(i64::from(count));
    let mut units = Vec::new();
    for interruption in interruptions {
        let counted = interruption.counted();
        let counted = block.most_hours.map_or(counted, |most| counted.min(hours(most)));
        let further = counted.saturating_add(-hours(block.after_hours));
        if further <= SignedDuration::ZERO {
            continue;
        }
        let length = hours(block.hours).as_nanos();
        let whole = further.as_nanos() / length;
        let begun = further.as_nanos() % length > 0;
        let blocks = match convention {
            Block::Completed => whole,
            Block::Started => whole + i128::from(begun),
        };
        let stretches = interruption.stretches();
        let highest = stretches.iter().map(|one| (one.grade, one.plan)).max_by_key(|one| one.0);
        let (grade, plan) = highest.unwrap_or((Grade::Total, 0));
        let day = zone.to_datetime(interruption.from()).date();
        for index in 1..=u32::try_from(blocks + 1).unwrap_or(u32::MAX) {
            units.push(Unit { index, ..Unit::of_day(day, grade, plan) });
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::super::testing::interruptions;
    use super::*;

    const ARERA: HourBlock = HourBlock { hours: 4, after_hours: 8, most_hours: Some(240) };

    #[track_caller]
    fn check(from: &str, to: &str, completed: usize, started: usize) {
        let rome = crate::time::zone("Europe/Rome").unwrap();
        let interruptions = interruptions(&[(from, to, Grade::Total)]);
        let counted = |convention| count(ARERA, convention, &interruptions, &rome).len();
        assert_eq!((counted(Block::Completed), counted(Block::Started)), (completed, started));
    }

    /// Worked examples E1, E4 and E7.
    #[test]
    fn the_first_unit_is_for_more_than_the_threshold() {
        check("2025-02-01T10:00", "2025-02-01T18:00", 0, 0);
        check("2025-02-01T10:00", "2025-02-01T18:01", 1, 2);
        check("2025-02-01T10:00", "2025-02-01T23:30", 2, 3);
        check("2025-02-01T10:00", "2025-02-01T22:00", 2, 2);
        check("2025-02-01T00:00", "2025-02-11T20:00", 59, 59);
        check("2025-03-29T20:00+01:00", "2025-03-30T04:30+02:00", 0, 0);
    }

    #[test]
    fn the_first_hours_hold_whole_units() {
        assert_eq!(ARERA.index_within(72), 17);
        assert_eq!(ARERA.index_within(8), 1);
        assert_eq!(ARERA.index_within(7), 0);
    }
}
