//! What is known of an outage, and how a policy sees it.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Declaration, Origin, StatedImpact};
use crate::facts::{self, Cause, Impact};
use crate::time::{Instant, Window};

/// Whether an outage goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Status {
    /// Nothing was declared yet.
    #[default]
    Unknown,
    /// It goes on.
    Open,
    /// It is over.
    Resolved {
        /// Since when.
        at: Instant,
    },
    /// It should not have been declared.
    Withdrawn {
        /// Why.
        note: String,
    },
}

/// What one source says, as of its last word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceView {
    /// When it said so.
    pub modified_at: Option<Instant>,
    /// The window that it states.
    pub declared: Option<Window>,
    /// The window that it measured.
    pub observed: Option<Window>,
    /// The ids of the impacts that it names.
    pub impacts: BTreeSet<String>,
}

/// The decider of `outage/{outage}` and what it knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outage {
    /// Whether it goes on.
    pub status: Status,
    /// The declaration as it was made.
    pub declaration: Option<Declaration>,
    /// The window that the operator states, as it stands now.
    pub declared: Option<Window>,
    /// The window that was observed, as it stands now.
    pub observed: Option<Window>,
    /// What failed, by the impact's id.
    pub impacts: BTreeMap<String, Impact>,
    /// The impacts whose end the resolution gave; they are open again if it was wrong.
    pub ended_by_resolution: BTreeSet<String>,
    /// Why it happened, once known.
    pub cause: Option<Cause>,
    /// When the necessary works after a calamity were done.
    pub works_done_at: Option<Instant>,
    /// When planned work was announced.
    pub announced_at: Option<Instant>,
    /// The last time from which it was open again.
    pub reopened_at: Option<Instant>,
    /// What feeds say, by `feed/source_id`.
    pub sources: BTreeMap<String, SourceView>,
    /// Whether a person has said something about the windows or impacts.
    pub amended_by_person: bool,
}

impl Outage {
    /// Gives what a policy may see; none before the declaration and after a withdrawal.
    #[must_use]
    pub fn facts(&self, id: &str) -> Option<facts::Outage> {
        let declaration = self.declaration.as_ref()?;
        match self.status {
            Status::Unknown | Status::Withdrawn { .. } => None,
            Status::Open | Status::Resolved { .. } => Some(facts::Outage {
                id: id.to_owned(),
                cause: self.cause.unwrap_or(Cause::Fault),
                works_done_at: self.works_done_at,
                declared: declaration.origin == Origin::Declared,
                declared_at: declaration.declared_at,
                impacts: self.impacts.values().cloned().collect(),
            }),
        }
    }

    /// Gives the first instant of all windows that are known.
    #[must_use]
    pub fn began_at(&self) -> Option<Instant> {
        let own = [self.declared, self.observed].into_iter().flatten().map(|window| window.from);
        own.chain(self.impacts.values().map(|impact| impact.window.from)).min()
    }

    /// Gives the ends that single parts already have, and the starts: nothing can be over before them.
    pub(super) fn known_until(impact: &Impact) -> Instant {
        let named = impact.restored_cohorts.values().chain(impact.restored_subscriptions.values());
        let ends = named.copied().chain(impact.window.to);
        ends.max().map_or(impact.window.from, |end| end.max(impact.window.from))
    }

    pub(super) fn put_impact(&mut self, stated: &StatedImpact) {
        let impact = Impact {
            service: stated.service.clone(),
            component: stated.component.clone(),
            severity: stated.severity,
            cohort: stated.cohort.clone(),
            window: stated.window,
            restored_cohorts: BTreeMap::new(),
            restored_subscriptions: BTreeMap::new(),
        };
        self.impacts.insert(stated.id.clone(), impact);
    }

    /// Ends what is still open. Named restorations stand.
    pub(super) fn resolve(&mut self, at: Instant) {
        for (id, impact) in &mut self.impacts {
            if impact.window.to.is_none() {
                impact.window.to = Some(at);
                self.ended_by_resolution.insert(id.clone());
            }
        }
        self.status = Status::Resolved { at };
    }

    /// Opens the outage again. Up to the resolution's own time it means that the resolution was wrong.
    pub(super) fn reopen(&mut self, reopened_at: Instant) {
        if let Status::Resolved { at } = self.status
            && reopened_at <= at
        {
            for id in &self.ended_by_resolution {
                if let Some(impact) = self.impacts.get_mut(id) {
                    impact.window.to = None;
                }
            }
        }
        self.ended_by_resolution.clear();
        self.status = Status::Open;
        self.reopened_at = Some(reopened_at);
    }

    /// Tells whether windows, impacts and status follow the feeds: until a person says something about them.
    #[must_use]
    pub fn follows_sources(&self) -> bool {
        let observed = self.declaration.as_ref().is_some_and(|d| d.origin == Origin::Observed);
        observed && !self.amended_by_person && !matches!(self.status, Status::Withdrawn { .. })
    }

    /// Draws the outage's own windows and its status from what all sources say: open while one of them is.
    pub(super) fn follow_sources(&mut self) {
        self.declared = hull(self.sources.values().filter_map(|view| view.declared));
        self.observed = hull(self.sources.values().filter_map(|view| view.observed));
        let all = [self.declared, self.observed].into_iter().flatten();
        self.status = match hull(all).and_then(|window| window.to) {
            Some(at) => Status::Resolved { at },
            None => Status::Open,
        };
    }
}

/// Gives the window from the first start to the last end; without an end where one of them has none.
fn hull(windows: impl Iterator<Item = Window>) -> Option<Window> {
    windows.reduce(|one, other| Window {
        from: one.from.min(other.from),
        to: one.to.zip(other.to).map(|(one, other)| one.max(other)),
    })
}
