//! From when on days count, what grace is left out, and how many count at most.
//!
//! The day on which the clock starts is day 0 and does not count; without a clock of its own a count starts with the
//! first day that was hit. A day's index is its place among the days after that, grace included.

use jiff::civil::Date;

use super::super::amount::day_ranges;
use super::super::calendar::Calendar;
use super::super::error::Refusal;
use super::super::view::{Report, View};
use super::{Count, Counted, LeftOut, Selected, Unit};

/// What starts the clock of days.
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
}

pub(crate) const CLOCKS: &[(&str, Clock)] = &[
    ("outage_start", Clock::OutageStart),
    ("report", Clock::Report),
    ("claim", Clock::Claim),
    ("known", Clock::Known),
];

/// Keeps what the clock and the grace leave of the observed days.
pub(super) fn select(
    count: &Count,
    observed: &[Unit],
    view: &View<'_>,
) -> Result<Selected, Refusal> {
    let mut selected = Selected::default();
    let Some(first) = observed.first().map(|unit| unit.day) else { return Ok(selected) };
    let Some((day_zero, why)) = day_zero(count, first, view) else { return Ok(selected) };
    let mut units: Vec<Unit> =
        observed.iter().filter(|unit| day_zero < Some(unit.day)).copied().collect();
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
    let before = observed.iter().filter(|unit| day_zero >= Some(unit.day)).map(|unit| unit.day);
    leave_out(before, "BEFORE_THE_CLOCK", why, &mut selected);
    let why = grace_text(count.grace);
    leave_out(early.iter().map(|unit| unit.day), "WITHIN_GRACE", &why, &mut selected);
    selected.units = kept;
    Ok(selected)
}

/// Keeps the first units and says that the others are above the cap.
pub(super) fn keep_first(most: u32, selected: &mut Selected) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if selected.units.len() > most {
        let above = selected.units.split_off(most);
        let why = format!("only the first {most} count");
        leave_out(above.iter().map(|unit| unit.day), "ABOVE_THE_CAP", &why, selected);
    }
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

/// Gives day 0, none where every day counts, and why the days up to it do not; nothing where the clock never started.
fn day_zero<'v>(count: &Count, first: Date, view: &'v View<'_>) -> Option<(Option<Date>, &'v str)> {
    // A midnight is named by the day that it begins, so the outage began on the day before.
    let is_midnight = count.what == Counted::Midnight;
    let begun = if is_midnight { first.yesterday().unwrap_or(first) } else { first };
    match count.clock {
        Clock::OutageStart => Some((None, "")),
        Clock::Report => match view.report {
            Report::On(day) => Some((Some(day.max(begun)), "up to the day of the report")),
            Report::Declared => Some((Some(begun), "the day on which it began, declared for all")),
            Report::Nobody | Report::NotAsked => None,
        },
        Clock::Claim => {
            let claim = view.seen.claims.first()?;
            Some((Some(claim.received.max(begun)), "up to the day of the claim"))
        }
        Clock::Known => {
            Some((Some(view.known_on?.max(begun)), "up to the day on which it was known"))
        }
    }
}

/// Makes the question whether a unit is after the grace.
fn counts_after(
    grace: Grace,
    day_zero: Option<Date>,
    first: Date,
) -> Result<impl Fn(&Unit) -> bool, Refusal> {
    let (days, until) = match grace {
        Grace::None => (0, None),
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
    }
}
