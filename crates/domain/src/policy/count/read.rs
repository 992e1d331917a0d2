//! Reads a way of counting from a policy file: each has its own keys, and a key that it does not have is refused.

use super::super::calendar::{Calendar, calendars};
use super::super::fields::{GRADES, name_of};
use super::super::reader::Section;
use super::super::suggest::nearest;
use super::clock::CLOCKS;
use super::hour_blocks::HourBlock;
use super::uptime::UptimeOf;
use super::{Clock, Count, Counted, Grace, TimeUnit, late_answer};

/// The names of what is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitName {
    Outage,
    LocalDay,
    Midnight,
    WorkingDay,
    Minute,
    Second,
    HourBlock,
    Uptime,
    Appointment,
    LateStartDay,
    Passenger,
    RecognisedClaim,
    LateAnswerDay,
}

pub(crate) const UNITS: &[(&str, UnitName)] = &[
    ("outage", UnitName::Outage),
    ("local_day", UnitName::LocalDay),
    ("midnight", UnitName::Midnight),
    ("working_day", UnitName::WorkingDay),
    ("minute", UnitName::Minute),
    ("second", UnitName::Second),
    ("hour_block", UnitName::HourBlock),
    ("uptime", UnitName::Uptime),
    ("appointment", UnitName::Appointment),
    ("late_start_day", UnitName::LateStartDay),
    ("passenger", UnitName::Passenger),
    ("recognised_claim", UnitName::RecognisedClaim),
    ("late_answer_day", UnitName::LateAnswerDay),
];

/// Gives the word of what is counted.
pub(crate) fn unit_word(what: Counted) -> &'static str {
    let name = match what {
        Counted::Outage => UnitName::Outage,
        Counted::LocalDay => UnitName::LocalDay,
        Counted::Midnight => UnitName::Midnight,
        Counted::WorkingDay(_) => UnitName::WorkingDay,
        Counted::RealTime(TimeUnit::Minute) => UnitName::Minute,
        Counted::RealTime(TimeUnit::Second) => UnitName::Second,
        Counted::HourBlock(_) => UnitName::HourBlock,
        Counted::Uptime(_) => UnitName::Uptime,
        Counted::Appointment => UnitName::Appointment,
        Counted::LateStartDay => UnitName::LateStartDay,
        Counted::Passenger => UnitName::Passenger,
        Counted::RecognisedClaim => UnitName::RecognisedClaim,
        Counted::LateAnswerDay { .. } => UnitName::LateAnswerDay,
    };
    name_of(UNITS, &name)
}

/// Says whether what is counted can be of different grades.
pub(crate) fn has_grades(what: Counted) -> bool {
    match what {
        Counted::Outage
        | Counted::LocalDay
        | Counted::Midnight
        | Counted::WorkingDay(_)
        | Counted::RealTime(_)
        | Counted::HourBlock(_) => true,
        Counted::Uptime(_)
        | Counted::Appointment
        | Counted::LateStartDay
        | Counted::Passenger
        | Counted::RecognisedClaim
        | Counted::LateAnswerDay { .. } => false,
    }
}

impl Count {
    pub(crate) fn read(section: Section<'_, '_>) -> Option<Count> {
        let what = match section.choice("unit", UNITS) {
            Some(UnitName::Outage) => Some(Counted::Outage),
            Some(UnitName::LocalDay) => Some(Counted::LocalDay),
            Some(UnitName::Midnight) => Some(Counted::Midnight),
            Some(UnitName::WorkingDay) => read_calendar(&section).map(Counted::WorkingDay),
            Some(UnitName::Minute) => Some(Counted::RealTime(TimeUnit::Minute)),
            Some(UnitName::Second) => Some(Counted::RealTime(TimeUnit::Second)),
            Some(UnitName::HourBlock) => HourBlock::read(&section).map(Counted::HourBlock),
            Some(UnitName::Uptime) => UptimeOf::read(&section).map(Counted::Uptime),
            Some(UnitName::Appointment) => Some(Counted::Appointment),
            Some(UnitName::LateStartDay) => Some(Counted::LateStartDay),
            Some(UnitName::Passenger) => Some(Counted::Passenger),
            Some(UnitName::RecognisedClaim) => Some(Counted::RecognisedClaim),
            Some(UnitName::LateAnswerDay) => late_answer::read(&section),
            None => None,
        };
        let Some(what) = what else {
            return None; // The unit is a fault already; keys that only another unit has would be more of them.
        };
        let by_windows = has_grades(what) || matches!(what, Counted::Uptime(_));
        let grades = if by_windows { read_grades(&section) } else { Some([true; 4]) };
        let (clock, grace) = match what {
            Counted::LocalDay
            | Counted::Midnight
            | Counted::WorkingDay(_)
            | Counted::RealTime(_) => {
                let clock = section.optional_choice("clock", CLOCKS);
                (clock.unwrap_or(Clock::OutageStart), read_grace(&section, what))
            }
            Counted::Outage
            | Counted::HourBlock(_)
            | Counted::Uptime(_)
            | Counted::Appointment
            | Counted::LateStartDay
            | Counted::Passenger
            | Counted::RecognisedClaim
            | Counted::LateAnswerDay { .. } => (Clock::OutageStart, Some(Grace::None)),
        };
        let capped = !matches!(what, Counted::Outage | Counted::HourBlock(_));
        let most = if capped { section.optional_whole("most", "60") } else { None };
        section.finish();
        let most = most.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
        Some(Count { what, grades: grades?, clock, grace: grace?, most })
    }
}

/// Reads which grades count; all of them where the key is missing.
fn read_grades(section: &Section<'_, '_>) -> Option<[bool; 4]> {
    if !section.has("grades") {
        section.texts("grades", "[\"total\"]");
        return Some([true; 4]);
    }
    let names: Vec<&str> = GRADES.iter().map(|(name, _)| *name).collect();
    let mut grades = [false; 4];
    let texts = section.texts("grades", "[\"total\"]");
    for text in &texts {
        match GRADES.iter().find(|(name, _)| name == text) {
            Some((_, grade)) => grades[*grade as usize] = true,
            None => {
                let hint = nearest(text, &names)
                    .map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
                let what = format!("\"grades\" does not know {text:?}{hint}");
                section.fault("grades", what, format!("choose from {}", names.join(", ")));
                return None;
            }
        }
    }
    if texts.is_empty() {
        section.fault("grades", "no grade counts", "write grades = [\"total\"], or remove it");
        return None;
    }
    Some(grades)
}

/// The longest grace: ten years of days, and that in hours and in minutes.
const DAYS_LIMIT: u64 = 3_660;

/// Reads the grace; none of it where the key is missing.
fn read_grace(section: &Section<'_, '_>, what: Counted) -> Option<Grace> {
    let example = "{ working_days = 2, calendar = \"england\" }";
    let Some(grace) = section.optional_section("grace", example) else {
        return (!section.has("grace")).then_some(Grace::None);
    };
    let bounded = |key: &'static str, most: u64| {
        let value = grace.optional_whole(key, "2")?;
        u32::try_from(value).ok().filter(|_| value <= most)
    };
    let written = [
        bounded("calendar_days", DAYS_LIMIT).map(Grace::CalendarDays),
        bounded("working_days", DAYS_LIMIT)
            .and_then(|days| Some(Grace::WorkingDays(days, read_calendar(&grace)?))),
        bounded("hours", DAYS_LIMIT * 24).map(Grace::Hours),
        bounded("minutes", DAYS_LIMIT * 24 * 60).map(Grace::Minutes),
    ];
    let written: Vec<Grace> = written.into_iter().flatten().collect();
    let read = match written.as_slice() {
        [one] => Some(*one),
        [] if grace.has("working_days") && !grace.has("calendar") => None, // The calendar is a fault already.
        [] | [_, ..] => {
            let what = format!(
                "the grace needs exactly one of calendar_days, working_days (up to {DAYS_LIMIT}), hours and minutes (up to as long)"
            );
            section.fault("grace", what, format!("write grace = {example}"));
            None
        }
    };
    let by_days = matches!(read, Some(Grace::CalendarDays(_) | Grace::WorkingDays(..)));
    if by_days && let Counted::RealTime(unit) = what {
        let what = format!("a grace of whole days leaves out no {}s", unit.name());
        section.fault("grace", what, "write grace = { hours = 48 }");
    }
    grace.finish();
    read
}

fn read_calendar(section: &Section<'_, '_>) -> Option<&'static Calendar> {
    let id = section.text("calendar", "\"england\"")?;
    let found = calendars().iter().find(|calendar| calendar.id() == id);
    if found.is_none() {
        let known: Vec<&str> = calendars().iter().map(Calendar::id).collect();
        let what = format!("there is no calendar {id:?}");
        section.fault("calendar", what, format!("choose from {}", known.join(", ")));
    }
    found
}
