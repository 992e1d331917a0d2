//! Google Cloud's `incidents.json`: what its status page states.

use ristoro_domain::facts::Severity;
use ristoro_domain::signal::{Signal, SignalKind};
use serde::Deserialize;
use serde_json::Value;

use super::mapping::Mapping;
use super::{Parsed, Problem, problem, read_all, time, typed};

/// The provider where the mapping names no other.
const PROVIDER: &str = "google-cloud";

/// An incident, as far as it is used here.
#[derive(Deserialize)]
struct Incident {
    id: String,
    begin: String,
    /// Missing while it goes on.
    end: Option<String>,
    modified: String,
    external_desc: String,
    /// `high`, `medium` or `low`, which stand for outage, disruption and information.
    severity: Option<String>,
    #[serde(default)]
    affected_products: Vec<Product>,
    /// Older incidents name a service and no products.
    service_name: Option<String>,
}

#[derive(Deserialize)]
struct Product {
    title: String,
}

pub(super) fn parse(file: &[u8], mapping: &Mapping) -> Result<Parsed, serde_json::Error> {
    let entries: Vec<Value> = serde_json::from_slice(file)?;
    Ok(read_all("incidents", entries, |entry| signal(typed(entry)?, mapping).map(Some)))
}

fn signal(incident: Incident, mapping: &Mapping) -> Result<Signal, Problem> {
    let named = incident.affected_products.iter().map(|product| product.title.as_str());
    let mut components = mapping.components(named);
    if components.is_empty() {
        components = mapping.components(incident.service_name.as_deref().into_iter());
    }
    if components.is_empty() {
        return Err(problem(".affected_products", "names nothing that the mapping keeps"));
    }
    let ended_at = incident.end.as_deref().map(|end| time(".end", end)).transpose()?;
    Ok(Signal {
        began_at: time(".begin", &incident.begin)?,
        ended_at,
        modified_at: time(".modified", &incident.modified)?,
        source_id: incident.id,
        provider: mapping.provider_or(PROVIDER),
        title: incident.external_desc,
        service: mapping.service.clone(),
        components,
        severity: incident.severity.as_deref().and_then(severity),
        kind: SignalKind::Stated,
        parts: Vec::new(),
    })
}

/// A word that is not known gives no severity, and so no impact but a warning.
fn severity(word: &str) -> Option<Severity> {
    match word {
        "high" => Some(Severity::Total),
        "medium" | "low" => Some(Severity::Degraded),
        _ => None,
    }
}
