//! One subscriber's own stream: what happens to the person after, or beside, the batches of the roster.
//!
//! The stream's beginning is the person's place in the batches, which no event here repeats. It comes with the
//! command, as a fact that never changes once it is recorded.

mod holding;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use holding::{Holding, Stretch};

use crate::decider::Decider;
use crate::facts::Account;
use crate::roster::{Contact, Payee, Profile};
use crate::time::Instant;

/// What was recorded of a subscriber when each subscription came to the roster.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Base {
    /// The subscriptions as they were recorded first, by the provider's id.
    pub holdings: BTreeMap<String, Holding>,
    /// How the subscriber is reached, unless a `ContactSet` on the stream says otherwise.
    pub contact: Contact,
    /// Where the subscriber is paid, unless a `PayeeSet` on the stream says otherwise.
    pub payee: Option<Payee>,
}

/// A question to one subscriber's stream, with what was recorded before it began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriberCommand {
    /// What was recorded.
    pub base: Base,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    /// A known subscriber has a further subscription.
    Start {
        /// The provider's subscription id.
        subscription: String,
        /// The number that the roster set aside for it.
        number: u64,
        /// What it is.
        profile: Arc<Profile>,
        /// From when.
        valid_from: Instant,
    },
    /// Another plan, or the same one again after an end.
    ChangePlan {
        /// The provider's subscription id.
        subscription: String,
        /// What it is from then on.
        profile: Arc<Profile>,
        /// From when.
        changed_at: Instant,
    },
    /// No plan any more.
    End {
        /// The provider's subscription id.
        subscription: String,
        /// The first instant without it.
        ended_at: Instant,
    },
    /// Another address.
    SetContact {
        /// The contact, whole.
        contact: Contact,
    },
    /// Another account, or none any more.
    SetPayee {
        /// The payee, whole.
        payee: Option<Payee>,
    },
    /// Arrears, unpaid invoices, storage or the term as they are from now on.
    SetAccount {
        /// The provider's subscription id.
        subscription: String,
        /// The account, whole.
        account: Account,
    },
    /// Something does not work.
    ReportTrouble {
        /// The provider's subscription id.
        subscription: String,
        /// What does not work, where it was said.
        component: Option<String>,
        /// When it was reported.
        reported_at: Instant,
    },
}

/// What happened to one subscriber.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubscriberEvent {
    /// A further subscription of a known subscriber.
    SubscriptionStarted {
        /// The provider's subscription id.
        subscription: String,
        /// Its number.
        number: u64,
        /// What it is.
        profile: Arc<Profile>,
        /// From when.
        valid_from: Instant,
    },
    /// A subscription went over to another plan, or began again.
    PlanChanged {
        /// The provider's subscription id.
        subscription: String,
        /// What it is from then on.
        profile: Arc<Profile>,
        /// From when.
        changed_at: Instant,
    },
    /// A subscription ended.
    SubscriptionEnded {
        /// The provider's subscription id.
        subscription: String,
        /// The first instant without it.
        ended_at: Instant,
    },
    /// How a subscriber is reached from now on.
    ContactSet {
        /// The contact, whole.
        contact: Contact,
    },
    /// Where a subscriber is paid from now on; none for nowhere.
    PayeeSet {
        /// The payee, whole.
        payee: Option<Payee>,
    },
    /// What is known of a subscription's account from now on.
    AccountSet {
        /// The provider's subscription id.
        subscription: String,
        /// The account, whole.
        account: Account,
    },
    /// A subscriber reported trouble.
    TroubleReported {
        /// The provider's subscription id.
        subscription: String,
        /// What does not work, where it was said.
        component: Option<String>,
        /// When it was reported.
        reported_at: Instant,
    },
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubscriberRejection {
    /// The subscriber has no such subscription.
    #[error("this subscriber has no subscription {subscription:?}: import it first")]
    UnknownSubscription {
        /// The provider's subscription id.
        subscription: String,
    },
    /// Nobody has this id.
    #[error("there is no such subscriber: import a subscription of theirs first")]
    UnknownSubscriber,
    /// The subscriber has it already, with another number or start.
    #[error("the subscription {subscription:?} is there already, under number {number}")]
    SubscriptionExists {
        /// The provider's subscription id.
        subscription: String,
        /// Its number.
        number: u64,
    },
    /// History is not rewritten.
    #[error("{at} is not after {recorded_at}, the last recorded change: history is not rewritten")]
    NotAfterLastChange {
        /// When the change shall be.
        at: Instant,
        /// When the last one was.
        recorded_at: Instant,
    },
    /// It ended at another time.
    #[error("the subscription ended at {ended_at} already")]
    EndedAlready {
        /// When.
        ended_at: Instant,
    },
    /// A change falls before the recorded end.
    #[error("{at} is before {ended_at}, the recorded end: history is not rewritten")]
    BeforeRecordedEnd {
        /// When the change shall be.
        at: Instant,
        /// The recorded end.
        ended_at: Instant,
    },
    /// A subscription keeps its service.
    #[error("the subscription is to {service}, not {other}: end it and import another one")]
    OtherService {
        /// Its service.
        service: String,
        /// The one that was asked for.
        other: String,
    },
}

/// What decisions depend on, besides the base.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SubscriberState {
    started: BTreeMap<String, Holding>,
    changes: BTreeMap<String, Vec<Change>>,
    contact: Option<Contact>,
    payee: Option<Option<Payee>>,
    accounts: BTreeMap<String, Account>,
    reports: BTreeSet<(String, Option<String>, Instant)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    Plan(Arc<Profile>, Instant),
    End(Instant),
}

/// Decides on `subscriber/<subscriber>`.
#[derive(Clone, Copy, Debug)]
pub struct Subscriber;

impl SubscriberState {
    /// Gives a subscription as it is after the stream's events.
    #[must_use]
    pub fn holding(&self, base: &Base, subscription: &str) -> Option<Holding> {
        let first = self.started.get(subscription).or_else(|| base.holdings.get(subscription));
        let mut holding = first?.clone();
        for change in self.changes.get(subscription).into_iter().flatten() {
            match change {
                Change::Plan(profile, at) => holding.change(Arc::clone(profile), *at),
                Change::End(at) => holding.end(*at),
            }
        }
        Some(holding)
    }

    fn somebody(&self, base: &Base) -> Result<(), SubscriberRejection> {
        match base.holdings.is_empty() && self.started.is_empty() {
            true => Err(SubscriberRejection::UnknownSubscriber),
            false => Ok(()),
        }
    }

    fn known(&self, base: &Base, subscription: &str) -> Result<Holding, SubscriberRejection> {
        self.holding(base, subscription).ok_or_else(|| SubscriberRejection::UnknownSubscription {
            subscription: subscription.to_owned(),
        })
    }
}

impl Decider for Subscriber {
    type Command = SubscriberCommand;
    type Event = SubscriberEvent;
    type Rejection = SubscriberRejection;
    type State = SubscriberState;

    fn decide(
        state: &SubscriberState,
        SubscriberCommand { base, ask }: &SubscriberCommand,
    ) -> Result<Option<SubscriberEvent>, SubscriberRejection> {
        match ask.clone() {
            Ask::Start { subscription, number, profile, valid_from } => {
                match state.holding(base, &subscription) {
                    Some(held) if held.number == number => Ok(None),
                    Some(held) => Err(SubscriberRejection::SubscriptionExists {
                        subscription,
                        number: held.number,
                    }),
                    None => Ok(Some(SubscriberEvent::SubscriptionStarted {
                        subscription,
                        number,
                        profile,
                        valid_from,
                    })),
                }
            }
            Ask::ChangePlan { subscription, profile, changed_at } => {
                let held = state.known(base, &subscription)?;
                let changes = changes_plan(&held, &profile, changed_at)?;
                let event = SubscriberEvent::PlanChanged { subscription, profile, changed_at };
                Ok(changes.then_some(event))
            }
            Ask::End { subscription, ended_at } => {
                let ends = ends_plan(&state.known(base, &subscription)?, ended_at)?;
                Ok(ends.then_some(SubscriberEvent::SubscriptionEnded { subscription, ended_at }))
            }
            Ask::SetContact { contact } => {
                state.somebody(base)?;
                let same = state.contact.as_ref().unwrap_or(&base.contact) == &contact;
                Ok((!same).then_some(SubscriberEvent::ContactSet { contact }))
            }
            Ask::SetPayee { payee } => {
                state.somebody(base)?;
                let same = state.payee.as_ref().unwrap_or(&base.payee) == &payee;
                Ok((!same).then_some(SubscriberEvent::PayeeSet { payee }))
            }
            Ask::SetAccount { subscription, account } => {
                state.known(base, &subscription)?;
                let before = state.accounts.get(&subscription).copied().unwrap_or_default();
                let event = SubscriberEvent::AccountSet { subscription, account };
                Ok((before != account).then_some(event))
            }
            Ask::ReportTrouble { subscription, component, reported_at } => {
                state.known(base, &subscription)?;
                let report = (subscription, component, reported_at);
                let known = state.reports.contains(&report);
                let (subscription, component, reported_at) = report;
                let event =
                    SubscriberEvent::TroubleReported { subscription, component, reported_at };
                Ok((!known).then_some(event))
            }
        }
    }

    fn evolve(mut state: SubscriberState, event: &SubscriberEvent) -> SubscriberState {
        match event.clone() {
            SubscriberEvent::SubscriptionStarted { subscription, number, profile, valid_from } => {
                let holding = Holding::begin(number, profile, valid_from, None);
                state.started.insert(subscription, holding);
            }
            SubscriberEvent::PlanChanged { subscription, profile, changed_at } => {
                let change = Change::Plan(profile, changed_at);
                state.changes.entry(subscription).or_default().push(change);
            }
            SubscriberEvent::SubscriptionEnded { subscription, ended_at } => {
                state.changes.entry(subscription).or_default().push(Change::End(ended_at));
            }
            SubscriberEvent::ContactSet { contact } => state.contact = Some(contact),
            SubscriberEvent::PayeeSet { payee } => state.payee = Some(payee),
            SubscriberEvent::AccountSet { subscription, account } => {
                state.accounts.insert(subscription, account);
            }
            SubscriberEvent::TroubleReported { subscription, component, reported_at } => {
                state.reports.insert((subscription, component, reported_at));
            }
        }
        state
    }
}

/// Says whether a plan change is one; a stretch that is recorded just so needs none.
fn changes_plan(
    held: &Holding,
    profile: &Profile,
    at: Instant,
) -> Result<bool, SubscriberRejection> {
    let recorded = |stretch: &Stretch| stretch.from == at && *stretch.profile == *profile;
    if held.stretches.iter().any(recorded) {
        return Ok(false);
    }
    let last = held.last();
    if last.profile.service != profile.service {
        let (service, other) = (last.profile.service.clone(), profile.service.clone());
        return Err(SubscriberRejection::OtherService { service, other });
    }
    if at <= last.from {
        return Err(SubscriberRejection::NotAfterLastChange { at, recorded_at: last.from });
    }
    match last.to {
        Some(ended_at) if at < ended_at => {
            Err(SubscriberRejection::BeforeRecordedEnd { at, ended_at })
        }
        Some(_) => Ok(true),
        None => Ok(*last.profile != *profile),
    }
}

fn ends_plan(held: &Holding, at: Instant) -> Result<bool, SubscriberRejection> {
    let last = held.last();
    match last.to {
        Some(ended_at) if ended_at == at => Ok(false),
        Some(ended_at) => Err(SubscriberRejection::EndedAlready { ended_at }),
        None if at <= last.from => {
            Err(SubscriberRejection::NotAfterLastChange { at, recorded_at: last.from })
        }
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests;
