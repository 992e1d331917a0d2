//! Events of `feed/{feed}`, and the one shape that a signal has on the log and in calls.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::facts::Severity;
use ristoro_domain::signal::{Signal, SignalKind, SignalPart, SignalsObserved};

use crate::outage::{severity_in, severity_out, v1};
use crate::types::{bad, instant, required, timestamp};
use crate::wire::{Wire, WireError, decode_message};

const OBSERVED: &str = "SignalsObserved";

/// Writes a signal.
#[must_use]
pub fn signal_out(signal: &Signal) -> v1::Signal {
    let kind = match signal.kind {
        SignalKind::Stated => v1::SignalKind::Stated,
        SignalKind::Measured => v1::SignalKind::Measured,
    };
    v1::Signal {
        source_id: signal.source_id.clone(),
        provider: signal.provider.clone(),
        title: signal.title.clone(),
        service: signal.service.clone().unwrap_or_default(),
        components: signal.components.clone(),
        severity: signal.severity.map_or(v1::Severity::Unspecified, severity_out).into(),
        began_at: Some(timestamp(signal.began_at)),
        ended_at: signal.ended_at.map(timestamp),
        modified_at: Some(timestamp(signal.modified_at)),
        kind: kind.into(),
        parts: signal.parts.iter().map(part_out).collect(),
    }
}

fn part_out(part: &SignalPart) -> v1::SignalPart {
    v1::SignalPart {
        component: part.component.clone(),
        severity: part.severity.map_or(v1::Severity::Unspecified, severity_out).into(),
        began_at: Some(timestamp(part.began_at)),
        ended_at: part.ended_at.map(timestamp),
    }
}

fn part_in(part: v1::SignalPart) -> Result<SignalPart, WireError> {
    let began_at = required(part.began_at.as_ref(), OBSERVED, "signals.parts.began_at")?;
    let ended_at = part.ended_at.as_ref();
    let ended_at = ended_at.map(|time| instant(time, OBSERVED, "signals.parts.ended_at"));
    Ok(SignalPart {
        severity: optional_severity(part.severity, "signals.parts.severity")?,
        began_at: instant(began_at, OBSERVED, "signals.parts.began_at")?,
        ended_at: ended_at.transpose()?,
        component: part.component,
    })
}

/// Not set means that the source does not say.
fn optional_severity(number: i32, field: &'static str) -> Result<Option<Severity>, WireError> {
    match v1::Severity::try_from(number) {
        Ok(v1::Severity::Unspecified) => Ok(None),
        Ok(v1::Severity::Degraded | v1::Severity::Total) | Err(_) => {
            severity_in(number, OBSERVED, field).map(Some)
        }
    }
}

/// Reads a signal.
///
/// # Errors
/// `Field` where a time is missing or an enum not known.
pub fn signal_in(signal: v1::Signal) -> Result<Signal, WireError> {
    let severity = optional_severity(signal.severity, "signals.severity")?;
    let kind = match v1::SignalKind::try_from(signal.kind) {
        Ok(v1::SignalKind::Stated) => SignalKind::Stated,
        Ok(v1::SignalKind::Measured) => SignalKind::Measured,
        Ok(v1::SignalKind::Unspecified) | Err(_) => {
            return Err(bad(OBSERVED, "signals.kind", format!("is {}", signal.kind)));
        }
    };
    let began_at = required(signal.began_at.as_ref(), OBSERVED, "signals.began_at")?;
    let modified_at = required(signal.modified_at.as_ref(), OBSERVED, "signals.modified_at")?;
    let ended_at = signal.ended_at.as_ref();
    let ended_at = ended_at.map(|time| instant(time, OBSERVED, "signals.ended_at")).transpose()?;
    Ok(Signal {
        began_at: instant(began_at, OBSERVED, "signals.began_at")?,
        modified_at: instant(modified_at, OBSERVED, "signals.modified_at")?,
        ended_at,
        severity,
        kind,
        source_id: signal.source_id,
        provider: signal.provider,
        title: signal.title,
        service: (!signal.service.is_empty()).then_some(signal.service),
        components: signal.components,
        parts: signal.parts.into_iter().map(part_in).collect::<Result<_, _>>()?,
    })
}

impl Wire for SignalsObserved {
    fn kind(&self) -> &'static str {
        OBSERVED
    }

    fn encode(&self) -> Bytes {
        let signals = self.signals.iter().map(signal_out).collect();
        v1::SignalsObserved { signals }.encode_to_vec().into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        if kind != OBSERVED {
            return Err(WireError::UnknownKind { kind: kind.to_owned() });
        }
        let message: v1::SignalsObserved = decode_message(kind, payload)?;
        let signals = message.signals.into_iter().map(signal_in).collect::<Result<_, _>>()?;
        Ok(SignalsObserved { signals })
    }
}
