//! Atlassian Statuspage's `incidents.json`, version 2: what a provider states.
//!
//! Updates are not reliably ordered, an incident may be reopened after its resolution, and one that was forgotten is
//! never closed. So the updates are sorted by `created_at`, and the last one says whether the incident goes on.

use std::collections::BTreeMap;

use ristoro_domain::facts::Severity;
use ristoro_domain::signal::{Signal, SignalKind, SignalPart};
use ristoro_domain::time::Instant;
use serde::Deserialize;
use serde_json::Value;

use super::mapping::Mapping;
use super::{Parsed, Problem, problem, read_all, time, typed};

/// The provider where the mapping names no other.
const PROVIDER: &str = "statuspage";

#[derive(Deserialize)]
struct Page {
    incidents: Vec<Value>,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    name: String,
    /// `none`, `minor`, `major`, `critical`, `maintenance`.
    impact: String,
    status: String,
    created_at: String,
    started_at: Option<String>,
    resolved_at: Option<String>,
    updated_at: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    incident_updates: Vec<Update>,
}

#[derive(Deserialize)]
struct Component {
    name: String,
}

#[derive(Deserialize)]
struct Update {
    status: String,
    created_at: String,
    /// When it is shown to have happened; the author may set it back.
    display_at: Option<String>,
    affected_components: Option<Vec<Change>>,
}

#[derive(Deserialize)]
struct Change {
    name: String,
    new_status: String,
}

/// An update whose times are read.
struct Dated<'a> {
    created_at: Instant,
    shown_at: Instant,
    update: &'a Update,
}

pub(super) fn parse(file: &[u8], mapping: &Mapping) -> Result<Parsed, serde_json::Error> {
    let page: Page = serde_json::from_slice(file)?;
    Ok(read_all("incidents", page.incidents, |entry| signal(&typed(entry)?, mapping).map(Some)))
}

fn signal(incident: &Incident, mapping: &Mapping) -> Result<Signal, Problem> {
    let created_at = time(".created_at", &incident.created_at)?;
    let optional = |place: &str, text: &Option<String>| {
        text.as_deref().map(|text| time(place, text)).transpose()
    };
    let began_at = optional(".started_at", &incident.started_at)?.unwrap_or(created_at);
    let resolved_at = optional(".resolved_at", &incident.resolved_at)?;
    let updated_at = optional(".updated_at", &incident.updated_at)?;
    let updates = dated(incident)?;
    let last = updates.last();
    let status = last.map_or(incident.status.as_str(), |last| last.update.status.as_str());
    let ended_at = match is_over(status) {
        true => resolved_at.or_else(|| last.map(|last| last.shown_at)),
        false => None,
    };
    let parts = parts(&updates, mapping, ended_at);
    let named = incident.components.iter().map(|component| component.name.as_str());
    let mut components = mapping.components(named);
    components.extend(parts.iter().map(|part| part.component.clone()));
    components.sort();
    components.dedup();
    if components.is_empty() {
        return Err(problem(".components", "name nothing that the mapping keeps"));
    }
    let modified_at = updates.iter().map(|dated| dated.created_at).chain(updated_at).max();
    Ok(Signal {
        source_id: incident.id.clone(),
        provider: mapping.provider_or(PROVIDER),
        title: incident.name.clone(),
        service: mapping.service.clone(),
        components,
        severity: severity_of_impact(&incident.impact),
        kind: SignalKind::Stated,
        began_at,
        ended_at,
        modified_at: modified_at.unwrap_or(created_at),
        parts,
    })
}

fn dated(incident: &Incident) -> Result<Vec<Dated<'_>>, Problem> {
    let mut updates = Vec::with_capacity(incident.incident_updates.len());
    for (index, update) in incident.incident_updates.iter().enumerate() {
        let place = |name: &str| format!(".incident_updates[{index}].{name}");
        let created_at = time(&place("created_at"), &update.created_at)?;
        let shown_at = update.display_at.as_deref().map(|text| time(&place("display_at"), text));
        let shown_at = shown_at.transpose()?.unwrap_or(created_at);
        updates.push(Dated { created_at, shown_at, update });
    }
    updates.sort_by_key(|dated| dated.created_at);
    Ok(updates)
}

/// Follows each component from change to change. What is still down when the incident ends, ends with it.
fn parts(updates: &[Dated<'_>], mapping: &Mapping, ended_at: Option<Instant>) -> Vec<SignalPart> {
    let mut down: BTreeMap<String, (Severity, Instant)> = BTreeMap::new();
    let mut parts = Vec::new();
    let part = |component: &String, (severity, began_at): (Severity, Instant), ended_at| {
        let (component, severity) = (component.clone(), Some(severity));
        SignalPart { component, severity, began_at, ended_at }
    };
    for Dated { shown_at, update, .. } in updates {
        for change in update.affected_components.iter().flatten() {
            let now = severity_of_status(&change.new_status);
            for component in mapping.components([change.name.as_str()].into_iter()) {
                let before = down.get(&component).copied();
                if before.map(|(severity, _)| severity) == now {
                    continue;
                }
                if let Some(before) = before {
                    parts.push(part(&component, before, Some(*shown_at)));
                    down.remove(&component);
                }
                if let Some(severity) = now {
                    down.insert(component, (severity, *shown_at));
                }
            }
        }
    }
    parts.extend(down.iter().map(|(component, still)| part(component, *still, ended_at)));
    parts.sort_by(|one, other| {
        (&one.component, one.began_at).cmp(&(&other.component, other.began_at))
    });
    parts
}

fn is_over(status: &str) -> bool {
    matches!(status, "resolved" | "postmortem" | "completed")
}

/// `none` and `maintenance` are no impact.
fn severity_of_impact(word: &str) -> Option<Severity> {
    match word {
        "critical" => Some(Severity::Total),
        "major" | "minor" => Some(Severity::Degraded),
        _ => None,
    }
}

/// `operational` and `under_maintenance` are no failure.
fn severity_of_status(word: &str) -> Option<Severity> {
    match word {
        "major_outage" => Some(Severity::Total),
        "partial_outage" | "degraded_performance" => Some(Severity::Degraded),
        _ => None,
    }
}
