//! What a policy does not compensate: causes, planned work with its notice, arrears and unpaid invoices.

use jiff::civil::Date;
use jiff::{SignedDuration, Span};

use super::fields::{COVERS, Cover, FORCE_MAJEURE, ForceMajeure};
use super::reader::Section;
use crate::time::Instant;

/// What a policy excludes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exclusions {
    /// Force majeure and calamities.
    pub force_majeure: ForceMajeure,
    /// Planned works.
    pub planned: Planned,
    /// The customer's own doing.
    pub customer: Cover,
    /// Subscriptions whose payments are overdue.
    pub arrears: Cover,
    /// Subscriptions with an invoice that was unpaid for so many days when the outage began; none where it is covered.
    pub unpaid_invoices: Option<u32>,
}

/// Whether planned works are compensated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planned {
    /// They are.
    Covered,
    /// They are not.
    Excluded,
    /// They are not where they were announced in time.
    ExcludedAfter(Notice),
}

/// How long before its start planned work has to be announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// So many local days: announced on the 1st, work from the 6th on had five days of notice.
    Days(u32),
    /// So many hours of real time.
    Hours(u32),
}

/// The words of `planned`; the last one needs a notice.
pub(crate) const PLANNED: &[(&str, PlannedName)] = &[
    ("covered", PlannedName::Covered),
    ("excluded", PlannedName::Excluded),
    ("excluded_after_notice", PlannedName::ExcludedAfterNotice),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlannedName {
    Covered,
    Excluded,
    ExcludedAfterNotice,
}

/// The longest notice, and the longest time for which an invoice is unpaid: ten years of days, or that in hours.
const DAYS_LIMIT: u64 = 3_660;

const NOTICE_EXAMPLE: &str = "{ days = 5 }";

impl Exclusions {
    pub(crate) fn read(section: Section<'_, '_>) -> Option<Exclusions> {
        let force_majeure = section.choice("force_majeure", FORCE_MAJEURE);
        let planned = read_planned(&section);
        let customer = section.choice("customer", COVERS);
        let arrears = section.choice("arrears", COVERS);
        let unpaid = section.optional_section("unpaid_invoices", "{ days = 30 }");
        let unpaid_invoices = unpaid.and_then(|unpaid| {
            let days = bounded(&unpaid, "days", "30", DAYS_LIMIT);
            if !unpaid.has("days") {
                let what = "it is open after how many days an invoice excludes";
                unpaid.fault("days", what, "write unpaid_invoices = { days = 30 }");
            }
            unpaid.finish();
            days
        });
        section.finish();
        Some(Exclusions {
            force_majeure: force_majeure?,
            planned: planned?,
            customer: customer?,
            arrears: arrears?,
            unpaid_invoices,
        })
    }
}

fn read_planned(section: &Section<'_, '_>) -> Option<Planned> {
    let name = section.choice("planned", PLANNED)?;
    let notice = section.optional_section("notice", NOTICE_EXAMPLE);
    match (name, notice) {
        (PlannedName::Covered, None) => Some(Planned::Covered),
        (PlannedName::Excluded, None) => Some(Planned::Excluded),
        (PlannedName::ExcludedAfterNotice, Some(notice)) => {
            Notice::read(notice).map(Planned::ExcludedAfter)
        }
        (PlannedName::ExcludedAfterNotice, None) => {
            let what = "planned work is excluded after a notice, and nothing says of how long";
            section.fault("notice", what, format!("write notice = {NOTICE_EXAMPLE}"));
            None
        }
        (PlannedName::Covered | PlannedName::Excluded, Some(_)) => {
            let what = "a notice changes nothing where planned work is covered or excluded anyhow";
            section.fault("notice", what, "write planned = \"excluded_after_notice\"");
            None
        }
    }
}

fn bounded(section: &Section<'_, '_>, key: &'static str, example: &str, most: u64) -> Option<u32> {
    let value = section.optional_whole(key, example)?;
    if value > most {
        section.fault(key, format!("{key} is {value}"), format!("write up to {most}"));
    }
    u32::try_from(value).ok().filter(|_| value <= most)
}

impl Notice {
    fn read(section: Section<'_, '_>) -> Option<Notice> {
        let days = bounded(&section, "days", "5", DAYS_LIMIT);
        let hours = bounded(&section, "hours", "48", DAYS_LIMIT * 24);
        let notice = match (days, hours) {
            (Some(days), None) => Some(Notice::Days(days)),
            (None, Some(hours)) => Some(Notice::Hours(hours)),
            (Some(_), Some(_)) | (None, None) => {
                let what = "the notice needs exactly one of days and hours";
                section.fault("hours", what, format!("write notice = {NOTICE_EXAMPLE}"));
                None
            }
        };
        section.finish();
        notice
    }

    /// Says whether work that began at `started` was announced early enough. `day` gives the local day of an instant.
    pub(crate) fn was_kept(
        self,
        announced: Instant,
        started: Instant,
        day: impl Fn(Instant) -> Date,
    ) -> bool {
        match self {
            Notice::Hours(hours) => {
                started.duration_since(announced) >= SignedDuration::from_hours(i64::from(hours))
            }
            Notice::Days(days) => {
                let least = Span::new().try_days(days).ok();
                let least = least.and_then(|span| day(announced).checked_add(span).ok());
                least.is_some_and(|least| least <= day(started))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(notice: Notice, announced: &str, kept: bool) {
        let rome = crate::time::zone("Europe/Rome").unwrap();
        let at = |text: &str| crate::time::parse_instant(text, &rome).unwrap();
        let day = |instant: Instant| rome.to_datetime(instant).date();
        // The clock is put forward on 26 March 2023 at two o'clock.
        let started = at("2023-03-26T12:00");
        assert_eq!(notice.was_kept(at(announced), started, day), kept, "{announced}");
    }

    #[test]
    fn hours_are_real_and_days_are_local() {
        check(Notice::Hours(24), "2023-03-25T11:00", true);
        check(Notice::Hours(24), "2023-03-25T11:01", false);
        check(Notice::Days(5), "2023-03-21T23:59", true);
        check(Notice::Days(5), "2023-03-22", false);
        check(Notice::Days(0), "2023-03-26T23:00", true);
    }
}
