//! Blocks of real time, started or completed, per interruption.
//!
//! Hours are real: the night on which the clock is put forward has seven of them before eight o'clock.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::super::conventions::{Accessory, Block, Conventions, DayCount};
use super::super::fields::Grade;
use super::super::interruption::{Interruption, Piece, Stretch, unite};
use super::Unit;

/// Counts 24 hours as a day.
pub(crate) fn count_days(
    interruptions: &[Interruption],
    zone: &TimeZone,
    conventions: &Conventions,
) -> Vec<Unit> {
    let block = match conventions.day_count {
        DayCount::Started24h => Block::Started,
        DayCount::Completed24h | DayCount::LocalDays => Block::Completed,
    };
    let day = SignedDuration::from_hours(24);
    let united = lines(interruptions, conventions).into_iter();
    united.flat_map(|interruption| count(&interruption.stretches(), day, block, zone)).collect()
}

/// Unites what is counted together again: everything, or accessory components beside the others where both give something.
pub(super) fn lines(
    interruptions: &[Interruption],
    conventions: &Conventions,
) -> Vec<Interruption> {
    let pieces =
        || interruptions.iter().flat_map(|interruption| interruption.pieces.iter().copied());
    let lines: Vec<Vec<Piece>> = match conventions.accessory {
        Accessory::Absorbed => vec![pieces().collect()],
        Accessory::Cumulative => vec![
            pieces().filter(|piece| piece.grade != Grade::Accessory).collect(),
            pieces().filter(|piece| piece.grade == Grade::Accessory).collect(),
        ],
    };
    lines.into_iter().flat_map(|line| unite(line, conventions.relapse_merge)).collect()
}

/// Cuts the counted time into blocks of `length`. A block has the highest grade within it.
pub(crate) fn count(
    stretches: &[Stretch],
    length: SignedDuration,
    block: Block,
    zone: &TimeZone,
) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut open: Option<Unit> = None;
    let mut missing = length;
    for stretch in stretches {
        let mut from = stretch.from;
        while from < stretch.to {
            let day = zone.to_datetime(from).date();
            let begun = Unit::of_day(day, stretch.grade, stretch.plan);
            let unit = open.map_or(begun, |unit| {
                if stretch.grade > unit.grade { Unit { day: unit.day, ..begun } } else { unit }
            });
            let rest = stretch.to.duration_since(from);
            if rest < missing {
                missing -= rest;
                open = Some(unit);
                break;
            }
            units.push(unit);
            open = None;
            let Ok(next) = from.checked_add(missing) else { break };
            from = next;
            missing = length;
        }
    }
    match block {
        Block::Started => units.extend(open),
        Block::Completed => {}
    }
    units
}

#[cfg(test)]
mod tests {
    use super::super::testing::{conventions, interruptions};
    use super::*;

    #[track_caller]
    fn check(windows: &[(&str, &str, Grade)], completed: usize, started: usize) {
        let rome = crate::time::zone("Europe/Rome").unwrap();
        let counted = |day_count| {
            let with = Conventions { day_count, ..conventions() };
            count_days(&interruptions(windows), &rome, &with).len()
        };
        assert_eq!(counted(DayCount::Completed24h), completed);
        assert_eq!(counted(DayCount::Started24h), started);
    }

    #[test]
    fn a_block_is_24_hours_of_real_time() {
        check(&[("2023-10-28T12:00:00+02:00", "2023-10-30T12:00:00+01:00", Grade::Total)], 2, 3);
        check(&[("2023-01-23", "2023-01-27T16:00", Grade::Total)], 4, 5);
        check(&[("2023-01-23", "2023-01-25", Grade::Total)], 2, 2);
        check(&[("2023-01-23T10:00", "2023-01-23T12:00", Grade::Total)], 0, 1);
        check(&[], 0, 0);
    }

    #[test]
    fn the_gap_of_a_relapse_is_not_counted() {
        let windows = [
            ("2023-01-23T00:00", "2023-01-23T12:00", Grade::Degraded),
            ("2023-01-23T18:00", "2023-01-24T06:00", Grade::Total),
        ];
        check(&windows, 1, 1);
    }
}
