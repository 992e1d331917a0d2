//! The line that `ristoro outage derive` prints for a derived outage.

use ristoro_domain::facts::Severity;
use ristoro_domain::outage::StatedImpact;
use ristoro_domain::signal::DerivedOutage;
use ristoro_domain::time::Window;
use serde_json::{Value, json};

/// Gives `{"source", "source_id", "title", "impacts", "declared", "observed", "state", "warnings"}`.
#[must_use]
pub fn to_json(outage: &DerivedOutage) -> Value {
    json!({
        "source": outage.source,
        "source_id": outage.source_id,
        "title": outage.title,
        "impacts": outage.impacts.iter().map(impact).collect::<Vec<_>>(),
        "declared": outage.declared.map(window),
        "observed": outage.observed.map(window),
        "state": outage.state.name(),
        "warnings": outage.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn impact(impact: &StatedImpact) -> Value {
    let severity = match impact.severity {
        Severity::Degraded => "degraded",
        Severity::Total => "total",
    };
    let (from, to) = ends(impact.window);
    json!({"component": impact.component, "severity": severity, "from": from, "to": to})
}

fn window(window: Window) -> Value {
    let (from, to) = ends(window);
    json!({"from": from, "to": to})
}

fn ends(window: Window) -> (String, Option<String>) {
    (window.from.to_string(), window.to.map(|to| to.to_string()))
}
