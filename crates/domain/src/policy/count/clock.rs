//! From when on days, minutes and seconds count, what grace is left out, and how many count at most.
//!
//! The day on which the clock starts is day 0 and does not count; without a clock of its own a count starts with the
//! first day that was hit. A day's index is its place among the days after that, grace included. A grace of real time
//! lets the clock start that much later. Minutes and seconds count from the very instant.

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::amount::day_ranges;
use super::super::calendar::Calendar;
use super::super::error::Refusal;
use super::super::interruption::Interruption;
use super::super::view::{Report, View};
use super::{Count, Counted, LeftOut, Observed, Selected, Unit, local_days};
use crate::time::Instant;

/// What starts the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// The outage, for this subscription.
    OutageStart,
    /// The subscriber's first report, or the outage where the operator declared it.
    Report,
    /// The first claim.
    Claim,
    /// The day on which the outage was known.
    Known,
    /// The operator's declaration.
    Declaration,
}

/// What is left out at the beginning.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Grace {
    /// Nothing.
    None,
    /// The first counted days.
    CalendarDays(u32),
    /// Everything until so many full working days have passed.
    WorkingDays(u32, &'static Calendar),
    /// So many hours of real time: the clock starts that much later.
    Hours(u32),
    /// So many minutes of real time.
    Minutes(u32),
}

/// When a clock starts, as an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    /// With what the subscription felt.
    WithTheOutage,
    /// At an instant, or with what the subscription felt where that is later.
    At(Instant),
    /// Never.
    Never,
}

pub(crate) const CLOCKS: &[(&str, Clock)] = &[
    ("outage_start", Clock::OutageStart),
    ("report", Clock::Report),
    ("claim", Clock::Claim),
    ("known", Clock::Known),
    ("declaration", Clock::Declaration),
];

impl Grace {
    /// Gives a grace of real time.
    pub(super) fn time(self) -> Option<SignedDuration> {
        match self {
            Grace::None | Grace::CalendarDays(_) | Grace::WorkingDays(..) => None,
            Grace::Hours(hours) => Some(SignedDuration::from_hours(i64::from(hours))),
            Grace::Minutes(minutes) => Some(SignedDuration::from_mins(i64::from(minutes))),
        }
    }
}

/// Counts where an instant decides: `units` counts what is left of interruptions.
pub(super) fn observe(
    count: &Count,
    interruptions: &[Interruption],
    (zone, start): (&TimeZone, Start),
    units: impl Fn(&[Interruption]) -> Vec<Unit>,
) -> Observed {
    let Some(begun) = interruptions.iter().map(Interruption::from).min() else {
        return Observed::default();
    };
    let clock = match start {
        Start::WithTheOutage => begun,
        Start::At(instant) => begun.max(instant),
        Start::Never if count.is_cut() => return Observed::default(),
        Start::Never => return Observed { units: units(interruptions), ..Observed::default() },
    };
    let grace = count.grace.time().unwrap_or(SignedDuration::ZERO);
    let from = clock.checked_add(grace).unwrap_or(Instant::MAX);
    let within = |from: Instant, to: Instant| -> Vec<Interruption> {
        interruptions.iter().filter_map(|interruption| interruption.within(from, to)).collect()
    };
    if count.is_cut() {
        return Observed {
            units: units(&within(from, Instant::MAX)),
            before: local_days::touched(&within(begun, clock), zone),
            early: local_days::touched(&within(clock, from), zone),
            day_zero: None,
        };
    }
    if count.clock != Clock::OutageStart {
        let day_zero = Some(zone.to_datetime(from).date());
        return Observed { units: units(interruptions), day_zero, ..Observed::default() };
    }
    let kept = units(&within(from, Instant::MAX));
    let is_left = |unit: &Unit| !kept.iter().any(|one| one.day == unit.day);
    let early: Vec<Date> =
        units(interruptions).iter().filter(|unit| is_left(unit)).map(|unit| unit.day).collect();
    Observed { early, units: kept, ..Observed::default() }
}

/// Keeps what the clock and the grace leave of the observed days.
pub(super) fn select(
    count: &Count,
    observed: &Observed,
    view: &View<'_>,
) -> Result<Selected, Refusal> {
    let mut selected = Selected::default();
    let why = grace_text(count.grace);
    leave_out(observed.early.iter().copied(), "WITHIN_GRACE", &why, &mut selected);
    let Some(first) = observed.units.first().map(|unit| unit.day) else { return Ok(selected) };
    let (clock_day, before) = match day_zero(count, first, view) {
        Ok(started) => started,
        Err(never) => {
            selected.left_out.push(never);
            return Ok(selected);
        }
    };
    let day_zero = clock_day.max(observed.day_zero);
    let mut units: Vec<Unit> =
        observed.units.iter().filter(|unit| day_zero < Some(unit.day)).copied().collect();
    if let Counted::WorkingDay(calendar) = count.what {
        let mut unknown = None;
        units.retain(|unit| {
            calendar.is_working_day(unit.day).unwrap_or_else(|| {
                unknown = Some(unit.day);
                false
            })
        });
        unknown.map_or(Ok(()), |day| Err(Refusal::calendar_ends(calendar.id(), day)))?;
    }
    for (place, unit) in units.iter_mut().enumerate() {
        unit.index = u32::try_from(place + 1).unwrap_or(u32::MAX);
    }
    let counts = counts_after(count.grace, day_zero, first)?;
    let (kept, early): (Vec<Unit>, Vec<Unit>) = units.into_iter().partition(counts);
    let days = || observed.units.iter().map(|unit| unit.day);
    let up_to_clock = days().filter(|day| clock_day >= Some(*day));
    leave_out(up_to_clock, "BEFORE_THE_CLOCK", before, &mut selected);
    let in_time = days().filter(|day| clock_day < Some(*day) && day_zero >= Some(*day));
    leave_out(in_time, "WITHIN_GRACE", &why, &mut selected);
    leave_out(early.iter().map(|unit| unit.day), "WITHIN_GRACE", &why, &mut selected);
    selected.units = kept;
    Ok(selected)
}

/// Gives the observed minutes or seconds, and says what lies before the clock and within the grace.
pub(super) fn select_time(count: &Count, observed: &Observed, view: &View<'_>) -> Selected {
    let mut selected = Selected { units: observed.units.clone(), left_out: Vec::new() };
    match day_zero(count, Date::MIN, view) {
        Ok((_, before)) => {
            let before = before.replace("up to the day of", "up to");
            let days = observed.before.iter().copied();
            leave_out(days, "BEFORE_THE_CLOCK", &before, &mut selected);
        }
        Err(never) => selected.left_out.push(never),
    }
    let why = grace_text(count.grace);
    leave_out(observed.early.iter().copied(), "WITHIN_GRACE", &why, &mut selected);
    selected
}

/// Keeps the first units and says that the others are above the cap.
pub(super) fn keep_first(most: u32, selected: &mut Selected) {
    let (mut left, mut above) = (most, Vec::new());
    selected.units.retain_mut(|unit| {
        if unit.times > left {
            above.push(unit.day);
        }
        unit.times = unit.times.min(left);
        left -= unit.times;
        unit.times > 0
    });
    let why = format!("only the first {most} count");
    leave_out(above.into_iter(), "ABOVE_THE_CAP", &why, selected);
}

fn leave_out(
    days: impl Iterator<Item = Date>,
    excluded: &'static str,
    why: &str,
    selected: &mut Selected,
) {
    let mut days = days.peekable();
    if days.peek().is_some() {
        let text = format!("not counted: {}: {why}", day_ranges(days));
        selected.left_out.push(LeftOut { excluded, text });
    }
}

/// Gives day 0, none where every day counts, and why the days up to it do not; or why the clock never started.
fn day_zero(
    count: &Count,
    first: Date,
    view: &View<'_>,
) -> Result<(Option<Date>, &'static str), LeftOut> {
    // A midnight is named by the day that it begins, so the outage began on the day before.
    let is_midnight = count.what == Counted::Midnight;
    let begun = if is_midnight { first.yesterday().unwrap_or(first) } else { first };
    let never = |excluded: &'static str, what: &str| LeftOut {
        excluded,
        text: format!("the clock never started: {what}"),
    };
    match count.clock {
        Clock::OutageStart => Ok((None, "")),
        Clock::Report => match view.report {
            Report::On(day) => Ok((Some(day.max(begun)), "up to the day of the report")),
            Report::Declared => Ok((Some(begun), "the day on which it began, declared for all")),
            Report::Nobody | Report::NotAsked => {
                Err(never("NOT_REPORTED", "nobody reported the outage"))
            }
        },
        Clock::Claim => match view.seen.claims.first() {
            Some(claim) => Ok((Some(claim.received.max(begun)), "up to the day of the claim")),
            None => Err(never("NOT_CLAIMED", "nothing was claimed")),
        },
        Clock::Known => match view.known_on {
            Some(day) => Ok((Some(day.max(begun)), "up to the day on which it was known")),
            None => Err(never("NOT_KNOWN", "nobody knew of the outage")),
        },
        Clock::Declaration => match view.declared_on {
            Some(day) => Ok((Some(day.max(begun)), "up to the day of the declaration")),
            None => {
                Err(never("NOT_DECLARED", "it is not known that and when the outage was declared"))
            }
        },
    }
}

/// Makes the question whether a unit is after the grace.
fn counts_after(
    grace: Grace,
    day_zero: Option<Date>,
    first: Date,
) -> Result<impl Fn(&Unit) -> bool, Refusal> {
    let (days, until) = match grace {
        Grace::None | Grace::Hours(_) | Grace::Minutes(_) => (0, None),
        Grace::CalendarDays(days) => (days, None),
        Grace::WorkingDays(days, calendar) => {
            let from = day_zero.or(first.yesterday().ok()).unwrap_or(first);
            let until = calendar.working_days_after(from, days);
            (0, Some(until.ok_or_else(|| Refusal::calendar_ends(calendar.id(), from))?))
        }
    };
    Ok(move |unit: &Unit| unit.index > days && until < Some(unit.day))
}

fn grace_text(grace: Grace) -> String {
    match grace {
        Grace::None => String::new(),
        Grace::CalendarDays(days) => format!("within the grace of {days} days"),
        Grace::WorkingDays(days, calendar) => {
            format!("within the grace of {days} full working days ({})", calendar.describe())
        }
        Grace::Hours(hours) => format!("within the grace of {hours} hours"),
        Grace::Minutes(minutes) => format!("within the grace of {minutes} minutes"),
    }
}
