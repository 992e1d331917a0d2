//! Outages as last seen, folded once for all dispatches, and what a person is told of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ristoro_domain::dispatch::wave::back_since;
use ristoro_domain::facts;
use ristoro_domain::remedy::Remedy;
use ristoro_domain::time::{Instant, TimeError, Window, zone};
use sqlx::PgConnection;
use tokio::sync::Mutex;

use crate::letter::Content;
use crate::projections::contact::Member;
use crate::projections::outage_event::{self, OutageNow};

/// An outage, with what policies see of it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// As it is now.
    pub(crate) now: OutageNow,
    /// Its windows for single people; none where it was withdrawn, and then nobody is told anything.
    pub(crate) facts: Option<facts::Outage>,
}

/// Outages by id, each as of its last event.
#[derive(Debug, Default)]
pub(super) struct Outages {
    seen: Mutex<BTreeMap<String, Arc<Seen>>>,
}

impl Seen {
    pub(crate) fn new(id: &str, now: OutageNow) -> Self {
        let facts = now.state.facts(id);
        Self { now, facts }
    }

    /// Gives since when a person's own mailbox is back; none while it is not.
    pub(super) fn back_since(&self, member: &Member) -> Option<Instant> {
        let (service, cohort) = (&member.service, member.cohort.as_deref());
        back_since(self.facts.as_ref()?, service, cohort, &member.subscription)
    }
}

impl Outages {
    /// Gives an outage as of its last event that the transaction sees; none where it is not known yet.
    pub(super) async fn get(
        &self,
        view: &mut PgConnection,
        id: &str,
    ) -> Result<Option<Arc<Seen>>, sqlx::Error> {
        let version = outage_event::version(view, id).await?;
        let mut seen = self.seen.lock().await;
        if let Some(known) = seen.get(id)
            && known.now.version == version
        {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(now) = outage_event::read(view, id).await? else { return Ok(None) };
        let fresh = Arc::new(Seen::new(id, now));
        seen.insert(id.to_owned(), Arc::clone(&fresh));
        Ok(Some(fresh))
    }
}

/// Gives what a person is told.
pub(crate) fn content(
    seen: &Seen,
    member: &Member,
    remedies: Vec<Remedy>,
    (reference, sender): (String, String),
) -> Result<Content, TimeError> {
    let declaration = seen.now.state.declaration.as_ref();
    let zone = zone(declaration.map_or("UTC", |declaration| &declaration.time_zone))?;
    let outage = felt(seen, member).and_then(|window| {
        let to = window.to?;
        Some((window.from.to_zoned_datetime(zone.clone()), to.to_zoned_datetime(zone)))
    });
    Ok(Content { service: member.service.clone(), outage, remedies, reference, sender })
}

/// Gives the stretch of time from the first failure to the last restoration that the person felt, or else the
/// outage's own.
pub(super) fn felt(seen: &Seen, member: &Member) -> Option<Window> {
    let (service, cohort) = (&member.service, member.cohort.as_deref());
    let (outage, facts) = (&seen.now.state, seen.facts.as_ref());
    let felt = facts.map(|facts| facts.felt_by(service, cohort, &member.subscription));
    let windows = felt.unwrap_or_default().into_iter().map(|felt| felt.window);
    let hull = windows.reduce(|one, other| Window {
        from: one.from.min(other.from),
        to: one.to.zip(other.to).map(|(one, other)| one.max(other)),
    });
    hull.or(outage.declared).or(outage.observed)
}
