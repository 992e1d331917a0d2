//! From signals to outages with windows per component. Nothing is guessed: what contradicts itself becomes a warning.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use super::{Signal, SignalKind, SignalPart};
use crate::outage::{Declaration, Origin, StatedImpact};
use crate::time::{Instant, Window};

/// The namespace of the ids of derived outages.
const NAMESPACE: Uuid = Uuid::from_u128(0x2f0e_86a1_57d4_4d8e_8b8f_4b1c_90d7_33a2);

/// Whether a derived outage goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DerivedState {
    /// The source has not said that it ended.
    Open,
    /// The source says when it ended.
    Resolved,
    /// What the source says gives no window or no impact; see the warnings.
    Unclear,
}

/// What is odd about a source's word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// It ended before it began, or at once.
    EndNotAfterBegin {
        /// The stated begin.
        began_at: Instant,
        /// The stated end.
        ended_at: Instant,
    },
    /// The source does not say how bad it is, or in a word that is not known.
    NoSeverity,
}

/// An outage as one source tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DerivedOutage {
    /// The feed.
    pub source: String,
    /// The incident's id in the feed.
    pub source_id: String,
    /// The provider.
    pub provider: String,
    /// The source's title.
    pub title: String,
    /// One impact for each component, each with its window.
    pub impacts: Vec<StatedImpact>,
    /// The window that the source states.
    pub declared: Option<Window>,
    /// The window that the source measured.
    pub observed: Option<Window>,
    /// Whether it goes on.
    pub state: DerivedState,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
    /// When the source last changed its word.
    pub modified_at: Instant,
}

/// Gives the id of the outage that is derived from an incident of a feed.
#[must_use]
pub fn outage_id(feed: &str, source_id: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{feed}\n{source_id}").as_bytes())
}

/// Derives one outage per incident of a feed, in the order in which they first appear. Of several signals on one
/// incident the last modified counts, of equally modified ones the first.
#[must_use]
pub fn derive(feed: &str, signals: &[Signal]) -> Vec<DerivedOutage> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut last: Vec<&Signal> = Vec::new();
    for signal in signals {
        match places.get(signal.source_id.as_str()).and_then(|place| last.get_mut(*place)) {
            Some(known) if signal.modified_at > known.modified_at => *known = signal,
            Some(_) => {}
            None => {
                places.insert(&signal.source_id, last.len());
                last.push(signal);
            }
        }
    }
    last.into_iter().map(|signal| derive_one(feed, signal)).collect()
}

/// Derives the outage that one signal tells of.
#[must_use]
pub fn derive_one(feed: &str, signal: &Signal) -> DerivedOutage {
    let mut warnings = Vec::new();
    let window = checked(signal.began_at, signal.ended_at, &mut warnings);
    let impacts = impacts(feed, signal, window, &mut warnings);
    let state = match (impacts.is_empty(), signal.ended_at) {
        (true, _) => DerivedState::Unclear,
        (false, None) => DerivedState::Open,
        (false, Some(_)) => DerivedState::Resolved,
    };
    let own = Some(window.unwrap_or(Window { from: signal.began_at, to: None }));
    let (declared, observed) = match signal.kind {
        SignalKind::Stated => (own, None),
        SignalKind::Measured => (None, own),
    };
    DerivedOutage {
        source: feed.to_owned(),
        source_id: signal.source_id.clone(),
        provider: signal.provider.clone(),
        title: signal.title.clone(),
        impacts,
        declared,
        observed,
        state,
        warnings,
        modified_at: signal.modified_at,
    }
}

/// Takes a window only where its end is after its begin.
fn checked(
    began_at: Instant,
    ended_at: Option<Instant>,
    warnings: &mut Vec<Warning>,
) -> Option<Window> {
    let window = Window::new(began_at, ended_at).ok();
    if let (None, Some(ended_at)) = (window, ended_at) {
        warnings.push(Warning::EndNotAfterBegin { began_at, ended_at });
    }
    window
}

/// A source that names a service alone means all of it. Where the incident itself has no window, nothing is taken.
fn impacts(
    feed: &str,
    signal: &Signal,
    window: Option<Window>,
    warnings: &mut Vec<Warning>,
) -> Vec<StatedImpact> {
    let Some(window) = window else { return Vec::new() };
    let mut components: Vec<&String> = signal.components.iter().collect();
    components.extend(signal.parts.iter().map(|part| &part.component));
    if components.is_empty() {
        components.extend(&signal.service);
    }
    components.sort();
    components.dedup();
    let mut impacts: Vec<StatedImpact> = Vec::new();
    for component in components {
        let parts: Vec<&SignalPart> =
            signal.parts.iter().filter(|part| part.component == *component).collect();
        let mut stretches = Vec::new();
        for part in &parts {
            stretches.push((part.severity, checked(part.began_at, part.ended_at, warnings)));
        }
        if parts.is_empty() {
            stretches.push((signal.severity, Some(window)));
        }
        let id = format!("{feed}/{}/{component}", signal.source_id);
        let taken = impacts.len();
        for (severity, window) in stretches {
            let (Some(severity), Some(window)) = (severity, window) else {
                if severity.is_none() && !warnings.contains(&Warning::NoSeverity) {
                    warnings.push(Warning::NoSeverity);
                }
                continue;
            };
            let count = impacts.len() - taken + 1;
            let id = if count == 1 { id.clone() } else { format!("{id}#{count}") };
            let (service, component) = (signal.service.clone(), component.clone());
            impacts.push(StatedImpact { id, service, component, severity, cohort: None, window });
        }
    }
    impacts
}

impl DerivedOutage {
    /// Gives what the outage's decider is told; none where the source's word is unclear.
    #[must_use]
    pub fn declaration(&self) -> Option<Declaration> {
        if self.state == DerivedState::Unclear {
            return None;
        }
        Some(Declaration {
            declared_at: None,
            provider: self.provider.clone(),
            title: self.title.clone(),
            time_zone: "UTC".to_owned(),
            origin: Origin::Observed,
            declared: self.declared,
            observed: self.observed,
            impacts: self.impacts.clone(),
            cause: None,
            announced_at: None,
            source: format!("{}/{}", self.source, self.source_id),
            modified_at: Some(self.modified_at),
        })
    }
}

impl DerivedState {
    /// Gives the state as it is written in files and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DerivedState::Open => "open",
            DerivedState::Resolved => "resolved",
            DerivedState::Unclear => "unclear",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::EndNotAfterBegin { began_at, ended_at } => write!(
                formatter,
                "the source says that it ended at {ended_at}, which is not after its begin at {began_at}: \
                 no window is taken until it says otherwise"
            ),
            Warning::NoSeverity => {
                formatter.write_str("the source does not say how bad it is: no impact is taken")
            }
        }
    }
}
