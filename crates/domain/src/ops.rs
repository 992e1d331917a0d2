//! What operators decide on `ops/{name}`: that no money moves, and that a record is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::decider::Decider;

/// The decider of `ops/payouts`. Every effect that moves money looks at it before it acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PayoutSwitch {
    /// Whether payouts are stopped.
    pub stopped: bool,
}

/// What an operator asks of the payouts as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PayoutSwitchCommand {
    /// No money moves from now on.
    Stop {
        /// Why, for whoever finds them stopped.
        note: String,
    },
    /// Money moves again.
    Resume {
        /// Why.
        note: String,
    },
}

/// What then has happened to the payouts as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PayoutSwitchEvent {
    /// No money moves from now on.
    PayoutsStopped {
        /// Why.
        note: String,
    },
    /// Money moves again.
    PayoutsResumed {
        /// Why.
        note: String,
    },
}

/// The decider of `ops/skips`: which consumers leave out which records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Skips {
    /// The consumers that leave out a record, by its position as text.
    pub skipped: BTreeMap<String, BTreeSet<String>>,
}

/// Asks that named consumers leave out a record that they cannot fold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SkipCommand {
    /// The record's position, TOPIC/PARTITION/OFFSET.
    pub position: String,
    /// The consumers that shall leave it out.
    pub consumers: BTreeSet<String>,
    /// Why.
    pub note: String,
    /// Who proposed it.
    pub proposer: String,
    /// Who approved it: another person.
    pub approver: String,
    /// Those of the consumers that are stages or effects and have passed the record; nothing can be left out any more.
    pub passed: BTreeSet<String>,
}

/// Two people decided that named consumers leave out a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordSkipped {
    /// The record's position, TOPIC/PARTITION/OFFSET.
    pub position: String,
    /// The consumers that leave it out.
    pub consumers: BTreeSet<String>,
    /// Why.
    pub note: String,
    /// The two people: who proposed it, then who approved it.
    pub actors: [String; 2],
}

/// Why an operator's command is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpsRejection {
    /// A stop, a resumption or a skip without a reason.
    #[error("say why: the note is empty")]
    NoNote,
    /// A skip that names no consumer.
    #[error("name at least one consumer that shall leave out {position}")]
    NoConsumer {
        /// The record.
        position: String,
    },
    /// One person cannot do it alone.
    #[error("{person} proposed to skip {position}: another person must approve it")]
    SamePerson {
        /// Who proposed and would approve.
        person: String,
        /// The record.
        position: String,
    },
    /// What a stage or an effect has already acted on cannot be left out.
    #[error("{position} was already passed by {consumer}: what it led to stands")]
    AlreadyPassed {
        /// The record.
        position: String,
        /// The first of the consumers that passed it.
        consumer: String,
    },
}

impl Decider for PayoutSwitch {
    type Command = PayoutSwitchCommand;
    type Event = PayoutSwitchEvent;
    type Rejection = OpsRejection;
    type State = Self;

    fn decide(
        state: &Self,
        command: &PayoutSwitchCommand,
    ) -> Result<Option<PayoutSwitchEvent>, OpsRejection> {
        let (PayoutSwitchCommand::Stop { note } | PayoutSwitchCommand::Resume { note }) = command;
        if note.is_empty() {
            return Err(OpsRejection::NoNote);
        }
        let note = note.clone();
        Ok(match command {
            PayoutSwitchCommand::Stop { .. } if !state.stopped => {
                Some(PayoutSwitchEvent::PayoutsStopped { note })
            }
            PayoutSwitchCommand::Resume { .. } if state.stopped => {
                Some(PayoutSwitchEvent::PayoutsResumed { note })
            }
            PayoutSwitchCommand::Stop { .. } | PayoutSwitchCommand::Resume { .. } => None,
        })
    }

    fn evolve(_: Self, event: &PayoutSwitchEvent) -> Self {
        match event {
            PayoutSwitchEvent::PayoutsStopped { .. } => Self { stopped: true },
            PayoutSwitchEvent::PayoutsResumed { .. } => Self { stopped: false },
        }
    }
}

impl Skips {
    /// Tells whether the consumer leaves out the record.
    #[must_use]
    pub fn skips(&self, position: &str, consumer: &str) -> bool {
        self.skipped.get(position).is_some_and(|consumers| consumers.contains(consumer))
    }
}

impl Decider for Skips {
    type Command = SkipCommand;
    type Event = RecordSkipped;
    type Rejection = OpsRejection;
    type State = Self;

    fn decide(state: &Self, command: &SkipCommand) -> Result<Option<RecordSkipped>, OpsRejection> {
        let SkipCommand { position, consumers, note, proposer, approver, passed } = command;
        let position = position.clone();
        if note.is_empty() {
            return Err(OpsRejection::NoNote);
        }
        if consumers.is_empty() {
            return Err(OpsRejection::NoConsumer { position });
        }
        if proposer == approver {
            return Err(OpsRejection::SamePerson { person: proposer.clone(), position });
        }
        let known = state.skipped.get(&position);
        let new = |consumer: &&String| !known.is_some_and(|known| known.contains(*consumer));
        let consumers: BTreeSet<String> = consumers.iter().filter(new).cloned().collect();
        if consumers.is_empty() {
            return Ok(None);
        }
        if let Some(consumer) = consumers.intersection(passed).next().cloned() {
            return Err(OpsRejection::AlreadyPassed { position, consumer });
        }
        let actors = [proposer.clone(), approver.clone()];
        Ok(Some(RecordSkipped { position, consumers, note: note.clone(), actors }))
    }

    fn evolve(mut state: Self, event: &RecordSkipped) -> Self {
        let consumers = state.skipped.entry(event.position.clone()).or_default();
        consumers.extend(event.consumers.iter().cloned());
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::check;

    fn stopped() -> PayoutSwitchEvent {
        PayoutSwitchEvent::PayoutsStopped { note: "wrong sums".to_owned() }
    }

    fn resumed() -> PayoutSwitchEvent {
        PayoutSwitchEvent::PayoutsResumed { note: "repaired".to_owned() }
    }

    fn stop() -> PayoutSwitchCommand {
        PayoutSwitchCommand::Stop { note: "wrong sums".to_owned() }
    }

    fn resume() -> PayoutSwitchCommand {
        PayoutSwitchCommand::Resume { note: "repaired".to_owned() }
    }

    #[test]
    fn payouts_stop_once_and_resume_once() {
        check::<PayoutSwitch>(&[], &stop(), Ok(Some(stopped())));
        check::<PayoutSwitch>(&[stopped()], &stop(), Ok(None));
        check::<PayoutSwitch>(&[stopped()], &resume(), Ok(Some(resumed())));
        check::<PayoutSwitch>(&[], &resume(), Ok(None));
        check::<PayoutSwitch>(&[stopped(), resumed()], &stop(), Ok(Some(stopped())));
        let silent = PayoutSwitchCommand::Stop { note: String::new() };
        check::<PayoutSwitch>(&[], &silent, Err(OpsRejection::NoNote));
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn skip(consumers: &[&str]) -> SkipCommand {
        SkipCommand {
            position: "ristoro.payout.v1/0/7".to_owned(),
            consumers: names(consumers),
            note: "unreadable".to_owned(),
            proposer: "ada".to_owned(),
            approver: "bruno".to_owned(),
            passed: BTreeSet::new(),
        }
    }

    fn skipped(consumers: &[&str]) -> RecordSkipped {
        RecordSkipped {
            position: "ristoro.payout.v1/0/7".to_owned(),
            consumers: names(consumers),
            note: "unreadable".to_owned(),
            actors: ["ada".to_owned(), "bruno".to_owned()],
        }
    }

    #[test]
    fn two_people_skip_a_record_for_the_consumers_that_do_not_skip_it_yet() {
        check::<Skips>(&[], &skip(&["a"]), Ok(Some(skipped(&["a"]))));
        check::<Skips>(&[skipped(&["a"])], &skip(&["a", "b"]), Ok(Some(skipped(&["b"]))));
        check::<Skips>(&[skipped(&["a"])], &skip(&["a"]), Ok(None));
        let state = Skips::evolve(Skips::default(), &skipped(&["a"]));
        assert!(state.skips("ristoro.payout.v1/0/7", "a"));
        assert!(!state.skips("ristoro.payout.v1/0/7", "b"));
    }

    #[test]
    fn a_skip_is_refused_to_one_person_alone_and_for_what_was_passed() {
        let position = || "ristoro.payout.v1/0/7".to_owned();
        let alone = SkipCommand { approver: "ada".to_owned(), ..skip(&["a"]) };
        let same = OpsRejection::SamePerson { person: "ada".to_owned(), position: position() };
        check::<Skips>(&[], &alone, Err(same));
        check::<Skips>(&[], &skip(&[]), Err(OpsRejection::NoConsumer { position: position() }));
        let late = SkipCommand { passed: names(&["b"]), ..skip(&["a", "b"]) };
        let consumer = "b".to_owned();
        let passed = OpsRejection::AlreadyPassed { position: position(), consumer };
        check::<Skips>(&[], &late, Err(passed));
    }
}
