//! Rows as messages.

use ristoro_domain::facts::Impact;
use ristoro_domain::outage::{SourceView, Status};
use ristoro_domain::time::Window;
use ristoro_proto::ops::v1::TimeWindow;
use ristoro_proto::outage::v1 as api;
use ristoro_proto::outage::{cause_out, origin_out, severity_out};
use ristoro_proto::signal::signal_out;
use ristoro_runtime::edge::{format_name, timestamp, window_message};

use crate::projections::signal::SignalRow;
use crate::projections::state::Known;
use crate::projections::timeline::Entry;

/// The shape of an outage's name.
pub const OUTAGE: &str = "outages/{outage}";

/// Writes an outage's name.
#[must_use]
pub fn outage_name(id: &str) -> String {
    format_name(OUTAGE, &[id])
}

/// Writes an outage.
#[must_use]
pub fn outage_message(known: &Known) -> api::Outage {
    let state = &known.state;
    let (number, resolved_at, note) = match &state.status {
        Status::Unknown => (api::OutageState::Unspecified, None, String::new()),
        Status::Open => (api::OutageState::Open, None, String::new()),
        Status::Resolved { at } => (api::OutageState::Resolved, Some(*at), String::new()),
        Status::Withdrawn { note } => (api::OutageState::Withdrawn, None, note.clone()),
    };
    let declaration = state.declaration.as_ref();
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let origin = declaration.map_or(api::Origin::Unspecified, |one| origin_out(one.origin));
    api::Outage {
        name: outage_name(&known.id),
        etag: known.version.to_string(),
        provider: text(declaration.map(|one| &one.provider)),
        title: text(declaration.map(|one| &one.title)),
        time_zone: text(declaration.map(|one| &one.time_zone)),
        origin: origin.into(),
        state: number.into(),
        declared: optional_window(state.declared),
        observed: optional_window(state.observed),
        impacts: state.impacts.iter().map(|(id, one)| impact_message(known, id, one)).collect(),
        cause: cause_out(state.cause).into(),
        works_done_at: state.works_done_at.map(timestamp),
        announced_at: state.announced_at.map(timestamp),
        resolved_at: resolved_at.map(timestamp),
        reopened_at: state.reopened_at.map(timestamp),
        withdrawn_note: note,
        sources: state.sources.iter().map(|(source, view)| source_message(source, view)).collect(),
        follows_sources: state.follows_sources(),
        create_time: Some(timestamp(known.created_at)),
        update_time: Some(timestamp(known.updated_at)),
    }
}

fn impact_message(known: &Known, id: &str, impact: &Impact) -> api::OutageImpact {
    let count = known.mailboxes.get(id);
    let cohorts = impact.restored_cohorts.iter().map(|(cohort, restored_at)| {
        let restored_at = Some(timestamp(*restored_at));
        api::CohortRestoration { cohort: cohort.clone(), restored_at }
    });
    api::OutageImpact {
        impact: id.to_owned(),
        service: impact.service.clone().unwrap_or_default(),
        component: impact.component.clone(),
        severity: severity_out(impact.severity).into(),
        cohort: impact.cohort.clone().unwrap_or_default(),
        window: Some(window_message(impact.window)),
        cohorts: cohorts.collect(),
        mailbox_restorations: count.map_or(0, |count| count.restorations),
        last_mailbox_restored_at: count.map(|count| timestamp(count.last_restored_at)),
    }
}

fn source_message(source: &str, view: &SourceView) -> api::OutageSource {
    api::OutageSource {
        source: source.to_owned(),
        modified_at: view.modified_at.map(timestamp),
        declared: optional_window(view.declared),
        observed: optional_window(view.observed),
    }
}

fn optional_window(window: Option<Window>) -> Option<TimeWindow> {
    window.map(window_message)
}

/// Writes one thing that was said.
#[must_use]
pub fn entry_message(entry: Entry) -> api::TimelineEntry {
    api::TimelineEntry {
        version: entry.version,
        kind: entry.kind,
        said_at: Some(timestamp(entry.said_at)),
        actor: entry.actor,
        about: entry.about.map(timestamp),
        text: entry.text,
        position: entry.position.to_string(),
    }
}

/// Writes a signal.
#[must_use]
pub fn signal_message(row: &SignalRow) -> api::ObservedSignal {
    api::ObservedSignal {
        feed: row.key.feed.clone(),
        signal: Some(signal_out(&row.signal)),
        observed_at: Some(timestamp(row.observed_at)),
        warnings: row.warnings.clone(),
        outage: row.outage.as_deref().map(outage_name).unwrap_or_default(),
    }
}
