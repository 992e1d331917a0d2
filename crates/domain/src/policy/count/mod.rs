//! What a rule counts. One way of counting is one file.

mod appointments;
mod blocks;
mod clock;
mod hour_blocks;
mod late_answer;
mod late_start;
mod local_days;
mod midnights;
mod passengers;
mod read;
mod real_time;
mod recognised;
#[cfg(test)]
pub(crate) mod testing;
mod uptime;

use jiff::civil::Date;
use jiff::tz::TimeZone;

pub(crate) use clock::{CLOCKS, Start};
pub use clock::{Clock, Grace};
pub use hour_blocks::HourBlock;
#[cfg(test)]
pub(crate) use read::UNITS;
pub(crate) use read::{has_grades, unit_word};
pub use real_time::TimeUnit;
#[cfg(test)]
pub(crate) use uptime::{PERIODS, UPTIME_OF};
pub use uptime::{UptimeOf, UptimePeriod};

use super::Policy;
use super::calendar::Calendar;
use super::conventions::{Conventions, DayCount};
use super::error::Refusal;
use super::fields::Grade;
use super::interruption::Interruption;
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
    /// Its place in its row, from 1: the how manieth day since the clock started, the block of its interruption.
    pub index: u32,
    /// How many of it: of minutes and seconds those of a local day at one grade; else 1.
    pub times: u32,
    /// Of a period: the whole seconds for which the service was down in it; else 0.
    pub down_seconds: u32,
    /// Of a period: its length in seconds; else 0.
    pub of_seconds: u32,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Counted {
    /// The outage as a whole, once.
    Outage,
    /// Local days, or 24 hours of real time where the convention says so.
    LocalDay,
    /// Local midnights that passed while the service was down; each is named by the day that it begins.
    Midnight,
    /// Local days that are working days of a calendar.
    WorkingDay(&'static Calendar),
    /// Minutes or seconds of real time in which the service was down.
    RealTime(TimeUnit),
    /// Blocks of hours of real time, per interruption.
    HourBlock(HourBlock),
    /// Periods in which the service was down, with their uptime.
    Uptime(UptimeOf),
    /// Appointments that were missed or cancelled at short notice.
    Appointment,
    /// Days by which the start of the service was late.
    LateStartDay,
    /// Passengers of a journey.
    Passenger,
    /// Claims whose damages were recognised.
    RecognisedClaim,
    /// Days by which the answer to a claim was late.
    LateAnswerDay {
        /// The days that the operator has to answer.
        due_days: u32,
    },
}

/// A way of counting: what, from when on, and how many at most.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Count {
    /// What is counted.
    pub what: Counted,
    /// Which grades count, in the order of `Grade::ALL`.
    pub grades: [bool; 4],
    /// What starts the clock of days.
    pub clock: Clock,
    /// What is left out at the beginning.
    pub grace: Grace,
    /// The most units that count.
    pub most: Option<u32>,
}

/// What was counted of the windows, before anything else about the case is looked at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Observed {
    pub units: Vec<Unit>,
    /// The days that were hit before the clock started, where the count is cut at an instant.
    pub before: Vec<Date>,
    /// The days that were hit within a grace of real time alone.
    pub early: Vec<Date>,
    /// The local day on which a grace of real time ends, where the clock is not that of the outage.
    pub day_zero: Option<Date>,
}

/// What was counted, and what of it was left out and why.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Selected {
    pub units: Vec<Unit>,
    pub left_out: Vec<LeftOut>,
}

/// Units that do not count.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct LeftOut {
    pub excluded: &'static str,
    pub text: String,
}

impl Unit {
    /// Makes the unit of a day.
    pub(crate) fn of_day(day: Date, grade: Grade, plan: u16) -> Unit {
        Unit { day, grade, plan, index: 1, times: 1, down_seconds: 0, of_seconds: 0 }
    }
}

impl Count {
    /// Gives the conventions that the counting depends on.
    pub(crate) fn needs(&self) -> &'static [&'static str] {
        match self.what {
            Counted::Outage | Counted::Midnight | Counted::Uptime(_) => {
                &["relapse_merge_minutes", "minimum_minutes", "signed_knowing"]
            }
            Counted::HourBlock(_) => {
                &["block", "relapse_merge_minutes", "minimum_minutes", "signed_knowing"]
            }
            Counted::RealTime(TimeUnit::Minute) => &[
                "block",
                "accessory",
                "relapse_merge_minutes",
                "minimum_minutes",
                "signed_knowing",
            ],
            Counted::RealTime(TimeUnit::Second) => {
                &["accessory", "relapse_merge_minutes", "minimum_minutes", "signed_knowing"]
            }
            Counted::LocalDay => &[
                "day_count",
                "restoration_day",
                "accessory",
                "relapse_merge_minutes",
                "minimum_minutes",
                "signed_knowing",
            ],
            Counted::WorkingDay(_) => &[
                "restoration_day",
                "accessory",
                "relapse_merge_minutes",
                "minimum_minutes",
                "signed_knowing",
            ],
            Counted::Appointment
            | Counted::LateStartDay
            | Counted::Passenger
            | Counted::RecognisedClaim
            | Counted::LateAnswerDay { .. } => &[],
        }
    }

    /// Says whether the rule is about the outage, so that the policy's gates (reports, exclusions) close it.
    pub(crate) fn is_about_outage(&self) -> bool {
        match self.what {
            Counted::Outage
            | Counted::LocalDay
            | Counted::Midnight
            | Counted::WorkingDay(_)
            | Counted::RealTime(_)
            | Counted::HourBlock(_)
            | Counted::Uptime(_) => true,
            Counted::Appointment
            | Counted::LateStartDay
            | Counted::Passenger
            | Counted::RecognisedClaim
            | Counted::LateAnswerDay { .. } => false,
        }
    }

    /// Says whether units are of different grades, so that each grade needs a rate.
    pub(crate) fn has_grades(&self) -> bool {
        has_grades(self.what) && self.grades == [true; 4]
    }

    /// Counts what depends on the windows and on when the clock starts. `started_on` is the day of the month on which the
    /// subscription began.
    pub(crate) fn observe(
        &self,
        interruptions: &[Interruption],
        policy: &Policy,
        started_on: i8,
        start: Start,
    ) -> Observed {
        let kept = self.of_grades(interruptions);
        let interruptions = kept.as_deref().unwrap_or(interruptions);
        let units = |of: &[Interruption]| self.units(of, policy, started_on);
        if self.is_cut() || self.grace.time().is_some() {
            return clock::observe(self, interruptions, (&policy.zone, start), units);
        }
        Observed { units: units(interruptions), ..Observed::default() }
    }

    fn units(&self, interruptions: &[Interruption], policy: &Policy, started_on: i8) -> Vec<Unit> {
        let Policy { zone, conventions, .. } = policy;
        let local_days = || local_days::count(interruptions, zone, conventions);
        match self.what {
            Counted::Outage => once(interruptions, zone),
            Counted::LocalDay => match conventions.day_count {
                DayCount::LocalDays => local_days(),
                DayCount::Completed24h | DayCount::Started24h => {
                    blocks::count_days(interruptions, zone, conventions)
                }
            },
            Counted::Midnight => midnights::count(interruptions, zone),
            Counted::WorkingDay(_) => local_days(),
            Counted::RealTime(unit) => real_time::count(unit, interruptions, zone, conventions),
            Counted::HourBlock(block) => {
                hour_blocks::count(block, conventions.block, interruptions, zone)
            }
            Counted::Uptime(of) => uptime::count(of, interruptions, zone, started_on),
            Counted::Appointment
            | Counted::LateStartDay
            | Counted::Passenger
            | Counted::RecognisedClaim
            | Counted::LateAnswerDay { .. } => Vec::new(),
        }
    }

    /// Says whether the count begins at an instant, not with a day.
    fn is_cut(&self) -> bool {
        matches!(self.what, Counted::RealTime(_))
    }

    /// Says whether the instant is looked at at which a clock of the case's own starts.
    pub(crate) fn sees_instant(&self) -> bool {
        self.clock != Clock::OutageStart && (self.is_cut() || self.grace.time().is_some())
    }

    /// Gives where the billing cycles that are counted begin: on a day of the month, or none for that of the
    /// subscription's start; nothing where no billing cycles are counted.
    pub(crate) fn billing_cycle(&self) -> Option<Option<i8>> {
        match self.what {
            Counted::Uptime(of) if of.period == UptimePeriod::BillingCycle => Some(of.cycle_day),
            Counted::Uptime(_)
            | Counted::Outage
            | Counted::LocalDay
            | Counted::Midnight
            | Counted::WorkingDay(_)
            | Counted::RealTime(_)
            | Counted::HourBlock(_)
            | Counted::Appointment
            | Counted::LateStartDay
            | Counted::Passenger
            | Counted::RecognisedClaim
            | Counted::LateAnswerDay { .. } => None,
        }
    }

    /// Keeps the pieces of the grades that count; none where all of them do.
    fn of_grades(&self, interruptions: &[Interruption]) -> Option<Vec<Interruption>> {
        if self.grades == [true; 4] {
            return None;
        }
        let counts = |grade: Grade| self.grades[grade as usize];
        let kept = interruptions.iter().map(|interruption| Interruption {
            pieces: interruption
                .pieces
                .iter()
                .filter(|piece| counts(piece.grade))
                .copied()
                .collect(),
        });
        Some(kept.filter(|interruption| !interruption.pieces.is_empty()).collect())
    }

    /// Counts the rest, from the whole view: from when on, and up to how many.
    pub(crate) fn select(&self, observed: &Observed, view: &View<'_>) -> Result<Selected, Refusal> {
        let mut selected = match self.what {
            Counted::LocalDay | Counted::Midnight | Counted::WorkingDay(_) => {
                clock::select(self, observed, view)?
            }
            Counted::RealTime(_) => clock::select_time(self, observed, view),
            Counted::Outage | Counted::HourBlock(_) | Counted::Uptime(_) => {
                Selected { units: observed.units.clone(), left_out: Vec::new() }
            }
            Counted::Appointment => appointments::count(view),
            Counted::LateStartDay => late_start::count(view),
            Counted::Passenger => passengers::count(view),
            Counted::RecognisedClaim => recognised::count(view),
            Counted::LateAnswerDay { due_days } => late_answer::count(due_days, &view.seen.claims),
        };
        if let Some(most) = self.most {
            clock::keep_first(most, &mut selected);
        }
        if selected.units.is_empty() && selected.left_out.is_empty() {
            let text = if self.what == Counted::Outage {
                "the outage did not hit this subscription"
            } else {
                "no whole unit of time was counted"
            };
            selected.left_out.push(LeftOut { excluded: "NOTHING_COUNTED", text: text.to_owned() });
        }
        Ok(selected)
    }

    /// Gives the unit's name in a trace.
    pub(crate) fn unit_name(&self, conventions: &Conventions) -> &'static str {
        match self.what {
            Counted::Outage => "outage",
            Counted::LocalDay => match conventions.day_count {
                DayCount::LocalDays => "local_day",
                DayCount::Completed24h => "completed_24h",
                DayCount::Started24h => "started_24h",
            },
            Counted::Midnight => "midnight",
            Counted::WorkingDay(_) => "working_day",
            Counted::RealTime(unit) => unit.name(),
            Counted::HourBlock(_) => "hour_block",
            Counted::Uptime(of) => of.period.name(),
            Counted::Appointment => "appointment",
            Counted::LateStartDay => "late_start_day",
            Counted::Passenger => "passenger",
            Counted::RecognisedClaim => "claim",
            Counted::LateAnswerDay { .. } => "late_answer_day",
        }
    }
}

/// Counts the outage once, on the day on which it began for this subscription, at its highest grade.
fn once(interruptions: &[Interruption], zone: &TimeZone) -> Vec<Unit> {
    let first = interruptions.iter().map(Interruption::from).min();
    let stretches = interruptions.iter().flat_map(Interruption::stretches);
    let highest =
        stretches.map(|stretch| (stretch.grade, stretch.plan)).max_by_key(|(grade, _)| *grade);
    let unit = first
        .zip(highest)
        .map(|(from, (grade, plan))| Unit::of_day(zone.to_datetime(from).date(), grade, plan));
    unit.into_iter().collect()
}
