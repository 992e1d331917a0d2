//! What happens to one payout after it was ordered: the decider of `payout/{assessment}/{number}`.
//!
//! Whether a hold takes effect depends on what else happened to the payout on its partition (`payout_chunk`), which
//! comes in the command. A hold that follows a reservation is on the log and has no effect.

use std::fmt;

use crate::decider::Decider;

/// Attempts of one payout at most: what the bank's identifier of a transfer can tell.
pub const ATTEMPT_LIMIT: u32 = 61;

/// What is under way and cannot be held back by a hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Motion {
    /// It is in a payment file.
    File {
        /// The file.
        file: String,
    },
    /// It went to the bank, where nothing holds it back any more.
    Bank {
        /// The file that it went in.
        file: String,
    },
    /// It is lent to a provisioning client.
    Lease {
        /// The lease.
        lease: String,
    },
    /// Everything that it consists of has been given.
    Done,
}

/// What somebody asks of a payout.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Holds it back.
    Hold {
        /// Why.
        note: String,
        /// The version up to which no hold of this payout is in effect.
        void_until: u64,
        /// What is under way.
        motion: Option<Motion>,
    },
    /// Lets a held payout go on.
    Release {
        /// Why.
        note: String,
    },
    /// States that the bank refused the transfer of an attempt.
    Reject {
        /// The attempt.
        attempt: u32,
        /// The ISO 20022 reason code.
        reason_code: String,
    },
    /// States that the settled transfer of an attempt came back.
    Return {
        /// The attempt.
        attempt: u32,
        /// The ISO 20022 reason code.
        reason_code: String,
    },
    /// Tries it again.
    Retry {
        /// The new attempt: one more than the last that was seen.
        attempt: u32,
        /// Whether its grant could not be made.
        grant_failed: bool,
    },
}

/// What then has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It is held back.
    PayoutHeld {
        /// Why.
        note: String,
    },
    /// It goes on.
    PayoutReleased {
        /// Why.
        note: String,
    },
    /// The bank refused the transfer.
    PayoutRejected {
        /// The ISO 20022 reason code.
        reason_code: String,
    },
    /// The transfer came back.
    PayoutReturned {
        /// The ISO 20022 reason code.
        reason_code: String,
    },
    /// It is tried again.
    PayoutRetried {
        /// The new attempt.
        attempt: u32,
    },
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// What is under way cannot be held back.
    #[error("{motion}")]
    InMotion {
        /// What is under way.
        motion: Motion,
    },
    /// Only what failed can be tried again.
    #[error(
        "attempt {attempt} has not failed: only a rejected or returned transfer or a failed grant is tried again"
    )]
    NotFailed {
        /// The attempt.
        attempt: u32,
    },
    /// The report is about another attempt.
    #[error("the report is about attempt {reported}, but the transfer's attempt is {attempt}")]
    OtherAttempt {
        /// The attempt that was reported.
        reported: u32,
        /// The last attempt.
        attempt: u32,
    },
    /// No further attempt can be told apart by the bank.
    #[error("{ATTEMPT_LIMIT} attempts have failed: settle this payout in another way")]
    AttemptsExhausted,
}

/// Why a transfer failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Whether it came back after settlement; else it was refused before.
    pub returned: bool,
    /// The ISO 20022 reason code.
    pub reason_code: String,
}

/// What decisions depend on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The version of the last event.
    pub version: u64,
    /// The version of the hold that was not released again, in effect or not.
    pub held_at: Option<u64>,
    /// The last attempt, from 1.
    pub attempt: u32,
    /// The attempt that the transfer is under; a retry of a grant leaves it.
    pub transfer_attempt: u32,
    /// Why the transfer's attempt failed.
    pub failure: Option<Failure>,
}

/// The decider of `payout/{assessment}/{number}`.
#[derive(Clone, Copy, Debug)]
pub struct Payout;

impl Default for State {
    fn default() -> Self {
        Self { version: 0, held_at: None, attempt: 1, transfer_attempt: 1, failure: None }
    }
}

impl fmt::Display for Motion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Motion::File { file } => {
                write!(formatter, "the payout is in payment file {file}: cancel the file")
            }
            Motion::Bank { file } => {
                write!(
                    formatter,
                    "the payout went to the bank in payment file {file}: only the bank can stop it now"
                )
            }
            Motion::Lease { lease } => {
                write!(
                    formatter,
                    "the payout is lent to provisioning as {lease}: wait until the lease ends"
                )
            }
            Motion::Done => {
                formatter.write_str("the payout was given already: nothing is left to hold")
            }
        }
    }
}

impl Decider for Payout {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = State;

    fn decide(state: &State, command: &Command) -> Result<Option<Event>, Rejection> {
        match command {
            Command::Hold { note, void_until, motion } => {
                if state.held_at.is_some_and(|version| version > *void_until) {
                    return Ok(None);
                }
                match motion {
                    Some(motion) => Err(Rejection::InMotion { motion: motion.clone() }),
                    None => Ok(Some(Event::PayoutHeld { note: note.clone() })),
                }
            }
            Command::Release { note } => {
                let event = || Event::PayoutReleased { note: note.clone() };
                Ok(state.held_at.map(|_| event()))
            }
            Command::Reject { attempt, reason_code } => {
                let failure = Failure { returned: false, reason_code: reason_code.clone() };
                fail(state, *attempt, failure)
            }
            Command::Return { attempt, reason_code } => {
                let failure = Failure { returned: true, reason_code: reason_code.clone() };
                fail(state, *attempt, failure)
            }
            Command::Retry { attempt, grant_failed } => retry(state, *attempt, *grant_failed),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        state.version += 1;
        match event {
            Event::PayoutHeld { .. } => state.held_at = Some(state.version),
            Event::PayoutReleased { .. } => state.held_at = None,
            Event::PayoutRejected { reason_code } => {
                state.failure = Some(Failure { returned: false, reason_code: reason_code.clone() });
            }
            Event::PayoutReturned { reason_code } => {
                state.failure = Some(Failure { returned: true, reason_code: reason_code.clone() });
            }
            Event::PayoutRetried { attempt } => {
                state.attempt = *attempt;
                // Only a transfer that failed is free again: a retry of a grant must not pay twice.
                if state.failure.take().is_some() {
                    state.transfer_attempt = *attempt;
                }
            }
        }
        state
    }
}

/// A return may follow a rejection that the bank reported wrongly; the other way round nothing is new.
fn fail(state: &State, attempt: u32, failure: Failure) -> Result<Option<Event>, Rejection> {
    if attempt != state.transfer_attempt {
        let attempt_now = state.transfer_attempt;
        return Err(Rejection::OtherAttempt { reported: attempt, attempt: attempt_now });
    }
    if let Some(known) = &state.failure
        && (known.returned || !failure.returned)
    {
        return Ok(None);
    }
    let reason_code = failure.reason_code;
    Ok(Some(match failure.returned {
        true => Event::PayoutReturned { reason_code },
        false => Event::PayoutRejected { reason_code },
    }))
}

fn retry(state: &State, attempt: u32, grant_failed: bool) -> Result<Option<Event>, Rejection> {
    if attempt <= state.attempt {
        return Ok(None);
    }
    if state.failure.is_none() && !grant_failed {
        return Err(Rejection::NotFailed { attempt: state.attempt });
    }
    let attempt = state.attempt + 1;
    if attempt > ATTEMPT_LIMIT {
        return Err(Rejection::AttemptsExhausted);
    }
    Ok(Some(Event::PayoutRetried { attempt }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::{check, fold};

    fn hold(void_until: u64, motion: Option<Motion>) -> Command {
        Command::Hold { note: "fraud".to_owned(), void_until, motion }
    }

    fn held() -> Event {
        Event::PayoutHeld { note: "fraud".to_owned() }
    }

    fn release() -> Command {
        Command::Release { note: "checked".to_owned() }
    }

    fn released() -> Event {
        Event::PayoutReleased { note: "checked".to_owned() }
    }

    fn rejected() -> Event {
        Event::PayoutRejected { reason_code: "AC04".to_owned() }
    }

    fn returned() -> Event {
        Event::PayoutReturned { reason_code: "MD07".to_owned() }
    }

    fn reject(attempt: u32) -> Command {
        Command::Reject { attempt, reason_code: "AC04".to_owned() }
    }

    fn come_back(attempt: u32) -> Command {
        Command::Return { attempt, reason_code: "MD07".to_owned() }
    }

    fn retry(attempt: u32, grant_failed: bool) -> Command {
        Command::Retry { attempt, grant_failed }
    }

    fn retried(attempt: u32) -> Event {
        Event::PayoutRetried { attempt }
    }

    #[track_caller]
    fn decides(given: &[Event], when: &Command, then: Result<Option<Event>, Rejection>) {
        check::<Payout>(given, when, then);
    }

    #[test]
    fn a_payout_is_held_once_and_released_once() {
        decides(&[], &hold(0, None), Ok(Some(held())));
        decides(&[held()], &hold(0, None), Ok(None));
        decides(&[held()], &release(), Ok(Some(released())));
        decides(&[], &release(), Ok(None));
        decides(&[held(), released()], &hold(2, None), Ok(Some(held())));
    }

    #[test]
    fn a_hold_without_effect_does_not_stand_in_the_way_of_the_next() {
        decides(&[held()], &hold(1, None), Ok(Some(held())));
    }

    #[test]
    fn what_is_under_way_is_not_held() {
        let motion = Motion::File { file: "f1".to_owned() };
        let text = motion.to_string();
        assert!(text.contains("f1") && text.contains("cancel the file"), "{text}");
        let at_bank = Motion::Bank { file: "f1".to_owned() }.to_string();
        assert!(at_bank.contains("f1") && !at_bank.contains("cancel"), "{at_bank}");
        let refused = Err(Rejection::InMotion { motion: motion.clone() });
        decides(&[], &hold(0, Some(motion.clone())), refused);
        decides(&[held()], &hold(0, Some(motion)), Ok(None));
    }

    #[test]
    fn only_what_failed_is_tried_again() {
        decides(&[], &retry(2, false), Err(Rejection::NotFailed { attempt: 1 }));
        decides(&[rejected()], &retry(2, false), Ok(Some(retried(2))));
        decides(&[returned(), retried(2), rejected()], &retry(3, false), Ok(Some(retried(3))));
        decides(&[rejected(), retried(2)], &retry(2, false), Ok(None));
        decides(&[], &retry(2, true), Ok(Some(retried(2))));
    }

    #[test]
    fn a_report_counts_for_its_own_attempt() {
        decides(&[], &reject(1), Ok(Some(rejected())));
        decides(&[rejected()], &reject(1), Ok(None));
        decides(&[rejected()], &come_back(1), Ok(Some(returned())));
        decides(&[returned()], &reject(1), Ok(None));
        let late = Rejection::OtherAttempt { reported: 1, attempt: 2 };
        decides(&[rejected(), retried(2)], &come_back(1), Err(late));
    }

    #[test]
    fn a_retry_of_a_grant_leaves_the_transfer_under_its_attempt() {
        let state = fold::<Payout>(&[retried(2)]);
        assert_eq!((state.attempt, state.transfer_attempt), (2, 1));
        let state = fold::<Payout>(&[retried(2), rejected(), retried(3)]);
        assert_eq!((state.attempt, state.transfer_attempt), (3, 3));
    }

    #[test]
    fn attempts_end_where_identifiers_do() {
        let history: Vec<Event> =
            (2..=ATTEMPT_LIMIT).flat_map(|attempt| [rejected(), retried(attempt)]).collect();
        let history = [history, vec![rejected()]].concat();
        decides(&history, &retry(ATTEMPT_LIMIT + 1, false), Err(Rejection::AttemptsExhausted));
    }
}
