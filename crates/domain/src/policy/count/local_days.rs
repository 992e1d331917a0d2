//! Local days that an interruption touches.
//!
//! A day counts once, at its highest grade. AGCOM 347/18/CONS, annex A, counts days of disservice; that a touched day
//! is a whole one, and the readings of the conventions, are ours.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::conventions::{Accessory, Conventions, RestorationDay};
use super::super::fields::Grade;
use super::super::interruption::{Interruption, Piece};
use super::Unit;

/// Counts each touched local day once, or once for accessory components beside the others where they are cumulative.
pub(crate) fn count(
    interruptions: &[Interruption],
    zone: &TimeZone,
    conventions: &Conventions,
) -> Vec<Unit> {
    let mut days: BTreeMap<(bool, Date), (Grade, Reverse<u16>)> = BTreeMap::new();
    for interruption in interruptions {
        let restored_on = restoration_day(interruption, zone, conventions);
        for piece in &interruption.pieces {
            let beside =
                piece.grade == Grade::Accessory && conventions.accessory == Accessory::Cumulative;
            for day in days_of(piece, zone).filter(|day| restored_on != Some(*day)) {
                let hit = (piece.grade, Reverse(piece.plan));
                let highest = days.entry((beside, day)).or_insert(hit);
                *highest = (*highest).max(hit);
            }
        }
    }
    let mut units: Vec<Unit> = days
        .into_iter()
        .map(|((_, day), (grade, Reverse(plan)))| Unit::of_day(day, grade, plan))
        .collect();
    units.sort_unstable();
    units
}

/// Gives each touched local day, in order.
pub(super) fn touched(interruptions: &[Interruption], zone: &TimeZone) -> Vec<Date> {
    let mut days = BTreeSet::new();
    for piece in interruptions.iter().flat_map(|interruption| &interruption.pieces) {
        days.extend(days_of(piece, zone));
    }
    days.into_iter().collect()
}

/// Gives the local days that a piece touches.
fn days_of(piece: &Piece, zone: &TimeZone) -> impl Iterator<Item = Date> {
    let last_instant = piece.to.saturating_sub(jiff::SignedDuration::from_nanos(1));
    let last = zone.to_datetime(last_instant.unwrap_or(piece.from)).date();
    let first = zone.to_datetime(piece.from).date();
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(move |day| *day <= last)
}

/// Gives the local day of the restoration where it does not count.
fn restoration_day(
    interruption: &Interruption,
    zone: &TimeZone,
    conventions: &Conventions,
) -> Option<Date> {
    match conventions.restoration_day {
        RestorationDay::Counts => None,
        RestorationDay::Excluded => Some(zone.to_datetime(interruption.to()).date()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{conventions, interruptions};
    use super::*;

    #[track_caller]
    fn check(windows: &[(&str, &str, Grade)], with: Conventions, expected: &[(i8, Grade)]) {
        let rome = crate::time::zone("Europe/Rome").unwrap();
        let units = count(&interruptions(windows), &rome, &with);
        let found: Vec<(i8, Grade)> =
            units.iter().map(|unit| (unit.day.day(), unit.grade)).collect();
        assert_eq!(found, expected);
    }

    const TOTAL: Grade = Grade::Total;

    #[test]
    fn every_touched_day_counts_once() {
        let days = [(23, TOTAL), (24, TOTAL), (25, TOTAL)];
        check(&[("2023-01-23T23:59", "2023-01-25T00:01", TOTAL)], conventions(), &days);
        check(&[("2023-01-23", "2023-01-26", TOTAL)], conventions(), &days);
        let overlapping = [
            ("2023-01-23", "2023-01-24T12:00", TOTAL),
            ("2023-01-24T18:00", "2023-01-25T06:00", TOTAL),
        ];
        check(&overlapping, conventions(), &days);
    }

    #[test]
    fn a_day_has_its_highest_grade() {
        let windows = [
            ("2023-01-23T10:00", "2023-01-24T10:00", Grade::Degraded),
            ("2023-01-24T09:00", "2023-01-24T11:00", TOTAL),
            ("2023-01-23T08:00", "2023-01-24T12:00", Grade::Accessory),
        ];
        check(&windows, conventions(), &[(23, Grade::Degraded), (24, TOTAL)]);
        let beside = Conventions { accessory: Accessory::Cumulative, ..conventions() };
        let cumulative =
            [(23, Grade::Accessory), (23, Grade::Degraded), (24, Grade::Accessory), (24, TOTAL)];
        check(&windows, beside, &cumulative);
    }

    #[test]
    fn the_day_of_restoration_can_be_left_out() {
        let without = Conventions { restoration_day: RestorationDay::Excluded, ..conventions() };
        check(&[("2023-01-23", "2023-01-24T12:00", TOTAL)], without, &[(23, TOTAL)]);
        check(&[("2023-01-23", "2023-01-24", TOTAL)], without, &[(23, TOTAL)]);
        check(&[("2023-01-23T10:00", "2023-01-23T12:00", TOTAL)], without, &[]);
    }
}
