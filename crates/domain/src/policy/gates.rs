//! What must hold before any rule about the outage gives something. The first gate that is closed says why.

use jiff::civil::Date;

use super::condition::Facts;
use super::error::Refusal;
use super::exclusions::{Notice, Planned};
use super::fields::{
    CLASSES, Cover, ForceMajeure, SEGMENTS, TriggerMode, VersionSelector, name_of,
};
use super::timeline::{Missed, Reading};
use super::view::{Report, View};
use crate::facts::Cause;

/// A gate that is closed: nothing about the outage is given.
pub(crate) struct Closed {
    pub rule: String,
    pub source: String,
    pub text: String,
    pub excluded: String,
}

/// Gives the first closed gate.
pub(crate) fn first_closed(
    reading: &Reading<'_>,
    view: &View<'_>,
) -> Result<Option<Closed>, Refusal> {
    let policy = reading.policy;
    let typed = not_in_force(reading, view)
        .or_else(|| missed(view))
        .or_else(|| excluded(reading, view))
        .or_else(|| untriggered(reading, view))
        .or_else(|| knew_at_sign_up(view));
    if let Some((rule, text, excluded)) = typed {
        let source = if rule == "trigger" { &policy.trigger.source } else { &policy.source };
        let (rule, excluded) = (rule.to_owned(), excluded.to_owned());
        return Ok(Some(Closed { rule, source: source.clone(), text, excluded }));
    }
    let facts = facts(reading, view);
    for condition in &policy.conditions {
        if !condition.holds(&facts) {
            return Ok(Some(Closed {
                rule: condition.id.clone(),
                source: condition.source.clone(),
                text: condition.text.clone(),
                excluded: condition.otherwise.clone(),
            }));
        }
    }
    Ok(None)
}

/// Gives what conditions may look at.
pub(crate) fn facts<'a>(reading: &Reading<'_>, view: &'a View<'_>) -> Facts<'a> {
    Facts {
        service: view.service,
        plan: view.plan(),
        segment: name_of(SEGMENTS, &view.segment),
        class: name_of(CLASSES, &view.class),
        in_arrears: view.in_arrears,
        cause: cause_name(reading.outage.cause),
        declared: reading.outage.declared,
        claims: view.seen.claims.len(),
        answered_claims: view.seen.claims.iter().filter(|claim| claim.answered.is_some()).count(),
    }
}

pub(crate) const CAUSES: &[(&str, Cause)] = &[
    ("fault", Cause::Fault),
    ("planned", Cause::Planned),
    ("force_majeure", Cause::ForceMajeure),
    ("customer", Cause::Customer),
];

fn cause_name(cause: Cause) -> &'static str {
    name_of(CAUSES, &cause)
}

type Gate = Option<(&'static str, String, &'static str)>;

fn not_in_force(reading: &Reading<'_>, view: &View<'_>) -> Gate {
    let policy = reading.policy;
    let started = reading.started.map(|at| policy.zone.to_datetime(at).date());
    let (day, what) = match (policy.version_selector, view.report) {
        (VersionSelector::AccrualDay, _) => return None, // Each unit is asked on its own.
        (VersionSelector::ReportDate, Report::On(day)) => (Some(day), "the report of"),
        (VersionSelector::ReportDate, Report::Declared | Report::Nobody | Report::NotAsked)
        | (VersionSelector::OutageStart, _) => (started, "the outage's start on"),
    };
    let day = day?;
    (!policy.is_in_force(day)).then(|| {
        let text = format!("version {} is not in force for {what} {day}", policy.version);
        ("in-force", text, "POLICY_NOT_IN_FORCE")
    })
}

fn missed(view: &View<'_>) -> Gate {
    let (text, excluded) = match view.timeline.missed? {
        Missed::NotAffected => {
            ("no impact is about this service and cohort".to_owned(), "NOT_AFFECTED")
        }
        Missed::ComponentNotCovered => (
            "the policy does not cover the components that failed".to_owned(),
            "COMPONENT_NOT_COVERED",
        ),
        Missed::NotSubscribed => {
            ("the subscription was not in force during the outage".to_owned(), "NOT_SUBSCRIBED")
        }
        Missed::ForceMajeure => (
            "force majeure: nothing lasted longer than the necessary works".to_owned(),
            "FORCE_MAJEURE",
        ),
        Missed::BelowMinimum => {
            let days = super::amount::day_ranges(view.timeline.too_short.iter().copied());
            (format!("every interruption was too short to count: {days}"), "BELOW_MINIMUM_DURATION")
        }
    };
    Some(("affected", text, excluded))
}

fn excluded(reading: &Reading<'_>, view: &View<'_>) -> Gate {
    let exclusions = reading.policy.exclusions;
    let by_cause = match reading.outage.cause {
        Cause::Fault => None,
        Cause::Planned => planned(exclusions.planned, view.announced),
        Cause::Customer => (exclusions.customer == Cover::Excluded)
            .then(|| ("the customer caused the outage".to_owned(), "CUSTOMER_FAULT")),
        Cause::ForceMajeure => (exclusions.force_majeure == ForceMajeure::Excluded)
            .then(|| ("the outage was force majeure".to_owned(), "FORCE_MAJEURE")),
    };
    let in_arrears = || {
        let excluded = exclusions.arrears == Cover::Excluded && view.in_arrears;
        excluded.then(|| ("payments are overdue".to_owned(), "IN_ARREARS"))
    };
    let unpaid = || {
        let days = exclusions.unpaid_invoices.filter(|_| view.unpaid)?;
        let text = format!("an invoice of {days} days or more before the outage was unpaid");
        Some((text, "UNPAID_INVOICE"))
    };
    let closed = by_cause.or_else(in_arrears).or_else(unpaid);
    closed.map(|(text, excluded)| ("exclusions", text, excluded))
}

fn planned(planned: Planned, announced: bool) -> Option<(String, &'static str)> {
    let text = match planned {
        Planned::Covered => return None,
        Planned::Excluded => "the outage was planned work".to_owned(),
        Planned::ExcludedAfter(_) if !announced => return None,
        Planned::ExcludedAfter(Notice::Days(days)) => {
            format!("the outage was planned work, announced {days} days ahead or more")
        }
        Planned::ExcludedAfter(Notice::Hours(hours)) => {
            format!("the outage was planned work, announced {hours} hours ahead or more")
        }
    };
    Some((text, "PLANNED_WORK"))
}

fn untriggered(reading: &Reading<'_>, view: &View<'_>) -> Gate {
    let trigger = &reading.policy.trigger;
    let closed = match trigger.mode {
        TriggerMode::Automatic => None,
        TriggerMode::AfterReport => match view.report {
            Report::Declared | Report::NotAsked => None,
            Report::Nobody => Some(("nobody reported the outage".to_owned(), "NOT_REPORTED")),
            Report::On(day) => too_late(reading, view, day)
                .map(|last| (format!("reported on {day}, after {last}"), "REPORTED_TOO_LATE")),
        },
        TriggerMode::OptIn => match view.seen.claims.first() {
            None => Some(("nobody opted in".to_owned(), "NOT_OPTED_IN")),
            Some(claim) => too_late(reading, view, claim.received).map(|last| {
                (format!("opted in on {}, after {last}", claim.received), "OPTED_IN_TOO_LATE")
            }),
        },
        TriggerMode::OnClaim => match view.seen.claims.first() {
            None => Some(("nothing was claimed".to_owned(), "NOT_CLAIMED")),
            Some(claim) => too_late(reading, view, claim.received).map(|last| {
                (format!("claimed on {}, after {last}", claim.received), "CLAIMED_TOO_LATE")
            }),
        },
    };
    closed.map(|(text, excluded)| ("trigger", text, excluded))
}

/// Gives the last day of the deadline where `day` is after it.
fn too_late(reading: &Reading<'_>, view: &View<'_>, day: Date) -> Option<Date> {
    let policy = reading.policy;
    // Calendar months are billing cycles where the policy counts no others.
    let counted = policy.rules.iter().find_map(|rule| rule.count.billing_cycle());
    let cycle_day = counted.map_or(1, |own| own.unwrap_or(view.timeline.started_on));
    let last = policy.trigger.deadline?.last_day(view.known_on?, cycle_day);
    (day > last).then_some(last)
}

fn knew_at_sign_up(view: &View<'_>) -> Gate {
    view.joined_knowing.then(|| {
        let text = "the subscription began while the outage was known".to_owned();
        ("signed-knowing", text, "KNEW_AT_SIGN_UP")
    })
}
