//! Local midnights that pass while the service is down.
//!
//! Ofcom's automatic compensation: each calendar day counts that begins without service. A midnight at which the service
//! comes back is not passed. The day that a midnight begins names it, and takes that day's rate.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::fields::Grade;
use super::super::interruption::Interruption;
use super::Unit;

/// Counts each midnight once, at its highest grade.
pub(super) fn count(interruptions: &[Interruption], zone: &TimeZone) -> Vec<Unit> {
    let mut days: BTreeMap<Date, (Grade, u16)> = BTreeMap::new();
    for stretch in interruptions.iter().flat_map(Interruption::stretches) {
        let first = zone.to_datetime(stretch.from);
        let mut day = first.date();
        while let Ok(next) = day.tomorrow() {
            day = next;
            let Ok(midnight) = zone.to_timestamp(day.to_datetime(jiff::civil::Time::midnight()))
            else {
                break;
            };
            if midnight > stretch.to || (midnight == stretch.to && ends(interruptions, midnight)) {
                break;
            }
            let hit = days.entry(day).or_insert((stretch.grade, stretch.plan));
            if stretch.grade > hit.0 {
                *hit = (stretch.grade, stretch.plan);
            }
        }
    }
    days.into_iter().map(|(day, (grade, plan))| Unit::of_day(day, grade, plan)).collect()
}

/// Says whether nothing is down any more at an instant.
fn ends(interruptions: &[Interruption], at: crate::time::Instant) -> bool {
    let pieces = || interruptions.iter().flat_map(|interruption| &interruption.pieces);
    !pieces().any(|piece| piece.from <= at && piece.to > at)
}

#[cfg(test)]
mod tests {
    use super::super::testing::interruptions;
    use super::*;

    #[track_caller]
    fn check(windows: &[(&str, &str, Grade)], expected: &[i8]) {
        let rome = crate::time::zone("Europe/Rome").unwrap();
        let units = count(&interruptions(windows), &rome);
        let days: Vec<i8> = units.iter().map(|unit| unit.day.day()).collect();
        assert_eq!(days, expected);
    }

    const TOTAL: Grade = Grade::Total;

    #[test]
    fn a_midnight_counts_when_it_passes_without_service() {
        check(&[("2023-02-01T14:00", "2023-02-03T10:00", TOTAL)], &[2, 3]);
        check(&[("2023-02-01T14:00", "2023-02-01T23:59", TOTAL)], &[]);
        check(&[("2023-02-01T14:00", "2023-02-02T00:00", TOTAL)], &[]);
        check(&[("2023-02-01T00:00", "2023-02-02T00:01", TOTAL)], &[2]);
        let adjoining = [
            ("2023-02-01T14:00", "2023-02-02T00:00", TOTAL),
            ("2023-02-02T00:00", "2023-02-02T01:00", TOTAL),
        ];
        check(&adjoining, &[2]);
        let overlapping = [
            ("2023-02-01T14:00", "2023-02-02T12:00", TOTAL),
            ("2023-02-01T20:00", "2023-02-03T12:00", TOTAL),
        ];
        check(&overlapping, &[2, 3]);
    }
}
