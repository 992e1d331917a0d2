//! Grants and invoice credits of one partition: the decider of `grant/{assessment}/{partition}`.
//!
//! A place that is lent, delivered or exported is left out of what comes later, so that nothing is given twice: the key
//! of a grant is (assessment, number, kind) in every lease. A state may know only the places that a command is about.

use std::collections::{BTreeMap, BTreeSet};

use crate::decider::Decider;
use crate::time::Instant;

/// A lease: places of a chunk, lent to a provisioning client until a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The lease's id.
    pub lease: String,
    /// When it ends.
    pub expires_at: Instant,
    /// The chunk.
    pub chunk: u64,
    /// Who, ascending.
    pub numbers: Vec<u64>,
}

/// Credits that went to invoicing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// The export's id.
    pub export: String,
    /// The chunk.
    pub chunk: u64,
    /// Who, ascending.
    pub numbers: Vec<u64>,
}

/// What is asked about grants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Lends those of the places that are not lent or given.
    Lease {
        /// The lease that is wished for.
        wish: Lease,
        /// Now.
        now: Instant,
        /// Those whose grant failed and shall be tried again.
        retried: BTreeSet<u64>,
    },
    /// States that grants were made.
    Deliver {
        /// Who.
        numbers: BTreeSet<u64>,
    },
    /// States that a grant could not be made.
    Fail {
        /// Who.
        number: u64,
        /// Why.
        note: String,
    },
    /// Gives those of the credits to invoicing that it has not got.
    Export(Export),
}

/// What then has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Places are lent.
    GrantsLeased(Lease),
    /// Grants were made.
    GrantsDelivered {
        /// Who, ascending.
        numbers: Vec<u64>,
    },
    /// A grant could not be made.
    GrantFailed {
        /// Who.
        number: u64,
        /// Why.
        note: String,
    },
    /// Credits went to invoicing.
    InvoiceCreditsExported(Export),
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// An outcome of what was never lent.
    #[error("the grant of number {number} was never lent: report outcomes of pulled grants only")]
    NeverLent {
        /// The subscription's number.
        number: u64,
    },
}

/// What became of one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// When the last lease ends or ended.
    pub lent_until: Option<Instant>,
    /// Its grants were made.
    pub delivered: bool,
    /// The last lease ended with a failure.
    pub failed: bool,
    /// Its credits went to invoicing.
    pub exported: bool,
}

/// What decisions depend on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// Places that something happened to.
    pub places: BTreeMap<u64, Place>,
    /// The leases that were given.
    pub leases: BTreeSet<String>,
}

/// The decider of `grant/{assessment}/{partition}`.
#[derive(Clone, Copy, Debug)]
pub struct Grants;

impl Place {
    /// Tells whether the place can be lent; `retried` says that a failed one shall be tried again.
    #[must_use]
    pub fn lendable(&self, now: Instant, retried: bool) -> bool {
        let lent = self.lent_until.is_some_and(|until| until > now);
        let given = self.delivered || (self.failed && !retried);
        // A failure ends its lease at once.
        !given && (!lent || self.failed)
    }

    /// Tells whether the place is with a client.
    #[must_use]
    pub fn is_lent(&self, now: Instant) -> bool {
        !self.delivered && !self.failed && self.lent_until.is_some_and(|until| until > now)
    }
}

impl State {
    /// Gives what became of a place.
    #[must_use]
    pub fn place(&self, number: u64) -> Place {
        self.places.get(&number).copied().unwrap_or_default()
    }
}

impl Decider for Grants {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = State;

    fn decide(state: &State, command: &Command) -> Result<Option<Event>, Rejection> {
        match command {
            Command::Lease { wish, now, retried } => {
                if state.leases.contains(&wish.lease) {
                    return Ok(None);
                }
                let lendable =
                    |number: &&u64| state.place(**number).lendable(*now, retried.contains(number));
                let numbers: Vec<u64> = wish.numbers.iter().filter(lendable).copied().collect();
                let lease = || Lease { numbers: numbers.clone(), ..wish.clone() };
                Ok((!numbers.is_empty()).then(|| Event::GrantsLeased(lease())))
            }
            Command::Deliver { numbers } => {
                for number in numbers {
                    lent(state, *number)?;
                }
                let new = |number: &&u64| !state.place(**number).delivered;
                let numbers: Vec<u64> = numbers.iter().filter(new).copied().collect();
                Ok((!numbers.is_empty()).then_some(Event::GrantsDelivered { numbers }))
            }
            Command::Fail { number, note } => {
                lent(state, *number)?;
                let place = state.place(*number);
                let failed = Event::GrantFailed { number: *number, note: note.clone() };
                Ok((!place.delivered && !place.failed).then_some(failed))
            }
            Command::Export(wish) => {
                let new = |number: &&u64| !state.place(**number).exported;
                let numbers: Vec<u64> = wish.numbers.iter().filter(new).copied().collect();
                let export = || Export { numbers: numbers.clone(), ..wish.clone() };
                Ok((!numbers.is_empty()).then(|| Event::InvoiceCreditsExported(export())))
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        let mut place = |number: &u64, change: fn(&mut Place)| {
            change(state.places.entry(*number).or_default());
        };
        match event {
            Event::GrantsLeased(lease) => {
                for number in &lease.numbers {
                    let place = state.places.entry(*number).or_default();
                    place.lent_until = Some(lease.expires_at);
                    place.failed = false;
                }
                state.leases.insert(lease.lease.clone());
            }
            Event::GrantsDelivered { numbers } => {
                numbers.iter().for_each(|number| place(number, |it| it.delivered = true));
            }
            Event::GrantFailed { number, .. } => place(number, |it| it.failed = true),
            Event::InvoiceCreditsExported(export) => {
                export.numbers.iter().for_each(|number| place(number, |it| it.exported = true));
            }
        }
        state
    }
}

fn lent(state: &State, number: u64) -> Result<(), Rejection> {
    match state.place(number).lent_until {
        Some(_) => Ok(()),
        None => Err(Rejection::NeverLent { number }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::check;

    fn at(second: i64) -> Instant {
        Instant::new(second, 0).unwrap()
    }

    fn lease(id: &str, ends: i64, numbers: &[u64]) -> Lease {
        let (lease, expires_at) = (id.to_owned(), at(ends));
        Lease { lease, expires_at, chunk: 1, numbers: numbers.to_vec() }
    }

    fn wish(id: &str, now: i64, numbers: &[u64], retried: &[u64]) -> Command {
        let (wish, now) = (lease(id, now + 60, numbers), at(now));
        Command::Lease { wish, now, retried: retried.iter().copied().collect() }
    }

    fn lent(id: &str, ends: i64, numbers: &[u64]) -> Event {
        Event::GrantsLeased(lease(id, ends, numbers))
    }

    fn delivered(numbers: &[u64]) -> Event {
        Event::GrantsDelivered { numbers: numbers.to_vec() }
    }

    fn deliver(numbers: &[u64]) -> Command {
        Command::Deliver { numbers: numbers.iter().copied().collect() }
    }

    fn failed(number: u64) -> Event {
        Event::GrantFailed { number, note: "no mailbox".to_owned() }
    }

    #[track_caller]
    fn decides(given: &[Event], when: &Command, then: Result<Option<Event>, Rejection>) {
        check::<Grants>(given, when, then);
    }

    #[test]
    fn what_is_lent_or_delivered_is_not_lent_again() {
        decides(&[], &wish("l1", 0, &[1, 2], &[]), Ok(Some(lent("l1", 60, &[1, 2]))));
        let given = [lent("l1", 60, &[1, 2])];
        decides(&given, &wish("l2", 30, &[1, 2, 3], &[]), Ok(Some(lent("l2", 90, &[3]))));
        decides(&given, &wish("l2", 60, &[1, 2], &[]), Ok(Some(lent("l2", 120, &[1, 2]))));
        decides(&given, &wish("l1", 100, &[1, 2], &[]), Ok(None));
        let given = [lent("l1", 60, &[1, 2]), delivered(&[1])];
        decides(&given, &wish("l2", 99, &[1, 2], &[]), Ok(Some(lent("l2", 159, &[2]))));
    }

    #[test]
    fn outcomes_are_taken_late_and_once() {
        let given = [lent("l1", 60, &[1, 2])];
        decides(&given, &deliver(&[1, 2]), Ok(Some(delivered(&[1, 2]))));
        let given = [lent("l1", 60, &[1, 2]), delivered(&[1])];
        decides(&given, &deliver(&[1, 2]), Ok(Some(delivered(&[2]))));
        decides(&given, &deliver(&[3]), Err(Rejection::NeverLent { number: 3 }));
        let fail = |number| Command::Fail { number, note: "no mailbox".to_owned() };
        decides(&given, &fail(2), Ok(Some(failed(2))));
        decides(&given, &fail(1), Ok(None));
    }

    #[test]
    fn what_failed_is_lent_again_only_when_it_is_retried() {
        let given = [lent("l1", 60, &[1]), failed(1)];
        decides(&given, &wish("l2", 90, &[1], &[]), Ok(None));
        decides(&given, &wish("l2", 30, &[1], &[1]), Ok(Some(lent("l2", 90, &[1]))));
    }

    #[test]
    fn credits_are_exported_once() {
        let export = |id: &str, numbers: &[u64]| Export {
            export: id.to_owned(),
            chunk: 1,
            numbers: numbers.to_vec(),
        };
        let exported = |id, numbers: &[u64]| Event::InvoiceCreditsExported(export(id, numbers));
        decides(&[], &Command::Export(export("e1", &[1])), Ok(Some(exported("e1", &[1]))));
        let given = [exported("e1", &[1])];
        decides(&given, &Command::Export(export("e2", &[1, 2])), Ok(Some(exported("e2", &[2]))));
    }
}
