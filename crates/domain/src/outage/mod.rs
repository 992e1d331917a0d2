//! An outage: what failed, when and for whom, why, and what was corrected later.
//!
//! Declared and observed windows are kept apart, restoration is per mailbox, and a correction is an event: nothing
//! that was once said is rewritten.

mod evolve;
mod model;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use model::{Amendment, Command, Declaration, Event, Origin, Revision, StatedImpact};
pub use rejection::Rejection;
pub use state::{Outage, SourceView, Status};

use std::collections::BTreeSet;

use crate::decider::Decider;
use crate::facts::{Cause, Impact};
use crate::time::{Instant, Window};

/// How many mailboxes one command restores at most: the event must fit well into a record.
pub const MAILBOXES_A_COMMAND: usize = 10_000;

impl Decider for Outage {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = Self;

    fn decide(state: &Self, command: &Command) -> Result<Option<Event>, Rejection> {
        match (&state.status, command) {
            (_, Command::Declare(declaration)) => declare(state, declaration),
            (_, Command::Observe(declaration)) => observe(state, declaration),
            (Status::Unknown, _) => Err(Rejection::NotDeclared),
            (Status::Withdrawn { .. }, Command::Withdraw { .. }) => Ok(None),
            (Status::Withdrawn { note }, _) => Err(Rejection::Withdrawn { note: note.clone() }),
            (Status::Open | Status::Resolved { .. }, _) => decide_known(state, command),
        }
    }

    fn evolve(state: Self, event: &Event) -> Self {
        evolve::evolve(state, event)
    }
}

fn decide_known(state: &Outage, command: &Command) -> Result<Option<Event>, Rejection> {
    match command {
        Command::Declare(declaration) => declare(state, declaration),
        Command::Observe(declaration) => observe(state, declaration),
        Command::AddImpact(impact) => add_impact(state, impact),
        Command::RestoreImpact { impact, cohort, restored_at } => {
            restore_impact(state, impact, cohort.as_deref(), *restored_at)
        }
        Command::RestoreMailboxes { impact, restored_at, subscriptions } => {
            restore_mailboxes(state, impact, *restored_at, subscriptions)
        }
        Command::AmendWindow { amendment, note } => amend_window(state, amendment, note),
        Command::DetermineCause { cause, works_done_at, announced_at } => {
            determine_cause(state, *cause, (*works_done_at, *announced_at))
        }
        Command::Resolve { resolved_at } => resolve(state, *resolved_at),
        Command::Reopen { reopened_at, impacts, note } => {
            reopen(state, *reopened_at, impacts, note)
        }
        Command::Withdraw { note } => {
            text("note", note)?;
            Ok(Some(Event::OutageWithdrawn { note: note.clone() }))
        }
    }
}

fn declare(state: &Outage, declaration: &Declaration) -> Result<Option<Event>, Rejection> {
    if let Some(known) = &state.declaration {
        let title = known.title.clone();
        // Who asks again does so at another time.
        let again = Declaration { declared_at: known.declared_at, ..declaration.clone() };
        return match *known == again {
            true => Ok(None),
            false => Err(Rejection::AlreadyDeclared { title }),
        };
    }
    text("provider", &declaration.provider)?;
    text("title", &declaration.title)?;
    text("time_zone", &declaration.time_zone)?;
    if declaration.declared.is_none() && declaration.observed.is_none() {
        return Err(Rejection::NoWindow);
    }
    notice_of_planned_work(declaration.cause, declaration.announced_at)?;
    own_windows(declaration.declared, declaration.observed)?;
    new_impacts(&Outage::default(), &declaration.impacts)?;
    Ok(Some(Event::OutageDeclared(Box::new(declaration.clone()))))
}

/// A later word of a source wins, an earlier or equal one is no news: so a replay changes nothing.
fn observe(state: &Outage, declaration: &Declaration) -> Result<Option<Event>, Rejection> {
    let Declaration { source, title, declared, observed, .. } = declaration;
    text("source", source)?;
    let modified_at = declaration.modified_at.ok_or(Rejection::Empty { field: "modified_at" })?;
    if state.declaration.is_none() {
        return declare(state, declaration);
    }
    let before = state.sources.get(source).and_then(|view| view.modified_at);
    let is_news = before.is_none_or(|before| modified_at > before);
    if !is_news || matches!(state.status, Status::Withdrawn { .. }) {
        return Ok(None);
    }
    own_windows(*declared, *observed)?;
    let impacts = match state.follows_sources() {
        true => declaration.impacts.clone(),
        false => Vec::new(),
    };
    new_impacts(&without_source(state, source), &impacts)?;
    let (source, title) = (source.clone(), title.clone());
    let (declared, observed) = (*declared, *observed);
    let revision = Revision { source, title, declared, observed, impacts, modified_at };
    Ok(Some(Event::ObservationRevised(Box::new(revision))))
}

fn without_source(state: &Outage, source: &str) -> Outage {
    let mut others = state.clone();
    for id in state.sources.get(source).into_iter().flat_map(|view| &view.impacts) {
        others.impacts.remove(id);
    }
    others
}

fn add_impact(state: &Outage, impact: &StatedImpact) -> Result<Option<Event>, Rejection> {
    if state.impacts.get(&impact.id).is_some_and(|known| is_as_stated(known, impact)) {
        return Ok(None);
    }
    new_impacts(state, std::slice::from_ref(impact))?;
    closed_if_resolved(state, impact.window)?;
    Ok(Some(Event::ImpactAdded(impact.clone())))
}

fn restore_impact(
    state: &Outage,
    impact: &str,
    cohort: Option<&str>,
    restored_at: Instant,
) -> Result<Option<Event>, Rejection> {
    let known = known_impact(state, impact)?;
    began_before(impact, known, restored_at)?;
    if let (Some(hit), Some(asked)) = (&known.cohort, cohort)
        && hit != asked
    {
        let (impact, hit, cohort) = (impact.to_owned(), hit.clone(), asked.to_owned());
        return Err(Rejection::OtherCohort { impact, hit, cohort });
    }
    // The only cohort that an impact hits is all of it.
    let cohort = cohort.filter(|_| known.cohort.is_none());
    let before = match cohort {
        Some(name) => known.restored_cohorts.get(name).copied(),
        None => known.window.to,
    };
    let (impact, cohort) = (impact.to_owned(), cohort.map(str::to_owned));
    let news = before != Some(restored_at);
    Ok(news.then_some(Event::ImpactRestored { impact, cohort, restored_at }))
}

fn restore_mailboxes(
    state: &Outage,
    impact: &str,
    restored_at: Instant,
    subscriptions: &[String],
) -> Result<Option<Event>, Rejection> {
    let known = known_impact(state, impact)?;
    began_before(impact, known, restored_at)?;
    let count = subscriptions.len();
    if count == 0 || count > MAILBOXES_A_COMMAND {
        return Err(Rejection::MailboxCount { count, limit: MAILBOXES_A_COMMAND });
    }
    let is_news = |id: &&String| known.restored_subscriptions.get(*id) != Some(&restored_at);
    let news: BTreeSet<&String> = subscriptions.iter().filter(is_news).collect();
    if news.iter().any(|id| id.is_empty()) {
        return Err(Rejection::Empty { field: "subscriptions" });
    }
    let (impact, subscriptions) =
        (impact.to_owned(), news.into_iter().cloned().collect::<Vec<_>>());
    let any = !subscriptions.is_empty();
    Ok(any.then_some(Event::MailboxesRestored { impact, restored_at, subscriptions }))
}

fn amend_window(
    state: &Outage,
    amendment: &Amendment,
    note: &str,
) -> Result<Option<Event>, Rejection> {
    text("note", note)?;
    let news = match amendment {
        Amendment::Outage { declared: None, observed: None } => return Err(Rejection::NoWindow),
        Amendment::Outage { declared, observed } => {
            own_windows(*declared, *observed)?;
            (declared.is_some() && *declared != state.declared)
                || (observed.is_some() && *observed != state.observed)
        }
        Amendment::Impact { impact, window } => {
            let known = known_impact(state, impact)?;
            ends_after_it_begins(impact, *window)?;
            closed_if_resolved(state, *window)?;
            known.window != *window
        }
    };
    let (amendment, note) = (amendment.clone(), note.to_owned());
    Ok(news.then_some(Event::WindowAmended { amendment, note }))
}

fn determine_cause(
    state: &Outage,
    cause: Cause,
    (works_done_at, announced_at): (Option<Instant>, Option<Instant>),
) -> Result<Option<Event>, Rejection> {
    if works_done_at.is_some() && cause != Cause::ForceMajeure {
        return Err(Rejection::WorksWithoutCalamity { cause });
    }
    notice_of_planned_work(Some(cause), announced_at)?;
    let known = (state.cause, state.works_done_at, state.announced_at);
    let news = known != (Some(cause), works_done_at, announced_at);
    Ok(news.then_some(Event::CauseDetermined { cause, works_done_at, announced_at }))
}

fn notice_of_planned_work(
    cause: Option<Cause>,
    announced_at: Option<Instant>,
) -> Result<(), Rejection> {
    let cause = cause.unwrap_or(Cause::Fault);
    if announced_at.is_some() && cause != Cause::Planned {
        return Err(Rejection::NoticeWithoutPlannedWork { cause });
    }
    Ok(())
}

fn resolve(state: &Outage, resolved_at: Instant) -> Result<Option<Event>, Rejection> {
    if let Status::Resolved { at } = state.status {
        return match at == resolved_at {
            true => Ok(None),
            false => Err(Rejection::AlreadyResolved { resolved_at: at }),
        };
    }
    for (id, impact) in &state.impacts {
        let known_until = Outage::known_until(impact);
        // An impact that is still open must have lasted some time until then.
        let zero_length = impact.window.to.is_none() && impact.window.from == resolved_at;
        if known_until > resolved_at || zero_length {
            let impact = id.clone();
            return Err(Rejection::ResolvedTooEarly { impact, known_until, resolved_at });
        }
    }
    Ok(Some(Event::OutageResolved { resolved_at }))
}

fn reopen(
    state: &Outage,
    reopened_at: Instant,
    impacts: &[StatedImpact],
    note: &str,
) -> Result<Option<Event>, Rejection> {
    text("note", note)?;
    if state.status == Status::Open {
        let is_known = |impact: &StatedImpact| state.impacts.contains_key(&impact.id);
        let again = state.reopened_at == Some(reopened_at) && impacts.iter().all(is_known);
        return if again { Ok(None) } else { Err(Rejection::NotResolved) };
    }
    if let Some(began_at) = state.began_at()
        && reopened_at < began_at
    {
        return Err(Rejection::ReopenedBeforeItBegan { began_at, reopened_at });
    }
    new_impacts(state, impacts)?;
    let (impacts, note) = (impacts.to_vec(), note.to_owned());
    Ok(Some(Event::OutageReopened { reopened_at, impacts, note }))
}

fn known_impact<'a>(state: &'a Outage, impact: &str) -> Result<&'a Impact, Rejection> {
    state.impacts.get(impact).ok_or_else(|| {
        let known = state.impacts.keys().cloned().collect::<Vec<_>>().join(", ");
        Rejection::UnknownImpact { impact: impact.to_owned(), known }
    })
}

fn new_impacts(state: &Outage, impacts: &[StatedImpact]) -> Result<(), Rejection> {
    let mut seen: Vec<&StatedImpact> = Vec::new();
    for impact in impacts {
        text("impact", &impact.id)?;
        text("component", &impact.component)?;
        ends_after_it_begins(&impact.id, impact.window)?;
        let known = state.impacts.get(&impact.id).map(|known| &known.component);
        let twin = seen.iter().find(|other| other.id == impact.id).map(|other| &other.component);
        if let Some(component) = known.or(twin) {
            let (impact, component) = (impact.id.clone(), component.clone());
            return Err(Rejection::ImpactIdTaken { impact, component });
        }
        seen.push(impact);
    }
    Ok(())
}

/// Leaves the end out of the comparison: the known impact may have been restored since.
fn is_as_stated(known: &Impact, stated: &StatedImpact) -> bool {
    known.service == stated.service
        && known.component == stated.component
        && known.severity == stated.severity
        && known.cohort == stated.cohort
        && known.window.from == stated.window.from
        && (stated.window.to.is_none() || known.window.to == stated.window.to)
}

fn own_windows(declared: Option<Window>, observed: Option<Window>) -> Result<(), Rejection> {
    for (what, window) in [("declared", declared), ("observed", observed)] {
        if let Some(window) = window {
            ends_after_it_begins(what, window)?;
        }
    }
    Ok(())
}

fn ends_after_it_begins(what: &str, window: Window) -> Result<(), Rejection> {
    match window.to {
        Some(to) if to <= window.from => {
            let (what, from) = (what.to_owned(), window.from);
            Err(Rejection::EndsBeforeItBegins { what, from, to })
        }
        Some(_) | None => Ok(()),
    }
}

fn began_before(impact: &str, known: &Impact, restored_at: Instant) -> Result<(), Rejection> {
    let from = known.window.from;
    if restored_at > from {
        return Ok(());
    }
    Err(Rejection::RestoredBeforeItBegan { impact: impact.to_owned(), from, restored_at })
}

fn closed_if_resolved(state: &Outage, window: Window) -> Result<(), Rejection> {
    match state.status {
        Status::Resolved { at } if window.to.is_none() => {
            Err(Rejection::AlreadyResolved { resolved_at: at })
        }
        Status::Unknown | Status::Open | Status::Resolved { .. } | Status::Withdrawn { .. } => {
            Ok(())
        }
    }
}

fn text(field: &'static str, value: &str) -> Result<(), Rejection> {
    if value.is_empty() { Err(Rejection::Empty { field }) } else { Ok(()) }
}
