//! Events of `outage/{outage}`.

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use ristoro_domain::facts::{Cause, Severity};
use ristoro_domain::outage::{Amendment, Declaration, Event, Origin, Revision, StatedImpact};
use ristoro_domain::time::{Instant, Window};

use crate::log::v1 as shared;
use crate::types::{bad, instant, required, timestamp, window_in, window_out};
use crate::wire::{Wire, WireError, decode_message};

pub use crate::generated::ristoro::outage::v1;

const DECLARED: &str = "OutageDeclared";
const REVISED: &str = "ObservationRevised";
const IMPACT_ADDED: &str = "ImpactAdded";
const IMPACT_RESTORED: &str = "ImpactRestored";
const MAILBOXES_RESTORED: &str = "MailboxesRestored";
const WINDOW_AMENDED: &str = "WindowAmended";
const CAUSE_DETERMINED: &str = "CauseDetermined";
const RESOLVED: &str = "OutageResolved";
const REOPENED: &str = "OutageReopened";
const WITHDRAWN: &str = "OutageWithdrawn";

/// Writes a severity.
#[must_use]
pub fn severity_out(severity: Severity) -> v1::Severity {
    match severity {
        Severity::Degraded => v1::Severity::Degraded,
        Severity::Total => v1::Severity::Total,
    }
}

/// Reads a severity.
///
/// # Errors
/// `Field` where it is not set or not known.
pub fn severity_in(
    number: i32,
    kind: &'static str,
    field: &'static str,
) -> Result<Severity, WireError> {
    match v1::Severity::try_from(number) {
        Ok(v1::Severity::Degraded) => Ok(Severity::Degraded),
        Ok(v1::Severity::Total) => Ok(Severity::Total),
        Ok(v1::Severity::Unspecified) | Err(_) => Err(bad(kind, field, format!("is {number}"))),
    }
}

/// Writes a cause; none is not set.
#[must_use]
pub fn cause_out(cause: Option<Cause>) -> v1::Cause {
    match cause {
        None => v1::Cause::Unspecified,
        Some(Cause::Fault) => v1::Cause::Fault,
        Some(Cause::Planned) => v1::Cause::Planned,
        Some(Cause::ForceMajeure) => v1::Cause::ForceMajeure,
        Some(Cause::Customer) => v1::Cause::Customer,
    }
}

/// Reads a cause; not set is none.
///
/// # Errors
/// `Field` where it is not known.
pub fn cause_in(
    number: i32,
    kind: &'static str,
    field: &'static str,
) -> Result<Option<Cause>, WireError> {
    match v1::Cause::try_from(number) {
        Ok(v1::Cause::Unspecified) => Ok(None),
        Ok(v1::Cause::Fault) => Ok(Some(Cause::Fault)),
        Ok(v1::Cause::Planned) => Ok(Some(Cause::Planned)),
        Ok(v1::Cause::ForceMajeure) => Ok(Some(Cause::ForceMajeure)),
        Ok(v1::Cause::Customer) => Ok(Some(Cause::Customer)),
        Err(_) => Err(bad(kind, field, format!("is {number}"))),
    }
}

/// Writes an origin.
#[must_use]
pub fn origin_out(origin: Origin) -> v1::Origin {
    match origin {
        Origin::Declared => v1::Origin::Declared,
        Origin::Observed => v1::Origin::Observed,
    }
}

/// Writes an impact.
#[must_use]
pub fn impact_out(impact: &StatedImpact) -> v1::Impact {
    v1::Impact {
        impact: impact.id.clone(),
        service: impact.service.clone().unwrap_or_default(),
        component: impact.component.clone(),
        severity: severity_out(impact.severity).into(),
        cohort: impact.cohort.clone().unwrap_or_default(),
        window: Some(window_out(&impact.window)),
    }
}

/// Reads an impact.
///
/// # Errors
/// `Field` where the window or the severity is missing or wrong.
pub fn impact_in(impact: v1::Impact, kind: &'static str) -> Result<StatedImpact, WireError> {
    let window = required(impact.window, kind, "impact.window")?;
    Ok(StatedImpact {
        severity: severity_in(impact.severity, kind, "impact.severity")?,
        window: window_in(&window, kind, "impact.window")?,
        id: impact.impact,
        service: some(impact.service),
        component: impact.component,
        cohort: some(impact.cohort),
    })
}

fn impacts_out(impacts: &[StatedImpact]) -> Vec<v1::Impact> {
    impacts.iter().map(impact_out).collect()
}

fn impacts_in(
    impacts: Vec<v1::Impact>,
    kind: &'static str,
) -> Result<Vec<StatedImpact>, WireError> {
    impacts.into_iter().map(|impact| impact_in(impact, kind)).collect()
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn optional_window(
    window: Option<&shared::Window>,
    kind: &'static str,
    field: &'static str,
) -> Result<Option<Window>, WireError> {
    window.map(|window| window_in(window, kind, field)).transpose()
}

fn optional_instant(
    time: Option<&Timestamp>,
    kind: &'static str,
    field: &'static str,
) -> Result<Option<Instant>, WireError> {
    time.map(|time| instant(time, kind, field)).transpose()
}

fn required_instant(
    time: Option<&Timestamp>,
    kind: &'static str,
    field: &'static str,
) -> Result<Instant, WireError> {
    instant(required(time, kind, field)?, kind, field)
}

fn declared_out(declaration: &Declaration) -> v1::OutageDeclared {
    v1::OutageDeclared {
        provider: declaration.provider.clone(),
        title: declaration.title.clone(),
        time_zone: declaration.time_zone.clone(),
        origin: origin_out(declaration.origin).into(),
        declared: declaration.declared.as_ref().map(window_out),
        observed: declaration.observed.as_ref().map(window_out),
        impacts: impacts_out(&declaration.impacts),
        cause: cause_out(declaration.cause).into(),
        source: declaration.source.clone(),
        modified_at: declaration.modified_at.map(timestamp),
        announced_at: declaration.announced_at.map(timestamp),
        declared_at: declaration.declared_at.map(timestamp),
    }
}

fn declared_in(message: v1::OutageDeclared) -> Result<Event, WireError> {
    let origin = match v1::Origin::try_from(message.origin) {
        Ok(v1::Origin::Declared) => Origin::Declared,
        Ok(v1::Origin::Observed) => Origin::Observed,
        Ok(v1::Origin::Unspecified) | Err(_) => {
            return Err(bad(DECLARED, "origin", format!("is {}", message.origin)));
        }
    };
    let modified_at = optional_instant(message.modified_at.as_ref(), DECLARED, "modified_at")?;
    let announced_at = optional_instant(message.announced_at.as_ref(), DECLARED, "announced_at")?;
    let declared_at = optional_instant(message.declared_at.as_ref(), DECLARED, "declared_at")?;
    Ok(Event::OutageDeclared(Box::new(Declaration {
        declared: optional_window(message.declared.as_ref(), DECLARED, "declared")?,
        observed: optional_window(message.observed.as_ref(), DECLARED, "observed")?,
        impacts: impacts_in(message.impacts, DECLARED)?,
        cause: cause_in(message.cause, DECLARED, "cause")?,
        provider: message.provider,
        title: message.title,
        time_zone: message.time_zone,
        source: message.source,
        origin,
        modified_at,
        announced_at,
        declared_at,
    })))
}

fn revised_out(revision: &Revision) -> v1::ObservationRevised {
    v1::ObservationRevised {
        source: revision.source.clone(),
        title: revision.title.clone(),
        declared: revision.declared.as_ref().map(window_out),
        observed: revision.observed.as_ref().map(window_out),
        impacts: impacts_out(&revision.impacts),
        modified_at: Some(timestamp(revision.modified_at)),
    }
}

fn revised_in(message: v1::ObservationRevised) -> Result<Event, WireError> {
    Ok(Event::ObservationRevised(Box::new(Revision {
        declared: optional_window(message.declared.as_ref(), REVISED, "declared")?,
        observed: optional_window(message.observed.as_ref(), REVISED, "observed")?,
        impacts: impacts_in(message.impacts, REVISED)?,
        modified_at: required_instant(message.modified_at.as_ref(), REVISED, "modified_at")?,
        source: message.source,
        title: message.title,
    })))
}

fn amended_out(amendment: &Amendment, note: &str) -> v1::WindowAmended {
    let note = note.to_owned();
    match amendment {
        Amendment::Outage { declared, observed } => v1::WindowAmended {
            impact: String::new(),
            declared: declared.as_ref().map(window_out),
            observed: observed.as_ref().map(window_out),
            window: None,
            note,
        },
        Amendment::Impact { impact, window } => v1::WindowAmended {
            impact: impact.clone(),
            declared: None,
            observed: None,
            window: Some(window_out(window)),
            note,
        },
    }
}

fn amended_in(message: v1::WindowAmended) -> Result<Event, WireError> {
    let amendment = if message.impact.is_empty() {
        Amendment::Outage {
            declared: optional_window(message.declared.as_ref(), WINDOW_AMENDED, "declared")?,
            observed: optional_window(message.observed.as_ref(), WINDOW_AMENDED, "observed")?,
        }
    } else {
        let window = required(message.window, WINDOW_AMENDED, "window")?;
        let window = window_in(&window, WINDOW_AMENDED, "window")?;
        Amendment::Impact { impact: message.impact, window }
    };
    Ok(Event::WindowAmended { amendment, note: message.note })
}

fn restored_in(message: v1::ImpactRestored) -> Result<Event, WireError> {
    let restored_at = message.restored_at.as_ref();
    Ok(Event::ImpactRestored {
        restored_at: required_instant(restored_at, IMPACT_RESTORED, "restored_at")?,
        impact: message.impact,
        cohort: some(message.cohort),
    })
}

fn mailboxes_in(message: v1::MailboxesRestored) -> Result<Event, WireError> {
    let restored_at = message.restored_at.as_ref();
    Ok(Event::MailboxesRestored {
        restored_at: required_instant(restored_at, MAILBOXES_RESTORED, "restored_at")?,
        impact: message.impact,
        subscriptions: message.subscriptions,
    })
}

fn cause_determined_in(message: v1::CauseDetermined) -> Result<Event, WireError> {
    let cause = cause_in(message.cause, CAUSE_DETERMINED, "cause")?;
    let optional = |time, field| optional_instant(time, CAUSE_DETERMINED, field);
    Ok(Event::CauseDetermined {
        cause: required(cause, CAUSE_DETERMINED, "cause")?,
        works_done_at: optional(message.works_done_at.as_ref(), "works_done_at")?,
        announced_at: optional(message.announced_at.as_ref(), "announced_at")?,
    })
}

fn reopened_in(message: v1::OutageReopened) -> Result<Event, WireError> {
    Ok(Event::OutageReopened {
        reopened_at: required_instant(message.reopened_at.as_ref(), REOPENED, "reopened_at")?,
        impacts: impacts_in(message.impacts, REOPENED)?,
        note: message.note,
    })
}

impl Wire for Event {
    fn kind(&self) -> &'static str {
        match self {
            Event::OutageDeclared(_) => DECLARED,
            Event::ObservationRevised(_) => REVISED,
            Event::ImpactAdded(_) => IMPACT_ADDED,
            Event::ImpactRestored { .. } => IMPACT_RESTORED,
            Event::MailboxesRestored { .. } => MAILBOXES_RESTORED,
            Event::WindowAmended { .. } => WINDOW_AMENDED,
            Event::CauseDetermined { .. } => CAUSE_DETERMINED,
            Event::OutageResolved { .. } => RESOLVED,
            Event::OutageReopened { .. } => REOPENED,
            Event::OutageWithdrawn { .. } => WITHDRAWN,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            Event::OutageDeclared(declaration) => declared_out(declaration).encode_to_vec(),
            Event::ObservationRevised(revision) => revised_out(revision).encode_to_vec(),
            Event::ImpactAdded(impact) => {
                v1::ImpactAdded { impact: Some(impact_out(impact)) }.encode_to_vec()
            }
            Event::ImpactRestored { impact, cohort, restored_at } => v1::ImpactRestored {
                impact: impact.clone(),
                cohort: cohort.clone().unwrap_or_default(),
                restored_at: Some(timestamp(*restored_at)),
            }
            .encode_to_vec(),
            Event::MailboxesRestored { impact, restored_at, subscriptions } => {
                v1::MailboxesRestored {
                    impact: impact.clone(),
                    restored_at: Some(timestamp(*restored_at)),
                    subscriptions: subscriptions.clone(),
                }
                .encode_to_vec()
            }
            Event::WindowAmended { amendment, note } => {
                amended_out(amendment, note).encode_to_vec()
            }
            Event::CauseDetermined { cause, works_done_at, announced_at } => v1::CauseDetermined {
                cause: cause_out(Some(*cause)).into(),
                works_done_at: works_done_at.map(timestamp),
                announced_at: announced_at.map(timestamp),
            }
            .encode_to_vec(),
            Event::OutageResolved { resolved_at } => {
                v1::OutageResolved { resolved_at: Some(timestamp(*resolved_at)) }.encode_to_vec()
            }
            Event::OutageReopened { reopened_at, impacts, note } => v1::OutageReopened {
                reopened_at: Some(timestamp(*reopened_at)),
                note: note.clone(),
                impacts: impacts_out(impacts),
            }
            .encode_to_vec(),
            Event::OutageWithdrawn { note } => {
                v1::OutageWithdrawn { note: note.clone() }.encode_to_vec()
            }
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            DECLARED => declared_in(decode_message(kind, payload)?),
            REVISED => revised_in(decode_message(kind, payload)?),
            IMPACT_ADDED => {
                let message: v1::ImpactAdded = decode_message(kind, payload)?;
                let impact = required(message.impact, IMPACT_ADDED, "impact")?;
                Ok(Event::ImpactAdded(impact_in(impact, IMPACT_ADDED)?))
            }
            IMPACT_RESTORED => restored_in(decode_message(kind, payload)?),
            MAILBOXES_RESTORED => mailboxes_in(decode_message(kind, payload)?),
            WINDOW_AMENDED => amended_in(decode_message(kind, payload)?),
            CAUSE_DETERMINED => cause_determined_in(decode_message(kind, payload)?),
            RESOLVED => {
                let message: v1::OutageResolved = decode_message(kind, payload)?;
                let resolved_at = message.resolved_at.as_ref();
                let resolved_at = required_instant(resolved_at, RESOLVED, "resolved_at")?;
                Ok(Event::OutageResolved { resolved_at })
            }
            REOPENED => reopened_in(decode_message(kind, payload)?),
            WITHDRAWN => {
                let message: v1::OutageWithdrawn = decode_message(kind, payload)?;
                Ok(Event::OutageWithdrawn { note: message.note })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}
