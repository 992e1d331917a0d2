//! The closed sets of values that a policy file chooses from, and their names there.

use jiff::Span;
use jiff::civil::Date;

use super::count::UptimePeriod;
use super::reader::Section;
use crate::facts::{Class, Segment};
use crate::remedy::{Payer, RemedyKind};
use crate::rounding::{Exact, OutOfRange, RoundingMode};

/// How badly a unit was hit, from the lowest rate to the highest. A day counts once, at its highest grade.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Grade {
    /// A service without a fee, whatever fails.
    Free,
    /// An accessory service or component.
    Accessory,
    /// A principal component works badly.
    Degraded,
    /// A principal component does not work.
    Total,
}

/// What makes a policy act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TriggerMode {
    /// The operator acts by itself.
    Automatic,
    /// By itself, but only for those who reported the outage in time.
    AfterReport,
    /// Only for those who claim.
    OnClaim,
    /// Only for those who opt in.
    OptIn,
}

/// Until when a report or claim counts. It ends with the whole local day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// Calendar months after the day on which the outage was known, with end-of-month clamp.
    CalendarMonths(u32),
    /// Days after the day on which the outage was known.
    Days(u32),
    /// The ends of so many billing cycles after that in which the outage was known.
    BillingCycles(u32),
    /// Days after the end of the calendar quarter in which the outage was known.
    DaysAfterQuarterEnd(u32),
    /// A day.
    Until(Date),
}

/// What makes a policy act, and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trigger {
    /// What makes it act.
    pub mode: TriggerMode,
    /// Until when; none for without end.
    pub deadline: Option<Deadline>,
    /// Where the rule comes from.
    pub source: String,
}

/// Which day decides whether a policy, or which of its rates, is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionSelector {
    /// Each counted day on its own.
    AccrualDay,
    /// The day of the subscriber's first report.
    ReportDate,
    /// The local day on which the outage began.
    OutageStart,
}

/// Where rounding is applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoundingPoint {
    /// Each unit's amount.
    Unit,
    /// Each line of the trace.
    Line,
    /// The sum of all lines.
    End,
}

/// How, where and to how many places amounts are rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rounding {
    /// The direction.
    pub mode: RoundingMode,
    /// The point.
    pub point: RoundingPoint,
    /// Ten to the number of the currency's minor digits that are dropped: 1 for whole cents.
    pub step_minor: i64,
}

/// What force majeure does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForceMajeure {
    /// Nothing: it is compensated like a fault.
    Covered,
    /// It excludes everything.
    Excluded,
    /// It excludes the time until the necessary works were done.
    UntilWorksDone,
}

/// Whether something is compensated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cover {
    /// It is.
    Covered,
    /// It is not.
    Excluded,
}

/// How an amount meets what was already granted for the same outage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Concurrence {
    /// Both are given.
    Cumulative,
    /// What was granted is subtracted.
    SetOff,
    /// Nothing more is given.
    Unitary,
    /// The policy's own remedy is the only one: what others give is dropped, and after theirs nothing more is given.
    SoleRemedy,
}

impl Grade {
    /// All grades, from the lowest.
    pub const ALL: [Grade; 4] = [Grade::Free, Grade::Accessory, Grade::Degraded, Grade::Total];

    /// Gives the grade's name in a policy file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Grade::Free => "free",
            Grade::Accessory => "accessory",
            Grade::Degraded => "degraded",
            Grade::Total => "total",
        }
    }
}

impl Rounding {
    /// Rounds an exact amount of minor units.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn round(self, amount: Exact) -> Result<i64, OutOfRange> {
        let steps = amount.over(self.step_minor)?.round(self.mode)?;
        steps.checked_mul(self.step_minor).ok_or(OutOfRange)
    }

    /// Rounds one unit's amount where the policy rounds units.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn unit(self, amount: Exact) -> Result<Exact, OutOfRange> {
        match self.point {
            RoundingPoint::Unit => self.round(amount).map(Exact::whole),
            RoundingPoint::Line | RoundingPoint::End => Ok(amount),
        }
    }
}

impl Deadline {
    /// Gives the last local day of the period that begins on `known`. Billing cycles begin on `cycle_day` of a month.
    #[must_use]
    pub fn last_day(self, known: Date, cycle_day: i8) -> Date {
        let last_day = match self {
            Deadline::CalendarMonths(months) => after(known, Span::new().try_months(months)),
            Deadline::Days(days) => after(known, Span::new().try_days(days)),
            Deadline::BillingCycles(cycles) => {
                let around = |day: Date| UptimePeriod::BillingCycle.around(day, cycle_day);
                let next = (0..cycles).try_fold(around(known), |cycle, _| Some(around(cycle?.1)));
                next.flatten().and_then(|(_, next)| next.yesterday().ok())
            }
            Deadline::DaysAfterQuarterEnd(days) => {
                let next = UptimePeriod::CalendarQuarter.around(known, 1).map(|(_, next)| next);
                let last = next.and_then(|next| next.yesterday().ok());
                last.and_then(|last| after(last, Span::new().try_days(days)))
            }
            Deadline::Until(day) => Some(day),
        };
        last_day.unwrap_or(Date::MAX)
    }
}

fn after(day: Date, span: Result<Span, jiff::Error>) -> Option<Date> {
    day.checked_add(span.ok()?).ok()
}

pub(crate) const SEGMENTS: &[(&str, Segment)] =
    &[("consumer", Segment::Consumer), ("business", Segment::Business)];

pub(crate) const CLASSES: &[(&str, Class)] =
    &[("principal", Class::Principal), ("accessory", Class::Accessory), ("free", Class::Free)];

pub(crate) const COMPONENT_CLASSES: &[(&str, Class)] =
    &[("principal", Class::Principal), ("accessory", Class::Accessory)];

pub(crate) const KINDS: &[(&str, RemedyKind)] = &[
    ("indemnity", RemedyKind::Indemnity),
    ("refund", RemedyKind::Refund),
    ("damages", RemedyKind::Damages),
    ("goodwill", RemedyKind::Goodwill),
];

pub(crate) const PAYERS: &[(&str, Payer)] = &[("operator", Payer::Operator), ("fund", Payer::Fund)];

pub(crate) const ROUNDING_MODES: &[(&str, RoundingMode)] = &[
    ("half_up", RoundingMode::HalfUp),
    ("half_even", RoundingMode::HalfEven),
    ("up", RoundingMode::Up),
    ("down", RoundingMode::Down),
];

pub(crate) const ROUNDING_POINTS: &[(&str, RoundingPoint)] =
    &[("unit", RoundingPoint::Unit), ("line", RoundingPoint::Line), ("end", RoundingPoint::End)];

pub(crate) const GRADES: &[(&str, Grade)] = &[
    ("free", Grade::Free),
    ("accessory", Grade::Accessory),
    ("degraded", Grade::Degraded),
    ("total", Grade::Total),
];

pub(crate) const VERSION_SELECTORS: &[(&str, VersionSelector)] = &[
    ("accrual_day", VersionSelector::AccrualDay),
    ("report_date", VersionSelector::ReportDate),
    ("outage_start", VersionSelector::OutageStart),
];

pub(crate) const TRIGGER_MODES: &[(&str, TriggerMode)] = &[
    ("automatic", TriggerMode::Automatic),
    ("after_report", TriggerMode::AfterReport),
    ("on_claim", TriggerMode::OnClaim),
    ("opt_in", TriggerMode::OptIn),
];

pub(crate) const FORCE_MAJEURE: &[(&str, ForceMajeure)] = &[
    ("covered", ForceMajeure::Covered),
    ("excluded", ForceMajeure::Excluded),
    ("until_works_done", ForceMajeure::UntilWorksDone),
];

pub(crate) const COVERS: &[(&str, Cover)] =
    &[("covered", Cover::Covered), ("excluded", Cover::Excluded)];

pub(crate) const CONCURRENCES: &[(&str, Concurrence)] = &[
    ("cumulative", Concurrence::Cumulative),
    ("set_off", Concurrence::SetOff),
    ("unitary", Concurrence::Unitary),
    ("sole_remedy", Concurrence::SoleRemedy),
];

/// Gives the name of a value in its table.
pub(crate) fn name_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, meaning)| meaning == value).map_or("", |(word, _)| word)
}

impl Trigger {
    pub(crate) fn read(section: Section<'_, '_>) -> Option<Trigger> {
        let mode = section.choice("mode", TRIGGER_MODES);
        let deadline = section
            .optional_section("deadline", "{ calendar_months = 3 }")
            .and_then(|deadline| Deadline::read(deadline));
        let source = section.text("source", "\"where the rule comes from\"").map(str::to_owned);
        section.finish();
        Some(Trigger { mode: mode?, deadline, source: source? })
    }
}

impl Deadline {
    fn read(section: Section<'_, '_>) -> Option<Deadline> {
        let bounded = |key| section.optional_whole(key, "3").and_then(bounded);
        let written = [
            bounded("calendar_months").map(Deadline::CalendarMonths),
            bounded("days").map(Deadline::Days),
            bounded("billing_cycles").map(Deadline::BillingCycles),
            bounded("days_after_quarter_end").map(Deadline::DaysAfterQuarterEnd),
            section.optional_date("until", "2024-03-31").map(Deadline::Until),
        ];
        let written: Vec<Deadline> = written.into_iter().flatten().collect();
        let [deadline] = written.as_slice() else {
            let what = "the deadline needs exactly one of calendar_months, days, billing_cycles, days_after_quarter_end (up to 36500) and until";
            section.fault("calendar_months", what, "write deadline = { calendar_months = 3 }");
            section.finish();
            return None;
        };
        section.finish();
        Some(*deadline)
    }
}

fn bounded(value: u64) -> Option<u32> {
    u32::try_from(value).ok().filter(|value| *value <= 36_500)
}

impl Rounding {
    pub(crate) fn read(section: Section<'_, '_>, exponent: u32) -> Option<Rounding> {
        let mode = section.choice("mode", ROUNDING_MODES);
        let point = section.choice("point", ROUNDING_POINTS);
        let places = section.optional_whole("places", "2").unwrap_or(u64::from(exponent));
        let dropped =
            u64::from(exponent).checked_sub(places).and_then(|dropped| dropped.try_into().ok());
        if dropped.is_none() {
            let what = format!("{places} places are more than the currency's {exponent}");
            section.fault("places", what, format!("write places = {exponent} or less"));
        }
        section.finish();
        let step_minor = 10_i64.checked_pow(dropped?)?;
        Some(Rounding { mode: mode?, point: point?, step_minor })
    }
}
