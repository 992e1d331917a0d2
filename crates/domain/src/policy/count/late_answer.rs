//! Days by which the answer to a claim was late.
//!
//! The claim is due `due_days` after the day on which it was received; each later day counts, up to and including the
//! day of the answer. AGCOM 347/18/CONS, annex A, art. 12: in a single measure, however many claims there are about the
//! same disservice; so the claim that waited longest counts, and the others add nothing.

use jiff::civil::Date;

use super::super::context::ClaimSeen;
use super::super::fields::Grade;
use super::super::reader::Section;
use super::{Counted, LeftOut, Selected, Unit};

pub(super) fn read(section: &Section<'_, '_>) -> Option<Counted> {
    let days = section.whole("due_days", "45")?;
    let due_days = u32::try_from(days).ok().filter(|days| *days <= 3_650);
    if due_days.is_none() {
        section.fault("due_days", format!("due_days is {days}"), "write up to 3650 days");
    }
    due_days.map(|due_days| Counted::LateAnswerDay { due_days })
}

/// Counts the late days of the answered claim that waited longest, or says why no day was late.
pub(super) fn count(due_days: u32, claims: &[ClaimSeen]) -> Selected {
    let units = late_days(due_days, claims);
    let left_out = if units.is_empty() { vec![nothing(due_days, claims)] } else { Vec::new() };
    Selected { units, left_out }
}

fn late_days(due_days: u32, claims: &[ClaimSeen]) -> Vec<Unit> {
    let late = claims.iter().filter_map(|claim| {
        let answered = claim.answered?;
        let due = due(claim.received, due_days)?;
        (answered > due).then_some((due, answered))
    });
    let longest = late.max_by_key(|(due, answered)| (days_between(*due, *answered), *due));
    let Some((due, answered)) = longest else { return Vec::new() };
    let mut units = Vec::new();
    let mut day = due;
    while day < answered {
        let Ok(next) = day.tomorrow() else { break };
        day = next;
        units.push(Unit::of_day(day, Grade::Total, 0));
    }
    units
}

/// Explains why no day was late.
fn nothing(due_days: u32, claims: &[ClaimSeen]) -> LeftOut {
    let unanswered = claims.iter().any(|claim| claim.answered.is_none());
    if claims.is_empty() {
        let text = "no claim was received".to_owned();
        LeftOut { excluded: "NO_CLAIM", text }
    } else if unanswered {
        let text =
            "a claim is not answered yet; a late answer is counted once it is given".to_owned();
        LeftOut { excluded: "NOT_ANSWERED", text }
    } else {
        let text = format!("every claim was answered within {due_days} days");
        LeftOut { excluded: "ANSWERED_IN_TIME", text }
    }
}

fn due(received: Date, due_days: u32) -> Option<Date> {
    let span = jiff::Span::new().try_days(due_days).ok()?;
    received.checked_add(span).ok()
}

fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(claims: &[(&str, &str)], days: usize) {
        let seen = |(received, answered): &(&str, &str)| ClaimSeen {
            received: received.parse().unwrap(),
            answered: answered.parse().ok(),
            recognised: None,
        };
        let claims: Vec<ClaimSeen> = claims.iter().map(seen).collect();
        assert_eq!(count(45, &claims).units.len(), days);
    }

    #[test]
    fn days_after_the_due_day_count_up_to_the_answer() {
        check(&[("2023-01-27", "2023-04-02")], 20);
        check(&[("2023-01-27", "2023-03-13")], 0);
        check(&[("2023-01-27", "2023-03-14")], 1);
        check(&[("2023-01-27", "")], 0);
        check(&[], 0);
    }

    #[test]
    fn a_second_claim_adds_nothing() {
        check(&[("2023-01-27", "2023-04-02"), ("2023-02-01", "2023-04-02")], 20);
        check(&[("2023-01-27", "2023-04-02"), ("2023-01-27", "2023-04-02")], 20);
    }
}
