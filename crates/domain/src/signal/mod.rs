//! What feeds report: one stream per feed, and the outages that are derived from it.

mod derive;
#[cfg(test)]
mod tests;

pub use derive::{DerivedOutage, DerivedState, Warning, derive, derive_one, outage_id};

use std::collections::BTreeMap;

use crate::decider::Decider;
use crate::facts::Severity;
use crate::time::Instant;

/// How a source knows what it says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SignalKind {
    /// Somebody stated it: a status page, a communique.
    Stated,
    /// Something measured it: a probe, an alert, a count of user reports.
    Measured,
}

/// One observation: what a source says of one incident at one time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signal {
    /// The id that the source gives the incident, unique within its feed.
    pub source_id: String,
    /// The provider whose service is observed, such as `google-cloud`.
    pub provider: String,
    /// The source's title.
    pub title: String,
    /// The service as the source names it; none where it names components alone.
    pub service: Option<String>,
    /// The components that it names.
    pub components: Vec<String>,
    /// How bad the source says it is; none where it does not say.
    pub severity: Option<Severity>,
    /// How the source knows.
    pub kind: SignalKind,
    /// When it began.
    pub began_at: Instant,
    /// When it ended; none while it goes on. What the source says, even where it ends before it begins.
    pub ended_at: Option<Instant>,
    /// When the source last changed what it says; a later one replaces an earlier one.
    pub modified_at: Instant,
    /// What it says of single components; for a component without one, the signal's own severity and times hold.
    pub parts: Vec<SignalPart>,
}

/// What a source says of one component. A component may fail several times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignalPart {
    /// The component.
    pub component: String,
    /// How bad it was; none where the source does not say.
    pub severity: Option<Severity>,
    /// When that began.
    pub began_at: Instant,
    /// When it ended; none while it goes on.
    pub ended_at: Option<Instant>,
}

/// The decider of `feed/{feed}`: it remembers the last word on every incident, so that a replay is no news.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Feed {
    /// When each incident was last changed, by its source id.
    pub modified: BTreeMap<String, Instant>,
}

/// Hands in observations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObserveSignals {
    /// The observations, in the order in which they were submitted.
    pub signals: Vec<Signal>,
}

/// Observations that were news.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignalsObserved {
    /// The observations, in the order in which they were submitted.
    pub signals: Vec<Signal>,
}

/// Why observations are refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignalRejection {
    /// A text that must say something is empty.
    #[error("signal {place} ({source_id:?}): {field} is empty")]
    Empty {
        /// The signal's place in the batch, from 1.
        place: usize,
        /// Its source id.
        source_id: String,
        /// The field.
        field: &'static str,
    },
}

impl Decider for Feed {
    type Command = ObserveSignals;
    type Event = SignalsObserved;
    type Rejection = SignalRejection;
    type State = Self;

    fn decide(
        state: &Self,
        command: &ObserveSignals,
    ) -> Result<Option<SignalsObserved>, SignalRejection> {
        let mut modified = BTreeMap::new();
        let mut signals = Vec::new();
        for (index, signal) in command.signals.iter().enumerate() {
            check(index + 1, signal)?;
            let id = signal.source_id.as_str();
            let before = modified.get(id).or_else(|| state.modified.get(id)).copied();
            if before.is_none_or(|before: Instant| signal.modified_at > before) {
                modified.insert(id, signal.modified_at);
                signals.push(signal.clone());
            }
        }
        Ok((!signals.is_empty()).then_some(SignalsObserved { signals }))
    }

    fn evolve(mut state: Self, event: &SignalsObserved) -> Self {
        for signal in &event.signals {
            state.modified.insert(signal.source_id.clone(), signal.modified_at);
        }
        state
    }
}

fn check(place: usize, signal: &Signal) -> Result<(), SignalRejection> {
    let nothing_named = signal.components.is_empty() && signal.service.is_none();
    let nameless_part = signal.parts.iter().any(|part| part.component.is_empty());
    let fields = [
        ("source_id", signal.source_id.is_empty()),
        ("provider", signal.provider.is_empty()),
        ("title", signal.title.is_empty()),
        ("components", nothing_named || signal.components.iter().any(String::is_empty)),
        ("parts", nameless_part),
    ];
    match fields.into_iter().find(|(_, empty)| *empty) {
        Some((field, _)) => {
            Err(SignalRejection::Empty { place, source_id: signal.source_id.clone(), field })
        }
        None => Ok(()),
    }
}
