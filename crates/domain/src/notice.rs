//! Notices: the queue that follows the decisions, and what happens to one person's notice later.

use std::collections::BTreeMap;

use crate::columns::{Columns, ColumnsError};
use crate::decided::Chunk;
use crate::decider::Decider;
use crate::dispatch::Outcome;
use crate::remedy::Remedy;

/// The notices that follow from one chunk of decisions: only for people who get something.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueuedChunk {
    /// The distinct sets of remedies that notices tell of.
    pub told: Vec<Vec<Remedy>>,
    /// Who, and which set.
    pub columns: Columns,
    /// Whether people decided to leave out the chunk of decisions.
    pub skipped: bool,
}

/// What happens on a queue's stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueEvent {
    /// A chunk is queued; its number is its version.
    NoticesQueued(QueuedChunk),
    /// The assessment was completed: notices may go out.
    NoticesReleased {
        /// Chunks before this event.
        chunks: u64,
        /// The outage, for its restorations.
        outage: String,
    },
    /// The assessment was cancelled or stopped: nobody is told.
    NoticesVoided,
}

impl QueuedChunk {
    /// Queues a notice for everyone in a chunk of decisions who gets something.
    ///
    /// # Errors
    /// `Step` where those who are left are too far apart, which no roster of a 48-bit count in use is.
    pub fn of(decided: &Chunk) -> Result<Self, ColumnsError> {
        let mut queued = Self::default();
        let mut entries: BTreeMap<&[Remedy], u32> = BTreeMap::new();
        for (number, reason) in decided.columns.iter() {
            let remedies = decided.reasons.get(reason as usize).map(|reason| &reason.remedies);
            let Some(remedies) = remedies.filter(|remedies| !remedies.is_empty()) else { continue };
            let entry = *entries.entry(remedies).or_insert_with(|| {
                queued.told.push(remedies.clone());
                u32::try_from(queued.told.len() - 1)
                    .expect("a dictionary is shorter than its chunk")
            });
            queued.columns.push(number, entry)?;
        }
        Ok(queued)
    }
}

/// What is asked about one person's notice. `outcome` is what became of the attempt; none while it is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Sends it again.
    Retry {
        /// The attempt that did not reach its reader.
        of_attempt: u32,
        /// What became of it.
        outcome: Option<Outcome>,
    },
    /// States that it came back.
    Bounce {
        /// The attempt that came back.
        attempt: u32,
        /// What became of it before.
        outcome: Option<Outcome>,
        /// The enhanced status code, such as `5.1.1`. RFC 3463, section 2.
        status_code: String,
    },
}

/// What has happened to one person's notice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It came back.
    NoticeBounced {
        /// The enhanced status code.
        status_code: String,
    },
    /// It is sent again.
    NoticeRetried {
        /// The new attempt, from 2.
        attempt: u32,
    },
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// The command is about an earlier attempt.
    #[error("attempt {attempt} is not the last one, {last}: look at the notice again")]
    NotLastAttempt {
        /// The attempt that was named.
        attempt: u32,
        /// The last attempt.
        last: u32,
    },
    /// The attempt has not ended.
    #[error("attempt {attempt} is still under way: wait for its outcome")]
    UnderWay {
        /// The attempt.
        attempt: u32,
    },
    /// The attempt reached its reader as far as anybody knows.
    #[error("attempt {attempt} was sent and did not come back: there is nothing to send again")]
    Delivered {
        /// The attempt.
        attempt: u32,
    },
    /// What was never taken cannot come back.
    #[error("attempt {attempt} was never taken by a server, so it cannot have come back")]
    NeverTaken {
        /// The attempt.
        attempt: u32,
    },
    /// The status code is none.
    #[error("{code:?} is no enhanced status code: write one such as 5.1.1")]
    StatusCode {
        /// What was given.
        code: String,
    },
}

/// The decider of `notice/{assessment}/{number}`, and its state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notice {
    retries: u32,
    bounced: Option<String>,
}

impl Notice {
    /// Gives the last attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.retries + 1
    }

    fn is_last(&self, attempt: u32) -> Result<(), Rejection> {
        let last = self.attempt();
        if attempt == last { Ok(()) } else { Err(Rejection::NotLastAttempt { attempt, last }) }
    }
}

impl Decider for Notice {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = Self;

    fn decide(state: &Self, command: &Command) -> Result<Option<Event>, Rejection> {
        match command {
            Command::Retry { of_attempt, outcome } => retry(state, *of_attempt, *outcome),
            Command::Bounce { attempt, outcome, status_code } => {
                bounce(state, *attempt, *outcome, status_code)
            }
        }
    }

    fn evolve(mut state: Self, event: &Event) -> Self {
        match event {
            Event::NoticeBounced { status_code } => state.bounced = Some(status_code.clone()),
            Event::NoticeRetried { attempt } => {
                state.retries = attempt.saturating_sub(1);
                state.bounced = None;
            }
        }
        state
    }
}

fn retry(
    state: &Notice,
    of_attempt: u32,
    outcome: Option<Outcome>,
) -> Result<Option<Event>, Rejection> {
    if of_attempt.checked_add(1) == Some(state.attempt()) {
        return Ok(None);
    }
    state.is_last(of_attempt)?;
    match outcome {
        None => Err(Rejection::UnderWay { attempt: of_attempt }),
        Some(Outcome::Sent) if state.bounced.is_none() => {
            Err(Rejection::Delivered { attempt: of_attempt })
        }
        Some(
            Outcome::Sent
            | Outcome::Refused
            | Outcome::Unknown
            | Outcome::NoChannel
            | Outcome::Deferred,
        ) => Ok(Some(Event::NoticeRetried { attempt: of_attempt + 1 })),
    }
}

fn bounce(
    state: &Notice,
    attempt: u32,
    outcome: Option<Outcome>,
    status_code: &str,
) -> Result<Option<Event>, Rejection> {
    if !is_status_code(status_code) {
        return Err(Rejection::StatusCode { code: status_code.to_owned() });
    }
    state.is_last(attempt)?;
    match outcome {
        None => Err(Rejection::UnderWay { attempt }),
        Some(Outcome::Sent | Outcome::Unknown) => {
            let status_code = status_code.to_owned();
            let news = state.bounced.is_none();
            Ok(news.then_some(Event::NoticeBounced { status_code }))
        }
        Some(Outcome::Refused | Outcome::NoChannel | Outcome::Deferred) => {
            Err(Rejection::NeverTaken { attempt })
        }
    }
}

/// Class 4 or 5, then a subject and a detail of one to three digits each. RFC 3463, section 2.
fn is_status_code(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number =
        |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    match parts.as_slice() {
        [class, subject, detail] => {
            matches!(*class, "4" | "5") && number(subject) && number(detail)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::check;
    use crate::money::{Currency, Money};
    use crate::remedy::{Grant, Payer, Reason, RemedyKind};

    fn retry(of_attempt: u32, outcome: Option<Outcome>) -> Command {
        Command::Retry { of_attempt, outcome }
    }

    fn retried(attempt: u32) -> Event {
        Event::NoticeRetried { attempt }
    }

    fn bounce(attempt: u32, outcome: Outcome, code: &str) -> Command {
        Command::Bounce { attempt, outcome: Some(outcome), status_code: code.to_owned() }
    }

    fn bounced() -> Event {
        Event::NoticeBounced { status_code: "5.1.1".to_owned() }
    }

    #[track_caller]
    fn decides(given: &[Event], when: &Command, then: Result<Option<Event>, Rejection>) {
        check::<Notice>(given, when, then);
    }

    #[test]
    fn what_did_not_arrive_is_sent_again_once_for_each_failure() {
        for outcome in [Outcome::Refused, Outcome::Unknown, Outcome::NoChannel, Outcome::Deferred] {
            decides(&[], &retry(1, Some(outcome)), Ok(Some(retried(2))));
        }
        decides(&[], &retry(1, None), Err(Rejection::UnderWay { attempt: 1 }));
        decides(&[], &retry(1, Some(Outcome::Sent)), Err(Rejection::Delivered { attempt: 1 }));
        decides(&[bounced()], &retry(1, Some(Outcome::Sent)), Ok(Some(retried(2))));
        decides(&[retried(2)], &retry(2, Some(Outcome::Refused)), Ok(Some(retried(3))));
        let old = Rejection::NotLastAttempt { attempt: 1, last: 3 };
        decides(&[retried(2), retried(3)], &retry(1, Some(Outcome::Refused)), Err(old));
    }

    #[test]
    fn only_what_was_taken_comes_back() {
        decides(&[], &bounce(1, Outcome::Sent, "5.1.1"), Ok(Some(bounced())));
        decides(&[], &bounce(1, Outcome::Unknown, "5.1.1"), Ok(Some(bounced())));
        let never = Rejection::NeverTaken { attempt: 1 };
        decides(&[], &bounce(1, Outcome::Refused, "5.1.1"), Err(never));
        for code in ["", "2.0.0", "5.1", "5.1.1.1", "5.1.x", "5.1.1234"] {
            let refused = Rejection::StatusCode { code: code.to_owned() };
            decides(&[], &bounce(1, Outcome::Sent, code), Err(refused));
        }
        let old = Rejection::NotLastAttempt { attempt: 1, last: 2 };
        decides(&[retried(2)], &bounce(1, Outcome::Sent, "5.1.1"), Err(old));
    }

    #[test]
    fn only_people_who_get_something_are_told_and_reasons_that_differ_in_words_alone_are_one() {
        let remedy = |minor| Remedy {
            kind: RemedyKind::Indemnity,
            grant: Grant::Money(Money::new(minor, Currency::EUR)),
            payer: Payer::Operator,
        };
        let reason = |remedies: Vec<Remedy>, text: &str| {
            let line = crate::remedy::TraceLine { text: text.to_owned(), ..Default::default() };
            Reason { remedies, trace: vec![line], ..Reason::default() }
        };
        let mut chunk = Chunk {
            reasons: vec![
                reason(vec![], "nothing"),
                reason(vec![remedy(3000)], "five days"),
                reason(vec![remedy(3000)], "the cap"),
                reason(vec![remedy(600)], "one day"),
            ],
            columns: Columns::default(),
        };
        for (number, entry) in [(1, 0), (2, 1), (3, 2), (5, 3), (9, 0)] {
            chunk.columns.push(number, entry).unwrap();
        }
        let queued = QueuedChunk::of(&chunk).unwrap();
        assert_eq!(queued.told, [vec![remedy(3000)], vec![remedy(600)]]);
        assert_eq!(queued.columns.iter().collect::<Vec<_>>(), [(2, 0), (3, 0), (5, 1)]);
        assert_eq!(QueuedChunk::of(&Chunk::default()), Ok(QueuedChunk::default()));
    }
}
