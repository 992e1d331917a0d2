//! The reservations of one payment file on one partition: the decider of `reserve/{file}/{partition}`.
//!
//! The stream names who shall be in the file; whether each is in it depends on what happened to that payout earlier on
//! the partition (`payout_chunk`), and so the end of the stream states what is.

use sha2::{Digest as _, Sha256};

use crate::decider::Decider;
use crate::money::Money;

/// One payout in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReservedRow {
    /// The subscription's number.
    pub number: u64,
    /// The amount in minor units of the file's currency.
    pub amount_minor: i64,
    /// The transfer's attempt.
    pub attempt: u32,
}

/// Payouts of one chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reserved {
    /// The assessment.
    pub assessment: String,
    /// The chunk.
    pub chunk: u64,
    /// Who, in the order of the numbers.
    pub rows: Vec<ReservedRow>,
}

/// What a partition has in a file in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closing {
    /// Transfers.
    pub count: u64,
    /// Their sum.
    pub total: Money,
    /// Their digest.
    pub digest: [u8; 32],
}

/// What is asked of a reservation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Puts payouts of the next chunk into the file; chunks come in the order of (assessment, chunk).
    Reserve(Reserved),
    /// Ends it.
    Close(Closing),
    /// Frees what it holds, since the file was cancelled.
    Release,
}

/// What then has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Payouts of a chunk go into the file.
    PayoutsReserved(Reserved),
    /// Nothing more does.
    ReservationClosed(Closing),
    /// The file was cancelled: its payouts are free from this record on.
    ReservationReleased,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// The partition's reservations have ended.
    #[error("the reservation is closed: create another file")]
    Closed,
    /// The file was cancelled.
    #[error("the reservation was released with its file: create another file")]
    Released,
    /// Nothing is to be reserved.
    #[error("a reservation names at least one payout")]
    Empty,
}

/// How far a reservation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// More may come.
    #[default]
    Open,
    /// It has ended.
    Closed,
    /// Its payouts are free again.
    Released,
}

/// What decisions depend on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// How far it is.
    pub phase: Phase,
    /// The assessment and chunk that were reserved last.
    pub cursor: Option<(String, u64)>,
}

/// The decider of `reserve/{file}/{partition}`.
#[derive(Clone, Copy, Debug)]
pub struct Reservation;

impl Decider for Reservation {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = State;

    fn decide(state: &State, command: &Command) -> Result<Option<Event>, Rejection> {
        match (command, state.phase) {
            (Command::Reserve(_) | Command::Close(_), Phase::Released) => Err(Rejection::Released),
            (Command::Reserve(reserved), phase) => {
                let place = (reserved.assessment.clone(), reserved.chunk);
                if state.cursor.as_ref().is_some_and(|cursor| *cursor >= place) {
                    return Ok(None);
                }
                if phase == Phase::Closed {
                    return Err(Rejection::Closed);
                }
                if reserved.rows.is_empty() {
                    return Err(Rejection::Empty);
                }
                Ok(Some(Event::PayoutsReserved(reserved.clone())))
            }
            (Command::Close(_), Phase::Closed) | (Command::Release, Phase::Released) => Ok(None),
            (Command::Close(closing), Phase::Open) => Ok(Some(Event::ReservationClosed(*closing))),
            (Command::Release, Phase::Open | Phase::Closed) => Ok(Some(Event::ReservationReleased)),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::PayoutsReserved(reserved) => {
                state.cursor = Some((reserved.assessment.clone(), reserved.chunk));
            }
            Event::ReservationClosed(_) if state.phase == Phase::Open => {
                state.phase = Phase::Closed;
            }
            Event::ReservationClosed(_) => {}
            Event::ReservationReleased => state.phase = Phase::Released,
        }
        state
    }
}

/// Digests what a partition has in a file: SHA-256 over (assessment, number, attempt, amount), in the order of the stream.
#[derive(Clone, Debug, Default)]
pub struct ReservationDigest {
    hasher: Sha256,
    count: u64,
    minor: i64,
}

impl ReservationDigest {
    /// Adds a payout. A sum that left 64 bits would stay at its end, where no amount of transfers can bring it.
    pub fn add(&mut self, assessment: &str, row: &ReservedRow) {
        let length = u32::try_from(assessment.len()).expect("an id is shorter than 4 GiB");
        self.hasher.update(length.to_be_bytes());
        self.hasher.update(assessment.as_bytes());
        self.hasher.update(row.number.to_be_bytes());
        self.hasher.update(row.attempt.to_be_bytes());
        self.hasher.update(row.amount_minor.to_be_bytes());
        self.count += 1;
        self.minor = self.minor.saturating_add(row.amount_minor);
    }

    /// Gives the end that a reservation with these payouts states.
    #[must_use]
    pub fn finish(self, currency: crate::money::Currency) -> Closing {
        let total = Money::new(self.minor, currency);
        Closing { count: self.count, total, digest: self.hasher.finalize().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::check;
    use crate::money::Currency;

    fn row(number: u64) -> ReservedRow {
        ReservedRow { number, amount_minor: 3000, attempt: 1 }
    }

    fn reserved(assessment: &str, chunk: u64, numbers: &[u64]) -> Reserved {
        let rows = numbers.iter().map(|number| row(*number)).collect();
        Reserved { assessment: assessment.to_owned(), chunk, rows }
    }

    fn closing() -> Closing {
        let mut digest = ReservationDigest::default();
        digest.add("a1", &row(1));
        digest.finish(Currency::EUR)
    }

    #[track_caller]
    fn decides(given: &[Event], when: &Command, then: Result<Option<Event>, Rejection>) {
        check::<Reservation>(given, when, then);
    }

    #[test]
    fn chunks_are_reserved_in_order_and_once() {
        let first = Event::PayoutsReserved(reserved("a1", 1, &[1]));
        let reserve = |chunk, numbers: &[u64]| Command::Reserve(reserved("a1", chunk, numbers));
        decides(&[], &reserve(1, &[1]), Ok(Some(first.clone())));
        decides(std::slice::from_ref(&first), &reserve(1, &[1, 2]), Ok(None));
        let second = Event::PayoutsReserved(reserved("a1", 2, &[9]));
        decides(&[first], &reserve(2, &[9]), Ok(Some(second)));
        decides(&[], &reserve(1, &[]), Err(Rejection::Empty));
    }

    #[test]
    fn nothing_is_reserved_after_the_end() {
        let closed = Event::ReservationClosed(closing());
        let reserve = Command::Reserve(reserved("a1", 1, &[1]));
        decides(&[], &Command::Close(closing()), Ok(Some(closed.clone())));
        decides(std::slice::from_ref(&closed), &reserve, Err(Rejection::Closed));
        let released = Event::ReservationReleased;
        decides(&[closed], &Command::Release, Ok(Some(released.clone())));
        decides(&[], &Command::Release, Ok(Some(released.clone())));
        decides(std::slice::from_ref(&released), &reserve, Err(Rejection::Released));
        decides(&[released], &Command::Close(closing()), Err(Rejection::Released));
    }

    #[test]
    fn the_digest_sees_every_part_of_every_row() {
        let digest = |assessment: &str, row: ReservedRow| {
            let mut digest = ReservationDigest::default();
            digest.add(assessment, &row);
            digest.finish(Currency::EUR).digest
        };
        let base = digest("a1", row(1));
        assert_ne!(base, digest("a2", row(1)));
        assert_ne!(base, digest("a1", row(2)));
        assert_ne!(base, digest("a1", ReservedRow { attempt: 2, ..row(1) }));
        assert_ne!(base, digest("a1", ReservedRow { amount_minor: 3001, ..row(1) }));
        assert_eq!((closing().count, closing().total.minor), (1, 3000));
    }
}
