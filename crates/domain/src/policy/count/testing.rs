//! What tests of ways of counting share.

use super::*;
use crate::policy::interruption::{Piece, unite};
use crate::time::{parse_instant, zone};

/// Makes interruptions of `(from, to, grade)` in Europe/Rome, merged over 24 hours.
pub(crate) fn interruptions(windows: &[(&str, &str, Grade)]) -> Vec<Interruption> {
    let rome = zone("Europe/Rome").unwrap();
    let at = |text: &str| parse_instant(text, &rome).unwrap();
    let piece = |(from, to, grade): &(&str, &str, Grade)| Piece {
        from: at(from),
        to: at(to),
        grade: *grade,
        plan: 0,
        component: 0,
    };
    unite(windows.iter().map(piece).collect(), jiff::SignedDuration::from_hours(24))
}

/// Conventions as the shipped Italian policies have them.
pub(crate) fn conventions() -> Conventions {
    use crate::policy::conventions::{Accessory, Block, RestorationDay};
    use crate::policy::fields::{Cover, VersionSelector};
    Conventions {
        day_count: DayCount::LocalDays,
        block: Block::Completed,
        restoration_day: RestorationDay::Counts,
        accessory: Accessory::Absorbed,
        signed_knowing: Cover::Covered,
        rate_version: VersionSelector::AccrualDay,
        relapse_merge: jiff::SignedDuration::from_hours(24),
        minimum: jiff::SignedDuration::from_mins(15),
    }
}
