//! What a rule counts. One way of counting is one file.

mod blocks;
mod late_answer;
mod local_days;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::conventions::{Conventions, DayCount};
use super::fields::Grade;
use super::interruption::Interruption;
use super::reader::Section;
use super::view::View;

/// One counted unit as a trace names it: by its local day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Unit {
    /// The local day that it is, or on which it begins.
    pub day: Date,
    /// How badly it was hit.
    pub grade: Grade,
    /// The place of the plan that was in force, in the list of plans seen.
    pub plan: u16,
}

/// A way of counting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// The outage as a whole, once.
    Outage,
    /// Local days, or 24 hours of real time where the convention says so.
    LocalDay,
    /// Days by which the answer to a claim was late.
    LateAnswerDay {
        /// The days that the operator has to answer.
        due_days: u32,
    },
}

/// Why a rule counted nothing.
pub(crate) struct Nothing {
    pub excluded: &'static str,
    pub text: String,
}

pub(crate) const UNITS: &[(&str, Count)] = &[
    ("outage", Count::Outage),
    ("local_day", Count::LocalDay),
    ("late_answer_day", Count::LateAnswerDay { due_days: 0 }),
];

impl Count {
    pub(crate) fn read(section: Section<'_, '_>) -> Option<Count> {
        let unit = section.choice("unit", UNITS);
        let count = match unit {
            Some(Count::LateAnswerDay { .. }) => late_answer::read(&section),
            Some(Count::Outage | Count::LocalDay) | None => unit,
        };
        section.finish();
        count
    }

    /// Gives the conventions that the counting depends on.
    pub(crate) fn needs(self) -> &'static [&'static str] {
        match self {
            Count::Outage => &["relapse_merge_minutes", "minimum_minutes", "signed_knowing"],
            Count::LocalDay => &[
                "day_count",
                "restoration_day",
                "accessory",
                "relapse_merge_minutes",
                "minimum_minutes",
                "signed_knowing",
            ],
            Count::LateAnswerDay { .. } => &[],
        }
    }

    /// Says whether the rule is about the outage, so that the policy's gates (reports, exclusions) close it.
    pub(crate) fn is_about_outage(self) -> bool {
        match self {
            Count::Outage | Count::LocalDay => true,
            Count::LateAnswerDay { .. } => false,
        }
    }

    /// Says whether units are of different grades, so that each grade needs a rate.
    pub(crate) fn has_grades(self) -> bool {
        match self {
            Count::Outage | Count::LocalDay => true,
            Count::LateAnswerDay { .. } => false,
        }
    }

    /// Counts what depends on the windows alone.
    pub(crate) fn observe(
        self,
        interruptions: &[Interruption],
        zone: &TimeZone,
        conventions: &Conventions,
    ) -> Vec<Unit> {
        match self {
            Count::Outage => once(interruptions, zone),
            Count::LocalDay => match conventions.day_count {
                DayCount::LocalDays => local_days::count(interruptions, zone, conventions),
                DayCount::Completed24h | DayCount::Started24h => {
                    blocks::count_days(interruptions, zone, conventions)
                }
            },
            Count::LateAnswerDay { .. } => Vec::new(),
        }
    }

    /// Counts the rest, from the whole view.
    pub(crate) fn select(self, observed: &[Unit], view: &View<'_>) -> Vec<Unit> {
        match self {
            Count::Outage | Count::LocalDay => observed.to_vec(),
            Count::LateAnswerDay { due_days } => late_answer::count(due_days, view.claims),
        }
    }

    /// Explains why nothing was counted.
    pub(crate) fn nothing(self, view: &View<'_>) -> Nothing {
        match self {
            Count::Outage => Nothing {
                excluded: "NOTHING_COUNTED",
                text: "the outage did not hit this subscription".to_owned(),
            },
            Count::LocalDay => Nothing {
                excluded: "NOTHING_COUNTED",
                text: "no whole unit of time was counted".to_owned(),
            },
            Count::LateAnswerDay { due_days } => late_answer::nothing(due_days, view.claims),
        }
    }

    /// Gives the unit's name in a trace.
    pub(crate) fn unit_name(self, conventions: &Conventions) -> &'static str {
        match self {
            Count::Outage => "outage",
            Count::LocalDay => match conventions.day_count {
                DayCount::LocalDays => "local_day",
                DayCount::Completed24h => "completed_24h",
                DayCount::Started24h => "started_24h",
            },
            Count::LateAnswerDay { .. } => "late_answer_day",
        }
    }
}

/// Counts the outage once, on the day on which it began for this subscription, at its highest grade.
fn once(interruptions: &[Interruption], zone: &TimeZone) -> Vec<Unit> {
    let first = interruptions.iter().map(Interruption::from).min();
    let stretches = interruptions.iter().flat_map(Interruption::stretches);
    let highest =
        stretches.map(|stretch| (stretch.grade, stretch.plan)).max_by_key(|(grade, _)| *grade);
    let unit = first.zip(highest).map(|(from, (grade, plan))| Unit {
        day: zone.to_datetime(from).date(),
        grade,
        plan,
    });
    unit.into_iter().collect()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::super::interruption::{Piece, unite};
    use super::*;
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
        use super::super::conventions::{Accessory, Block, RestorationDay};
        use super::super::fields::{Cover, VersionSelector};
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
}
