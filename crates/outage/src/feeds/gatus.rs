//! Gatus' endpoint statuses: what its probes measured.

use ristoro_domain::facts::Severity;
use ristoro_domain::signal::{Signal, SignalKind};
use ristoro_domain::time::Instant;
use serde::Deserialize;
use serde_json::Value;

use super::mapping::Mapping;
use super::{Parsed, Problem, problem, time, typed};

/// The provider where the mapping names no other.
const PROVIDER: &str = "gatus";

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    key: String,
    #[serde(default)]
    events: Vec<Turn>,
}

/// A turn of an endpoint's health.
#[derive(Deserialize)]
struct Turn {
    /// `START`, `HEALTHY` or `UNHEALTHY`.
    r#type: String,
    timestamp: String,
}

pub(super) fn parse(file: &[u8], mapping: &Mapping) -> Result<Parsed, serde_json::Error> {
    let entries: Vec<Value> = serde_json::from_slice(file)?;
    let mut parsed = Parsed::default();
    for (index, entry) in entries.into_iter().enumerate() {
        match typed(entry).and_then(|endpoint| signals(&endpoint, mapping)) {
            Ok(signals) => parsed.signals.extend(signals),
            Err(problem) => {
                let place = format!("endpoints[{index}]{}", problem.place);
                parsed.problems.push(Problem { place, ..problem });
            }
        }
    }
    Ok(parsed)
}

/// Each stretch from unhealthy to the next turn is an incident. A restart of Gatus says nothing about the endpoint.
fn signals(endpoint: &Endpoint, mapping: &Mapping) -> Result<Vec<Signal>, Problem> {
    let mut turns: Vec<(Instant, bool)> = Vec::new();
    for (index, turn) in endpoint.events.iter().enumerate() {
        let at = time(&format!(".events[{index}].timestamp"), &turn.timestamp)?;
        match turn.r#type.as_str() {
            "START" => {}
            "HEALTHY" => turns.push((at, true)),
            "UNHEALTHY" => turns.push((at, false)),
            other => {
                let what = format!("is {other:?}, not START, HEALTHY or UNHEALTHY");
                return Err(problem(&format!(".events[{index}].type"), what));
            }
        }
    }
    turns.sort();
    // Two turns to the same health are one.
    turns.dedup_by_key(|(_, healthy)| *healthy);
    let components = mapping.components([endpoint.name.as_str()].into_iter());
    if components.is_empty() {
        return Ok(Vec::new());
    }
    let mut signals = Vec::new();
    for (place, (began_at, healthy)) in turns.iter().enumerate() {
        if *healthy {
            continue;
        }
        let ended_at = turns.get(place + 1).map(|(at, _)| *at);
        signals.push(Signal {
            source_id: format!("{}@{began_at}", endpoint.key),
            provider: mapping.provider_or(PROVIDER),
            title: format!("{} unhealthy", endpoint.name),
            service: mapping.service.clone(),
            components: components.clone(),
            severity: Some(Severity::Total),
            kind: SignalKind::Measured,
            began_at: *began_at,
            ended_at,
            modified_at: ended_at.unwrap_or(*began_at),
            parts: Vec::new(),
        });
    }
    Ok(signals)
}
