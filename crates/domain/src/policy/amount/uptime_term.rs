//! Days added to the term, by a period's uptime.
//!
//! Google Workspace: below 99.9 % 3 days, below 99.0 % 7, below 95.0 % 15.

use super::term::{Term, extended_text};
use super::tiers::{Tiers, shown};
use super::{Draft, Given, Value};
use crate::policy::error::Refusal;
use crate::policy::reader::Section;
use crate::remedy::Grant;

/// Days by uptime.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UptimeTerm {
    tiers: Tiers<u32>,
}

impl UptimeTerm {
    pub(super) fn read(section: &Section<'_, '_>) -> Option<UptimeTerm> {
        let tiers = Tiers::read(section, |table| {
            let days = table.whole("days", "3")?;
            let fits = days <= 366;
            if !fits {
                table.fault("days", format!("{days} days are more than a year"), "write up to 366");
            }
            u32::try_from(days).ok().filter(|_| fits)
        });
        tiers.map(|tiers| UptimeTerm { tiers })
    }

    /// Gives one line for the days of all periods together, after one for each period that kept its uptime.
    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        let out_of_range = Refusal::out_of_range(&given.rule.id);
        let (mut drafts, mut days, mut reasons) = (Vec::new(), 0_u32, Vec::new());
        for unit in given.units {
            let head = format!("{} from {}: {}", given.unit_name, unit.day, shown(unit));
            match self.tiers.of(unit).map_err(&out_of_range)? {
                Some((more, tier)) => {
                    days = days.saturating_add(*more);
                    reasons.push(format!("{head}; {tier} earns {more} days"));
                }
                None => drafts.push(Draft {
                    text: format!("{head}; the promised uptime was kept"),
                    quantity: String::new(),
                    unit: given.unit_name,
                    rate: String::new(),
                    grade: None,
                    value: Value::Nothing("UPTIME_KEPT"),
                }),
            }
        }
        if days > 0 {
            let (new_end, text) = extended_text(given, Term::of_days(days));
            drafts.push(Draft {
                text: format!("{}; {text}", reasons.join("; ")),
                quantity: days.to_string(),
                unit: "day",
                rate: String::new(),
                grade: None,
                value: Value::Grant(Grant::Term { months: 0, days, new_end }),
            });
        }
        Ok(drafts)
    }
}
