//! Alertmanager's webhook, version 4: what probes and rules measured.

use ristoro_domain::facts::Severity;
use ristoro_domain::signal::{Signal, SignalKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::mapping::Mapping;
use super::{Parsed, Problem, problem, read_all, time, typed};

/// The provider where the mapping names no other.
const PROVIDER: &str = "alertmanager";
/// The labels that may name what fails, the first that is there counts.
const COMPONENT_LABELS: [&str; 4] = ["component", "service", "job", "alertname"];

#[derive(Deserialize)]
struct Webhook {
    alerts: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: String,
    labels: Map<String, Value>,
    #[serde(default)]
    annotations: Map<String, Value>,
    starts_at: String,
    ends_at: String,
    fingerprint: String,
}

pub(super) fn parse(file: &[u8], mapping: &Mapping) -> Result<Parsed, serde_json::Error> {
    let webhook: Webhook = serde_json::from_slice(file)?;
    Ok(read_all("alerts", webhook.alerts, |entry| signal(&typed(entry)?, mapping).map(Some)))
}

fn signal(alert: &Alert, mapping: &Mapping) -> Result<Signal, Problem> {
    let label = |name: &str| alert.labels.get(name).and_then(Value::as_str);
    let named = COMPONENT_LABELS.into_iter().find_map(label);
    let components = mapping.components(named.into_iter());
    if components.is_empty() {
        return Err(problem(".labels", "name nothing that the mapping keeps"));
    }
    let began_at = time(".startsAt", &alert.starts_at)?;
    // While it fires the end is the zero time, or the time when the alert would expire.
    let ended_at = match alert.status.as_str() {
        "firing" => None,
        "resolved" => Some(time(".endsAt", &alert.ends_at)?),
        other => return Err(problem(".status", format!("is {other:?}, not firing or resolved"))),
    };
    let summary = alert.annotations.get("summary").and_then(Value::as_str);
    let title = summary.or_else(|| label("alertname")).unwrap_or(&alert.fingerprint);
    Ok(Signal {
        // The same alert that fires again is another incident.
        source_id: format!("{}@{began_at}", alert.fingerprint),
        provider: mapping.provider_or(PROVIDER),
        title: title.to_owned(),
        service: mapping.service.clone(),
        components,
        severity: label("severity").and_then(severity),
        kind: SignalKind::Measured,
        began_at,
        ended_at,
        // The webhook has no time of its own: the end is the later word.
        modified_at: ended_at.map_or(began_at, |end| end.max(began_at)),
        parts: Vec::new(),
    })
}

/// The severities that most rules use; another word gives no impact but a warning.
fn severity(word: &str) -> Option<Severity> {
    match word {
        "critical" | "page" => Some(Severity::Total),
        "warning" | "error" => Some(Severity::Degraded),
        _ => None,
    }
}
