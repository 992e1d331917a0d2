//! Folds an outage's events. Total: an accepted event is never refused, one on an unknown impact changes nothing.

use super::model::{Amendment, Declaration, Event, Origin, Revision};
use super::state::{Outage, SourceView, Status};
use crate::facts::Impact;

pub(super) fn evolve(mut state: Outage, event: &Event) -> Outage {
    state.amended_by_person |= is_about_windows(event);
    match event {
        Event::OutageDeclared(declaration) => declared(state, declaration),
        Event::ObservationRevised(revision) => revised(state, revision),
        Event::ImpactAdded(impact) => {
            state.put_impact(impact);
            state
        }
        Event::ImpactRestored { impact, cohort, restored_at } => {
            if cohort.is_none() {
                state.ended_by_resolution.remove(impact);
            }
            with_impact(state, impact, |known| match cohort {
                Some(name) => {
                    known.restored_cohorts.insert(name.clone(), *restored_at);
                }
                None => known.window.to = Some(*restored_at),
            })
        }
        Event::MailboxesRestored { impact, restored_at, subscriptions } => {
            with_impact(state, impact, |known| {
                let restored = subscriptions.iter().map(|id| (id.clone(), *restored_at));
                known.restored_subscriptions.extend(restored);
            })
        }
        Event::WindowAmended { amendment, .. } => amended(state, amendment),
        Event::CauseDetermined { cause, works_done_at, announced_at } => {
            (state.cause, state.works_done_at) = (Some(*cause), *works_done_at);
            state.announced_at = *announced_at;
            state
        }
        Event::OutageResolved { resolved_at } => {
            state.resolve(*resolved_at);
            state
        }
        Event::OutageReopened { reopened_at, impacts, .. } => {
            state.reopen(*reopened_at);
            impacts.iter().for_each(|impact| state.put_impact(impact));
            state
        }
        Event::OutageWithdrawn { note } => {
            state.status = Status::Withdrawn { note: note.clone() };
            state
        }
    }
}

/// A cause that a person determines leaves the windows to the source.
fn is_about_windows(event: &Event) -> bool {
    match event {
        Event::OutageDeclared(_) | Event::ObservationRevised(_) | Event::CauseDetermined { .. } => {
            false
        }
        Event::ImpactAdded(_)
        | Event::ImpactRestored { .. }
        | Event::MailboxesRestored { .. }
        | Event::WindowAmended { .. }
        | Event::OutageResolved { .. }
        | Event::OutageReopened { .. }
        | Event::OutageWithdrawn { .. } => true,
    }
}

fn declared(mut state: Outage, declaration: &Declaration) -> Outage {
    declaration.impacts.iter().for_each(|impact| state.put_impact(impact));
    state.declared = declaration.declared;
    state.observed = declaration.observed;
    (state.cause, state.announced_at) = (declaration.cause, declaration.announced_at);
    state.declaration = Some(declaration.clone());
    match declaration.origin {
        Origin::Declared => state.status = Status::Open,
        Origin::Observed => {
            let view = SourceView {
                modified_at: declaration.modified_at,
                declared: declaration.declared,
                observed: declaration.observed,
                impacts: declaration.impacts.iter().map(|impact| impact.id.clone()).collect(),
            };
            state.sources.insert(declaration.source.clone(), view);
            state.follow_sources();
        }
    }
    state
}

fn revised(mut state: Outage, revision: &Revision) -> Outage {
    let view = SourceView {
        modified_at: Some(revision.modified_at),
        declared: revision.declared,
        observed: revision.observed,
        impacts: revision.impacts.iter().map(|impact| impact.id.clone()).collect(),
    };
    let before = state.sources.insert(revision.source.clone(), view);
    if state.follows_sources() {
        for id in before.into_iter().flat_map(|view| view.impacts) {
            state.impacts.remove(&id);
        }
        revision.impacts.iter().for_each(|impact| state.put_impact(impact));
        state.follow_sources();
    }
    state
}

fn amended(mut state: Outage, amendment: &Amendment) -> Outage {
    match amendment {
        Amendment::Outage { declared, observed } => {
            state.declared = declared.or(state.declared);
            state.observed = observed.or(state.observed);
            state
        }
        Amendment::Impact { impact, window } => {
            state.ended_by_resolution.remove(impact);
            with_impact(state, impact, |known| known.window = *window)
        }
    }
}

fn with_impact(mut state: Outage, impact: &str, change: impl FnOnce(&mut Impact)) -> Outage {
    if let Some(known) = state.impacts.get_mut(impact) {
        change(known);
    }
    state
}
