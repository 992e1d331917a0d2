//! Requests as the decider's commands: every limit and every local time is checked here.

use jiff::tz::TimeZone;
use prost::Message;
use ristoro_domain::facts::{Cause, Severity};
use ristoro_domain::outage::{
    Amendment, Command, Declaration, MAILBOXES_A_COMMAND, Origin, StatedImpact,
};
use ristoro_domain::time::{self, Instant, TimeError, Window};
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::outage::v1 as api;
use ristoro_runtime::edge;
use ristoro_runtime::status::{invalid, refuse};
use tonic::{Code, Status};

/// How many impacts one command may bring.
const IMPACTS: usize = 1_000;
/// How long an impact's id may be: those of derived outages hold feed, incident and component.
const IMPACT_ID: usize = 1_000;
/// How long a note may be.
const NOTE: usize = 500;
/// How large a list may be in all, in bytes: it must fit into one record of the log.
const LIST_BYTES: usize = 800_000;

/// Reads a declaration.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn declare(request: &api::DeclareOutageRequest) -> Result<Command, Status> {
    let zone = zone("time_zone", edge::text("time_zone", &request.time_zone, 1..=64)?)?;
    if request.declared.is_none() && request.observed.is_none() {
        return Err(invalid("declared", "is missing: write it, or the observed window"));
    }
    let cause = cause("cause", request.cause)?;
    let declared_at = optional_point("declared_at", request.declared_at.as_ref(), &zone)?;
    Ok(Command::Declare(Box::new(Declaration {
        provider: edge::id("provider", &request.provider)?.to_owned(),
        title: edge::text("title", &request.title, 1..=500)?.to_owned(),
        time_zone: request.time_zone.clone(),
        origin: Origin::Declared,
        declared: optional_window("declared", request.declared.as_ref(), &zone)?,
        observed: optional_window("observed", request.observed.as_ref(), &zone)?,
        impacts: impacts(&request.impacts, &zone)?,
        cause,
        announced_at: announced_at("", request.announced_at.as_ref(), (cause, &zone))?,
        source: String::new(),
        modified_at: None,
        declared_at: Some(declared_at.unwrap_or_else(Instant::now)),
    })))
}

/// Reads an amendment.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn amend(request: &api::AmendOutageRequest, zone: &TimeZone) -> Result<Command, Status> {
    use api::amend_outage_request::Amendment as In;
    let amendment = match &request.amendment {
        None => return Err(invalid("amendment", "is missing: write windows, a window or a cause")),
        Some(In::Cause(input)) => return determine_cause(input, zone),
        Some(In::Windows(own)) => {
            let declared = optional_window("windows.declared", own.declared.as_ref(), zone)?;
            let observed = optional_window("windows.observed", own.observed.as_ref(), zone)?;
            if declared.is_none() && observed.is_none() {
                return Err(invalid("windows", "has no window: write declared or observed"));
            }
            Amendment::Outage { declared, observed }
        }
        Some(In::ImpactWindow(one)) => Amendment::Impact {
            impact: impact_id("impact_window.impact", &one.impact)?,
            window: window("impact_window.window", one.window.as_ref(), zone)?,
        },
    };
    Ok(Command::AmendWindow { amendment, note: note(&request.note)? })
}

fn determine_cause(input: &api::CauseInput, zone: &TimeZone) -> Result<Command, Status> {
    let cause = cause("cause.cause", input.cause)?
        .ok_or_else(|| invalid("cause.cause", "is missing: write one of the causes"))?;
    let works_done_at = input.works_done_at.as_ref();
    let works_done_at = optional_point("cause.works_done_at", works_done_at, zone)?;
    if works_done_at.is_some() && cause != Cause::ForceMajeure {
        return Err(invalid("cause.works_done_at", "is for force majeure alone: leave it out"));
    }
    let notice = input.announced_at.as_ref();
    let announced_at = announced_at("cause.", notice, (Some(cause), zone))?;
    Ok(Command::DetermineCause { cause, works_done_at, announced_at })
}

fn announced_at(
    within: &str,
    input: Option<&api::PointInTime>,
    (cause, zone): (Option<Cause>, &TimeZone),
) -> Result<Option<Instant>, Status> {
    let field = format!("{within}announced_at");
    let announced_at = optional_point(&field, input, zone)?;
    if announced_at.is_some() && cause != Some(Cause::Planned) {
        return Err(invalid(
            &field,
            "is for planned work alone: write that cause, or leave it out",
        ));
    }
    Ok(announced_at)
}

/// Reads an added impact.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn add_impact(request: &api::AddImpactRequest, zone: &TimeZone) -> Result<Command, Status> {
    let input = request.impact.as_ref().ok_or_else(|| invalid("impact", "is missing"))?;
    Ok(Command::AddImpact(impact("impact", input, zone)?))
}

/// Reads a restoration.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn restore(request: &api::RestoreImpactRequest, zone: &TimeZone) -> Result<Command, Status> {
    use api::restore_impact_request::Whom;
    let impact = impact_id("impact", &request.impact)?;
    let restored_at = point("restored_at", request.restored_at.as_ref(), zone)?;
    match &request.whom {
        None => Err(invalid("whom", "is missing: write everyone, a cohort or mailboxes")),
        Some(Whom::Everyone(api::Everyone {})) => {
            Ok(Command::RestoreImpact { impact, cohort: None, restored_at })
        }
        Some(Whom::Cohort(name)) => {
            let cohort = Some(edge::id("cohort", name)?.to_owned());
            Ok(Command::RestoreImpact { impact, cohort, restored_at })
        }
        Some(Whom::Mailboxes(mailboxes)) => {
            let field = "mailboxes.subscriptions";
            let subscriptions = mailboxes.subscriptions.clone();
            edge::count(field, subscriptions.len(), 1..=MAILBOXES_A_COMMAND)?;
            fits(field, mailboxes.encoded_len())?;
            for (index, id) in subscriptions.iter().enumerate() {
                edge::id(&format!("{field}[{index}]"), id)?;
            }
            Ok(Command::RestoreMailboxes { impact, restored_at, subscriptions })
        }
    }
}

/// Reads a resolution.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn resolve(request: &api::ResolveOutageRequest, zone: &TimeZone) -> Result<Command, Status> {
    let resolved_at = point("resolved_at", request.resolved_at.as_ref(), zone)?;
    Ok(Command::Resolve { resolved_at })
}

/// Reads a reopening.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn reopen(request: &api::ReopenOutageRequest, zone: &TimeZone) -> Result<Command, Status> {
    Ok(Command::Reopen {
        reopened_at: point("reopened_at", request.reopened_at.as_ref(), zone)?,
        impacts: impacts(&request.impacts, zone)?,
        note: note(&request.note)?,
    })
}

/// Reads a withdrawal.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn withdraw(request: &api::WithdrawOutageRequest) -> Result<Command, Status> {
    Ok(Command::Withdraw { note: note(&request.note)? })
}

/// Finds a time zone.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn zone(field: &str, name: &str) -> Result<TimeZone, Status> {
    time::zone(name).map_err(|error| invalid(field, error.to_string()))
}

/// Cuts a time to the microsecond, which is what tables keep; so what is decided now and what is read later agree.
#[must_use]
pub fn whole_microseconds(at: Instant) -> Instant {
    Instant::from_microsecond(at.as_microsecond()).expect("a time without its nanoseconds is one")
}

fn note(value: &str) -> Result<String, Status> {
    Ok(edge::text("note", value, 1..=NOTE)?.to_owned())
}

fn impact_id(field: &str, value: &str) -> Result<String, Status> {
    Ok(edge::text(field, value, 1..=IMPACT_ID)?.to_owned())
}

fn cause(field: &str, number: i32) -> Result<Option<Cause>, Status> {
    ristoro_proto::outage::cause_in(number, "request", "cause")
        .map_err(|_| invalid(field, format!("is {number}, which is no cause")))
}

fn impacts(inputs: &[api::ImpactInput], zone: &TimeZone) -> Result<Vec<StatedImpact>, Status> {
    edge::count("impacts", inputs.len(), 0..=IMPACTS)?;
    fits("impacts", inputs.iter().map(Message::encoded_len).sum())?;
    let mut read: Vec<StatedImpact> = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.iter().enumerate() {
        let field = format!("impacts[{index}]");
        let one = impact(&field, input, zone)?;
        if read.iter().any(|other| other.id == one.id) {
            let problem = format!("is {:?} once more: give each impact its own id", one.id);
            return Err(invalid(&format!("{field}.impact"), problem));
        }
        read.push(one);
    }
    Ok(read)
}

fn fits(field: &str, bytes: usize) -> Result<(), Status> {
    if bytes <= LIST_BYTES {
        return Ok(());
    }
    Err(invalid(field, format!("has {bytes} bytes: write at most {LIST_BYTES}, in several calls")))
}

fn impact(field: &str, input: &api::ImpactInput, zone: &TimeZone) -> Result<StatedImpact, Status> {
    let part = |name: &str| format!("{field}.{name}");
    let optional = |name: &str, value: &str| match value.is_empty() {
        true => Ok(None),
        false => edge::id(&part(name), value).map(|id| Some(id.to_owned())),
    };
    let component = edge::id(&part("component"), &input.component)?.to_owned();
    let service = optional("service", &input.service)?;
    let cohort = optional("cohort", &input.cohort)?;
    let id = match optional("impact", &input.impact)? {
        Some(id) => id,
        None => {
            let parts = [service.as_deref(), Some(component.as_str()), cohort.as_deref()];
            parts.into_iter().flatten().collect::<Vec<_>>().join("/")
        }
    };
    let severity = match api::Severity::try_from(input.severity) {
        Ok(api::Severity::Degraded) => Severity::Degraded,
        Ok(api::Severity::Total) => Severity::Total,
        Ok(api::Severity::Unspecified) => {
            return Err(invalid(&part("severity"), "is missing: write degraded or total"));
        }
        Err(_) => {
            let problem = format!("is {}: write degraded (1) or total (2)", input.severity);
            return Err(invalid(&part("severity"), problem));
        }
    };
    let window = window(&part("window"), input.window.as_ref(), zone)?;
    Ok(StatedImpact { id, service, component, severity, cohort, window })
}

fn optional_window(
    field: &str,
    input: Option<&api::WindowInput>,
    zone: &TimeZone,
) -> Result<Option<Window>, Status> {
    input.map(|input| window(field, Some(input), zone)).transpose()
}

fn window(
    field: &str,
    input: Option<&api::WindowInput>,
    zone: &TimeZone,
) -> Result<Window, Status> {
    let input = input.ok_or_else(|| invalid(field, "is missing"))?;
    let from = point(&format!("{field}.from"), input.from.as_ref(), zone)?;
    let to_field = format!("{field}.to");
    let to = optional_point(&to_field, input.to.as_ref(), zone)?;
    Window::new(from, to).map_err(|error| invalid(&to_field, error.to_string()))
}

fn point(
    field: &str,
    input: Option<&api::PointInTime>,
    zone: &TimeZone,
) -> Result<Instant, Status> {
    optional_point(field, input, zone)?.ok_or_else(|| invalid(field, "is missing"))
}

fn optional_point(
    field: &str,
    input: Option<&api::PointInTime>,
    zone: &TimeZone,
) -> Result<Option<Instant>, Status> {
    use api::point_in_time::At;
    let Some(at) = input.and_then(|input| input.at.as_ref()) else { return Ok(None) };
    let read = match at {
        At::Time(time) => edge::instant(&format!("{field}.time"), Some(time))?,
        At::LocalTime(text) => {
            let field = format!("{field}.local_time");
            edge::text(&field, text, 1..=40)?;
            time::parse_instant(text, zone).map_err(|error| refused_time(&field, &error))?
        }
    };
    Ok(Some(whole_microseconds(read)))
}

fn refused_time(field: &str, error: &TimeError) -> Status {
    let reason = match error {
        TimeError::AmbiguousLocalTime { .. } => ErrorReason::AmbiguousLocalTime,
        TimeError::AbsentLocalTime { .. } => ErrorReason::AbsentLocalTime,
        TimeError::NotATime { .. }
        | TimeError::UnknownZone { .. }
        | TimeError::EndsBeforeItBegins { .. } => return invalid(field, error.to_string()),
    };
    let metadata = [("field", field.to_owned())];
    refuse(Code::InvalidArgument, reason, format!("{field}: {error}"), &metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared_at(declared_at: Option<&str>) -> Option<Instant> {
        let point = |text: &str| api::PointInTime {
            at: Some(api::point_in_time::At::LocalTime(text.to_owned())),
        };
        let request = api::DeclareOutageRequest {
            provider: "p".to_owned(),
            title: "t".to_owned(),
            time_zone: "Europe/Rome".to_owned(),
            declared: Some(api::WindowInput { from: Some(point("2023-01-23")), to: None }),
            declared_at: declared_at.map(point),
            ..Default::default()
        };
        let Command::Declare(declaration) = declare(&request).unwrap() else { panic!("no such") };
        declaration.declared_at
    }

    #[test]
    fn an_outage_is_declared_when_the_caller_says_or_else_now() {
        let told = "2023-01-23T07:30:00Z".parse().unwrap();
        assert_eq!(declared_at(Some("2023-01-23T08:30:00")), Some(told));
        let before = Instant::now();
        assert!(declared_at(None).is_some_and(|at| at >= before && at <= Instant::now()));
    }
}
