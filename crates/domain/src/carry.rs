//! Who takes over what a policy left below its minimum payout: one chain of assessments for each policy.
//!
//! An assessment takes over all that the last one of the chain left, of whichever outage, and becomes the chain's end. So
//! an amount that is carried over counts once. One that ended otherwise than completed gives back what it took.

use crate::decider::Decider;

/// The decider of `carry/{policy}`.
#[derive(Clone, Copy, Debug)]
pub struct Carry;

/// What is asked of a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Takes over what the end of the chain left.
    Take {
        /// The assessment that takes it over.
        assessment: String,
        /// The end of the chain that its proposal saw; none where nothing was left by anybody.
        after: Option<String>,
    },
    /// Gives back what was taken over. Whoever asks has seen that the assessment ended without being completed.
    GiveBack {
        /// The assessment.
        assessment: String,
    },
}

/// What has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// An assessment is the end of the chain now.
    LeftoversTaken {
        /// The assessment.
        assessment: String,
        /// The one before it.
        after: Option<String>,
    },
    /// The one before it is the end again.
    LeftoversGivenBack {
        /// The assessment.
        assessment: String,
    },
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// Another assessment is the end of the chain.
    #[error(
        "assessment {by} took over what this proposal counts as carried over: once it has ended, propose again"
    )]
    TakenOver {
        /// The end of the chain.
        by: String,
    },
    /// The proposal saw an end that the chain does not have.
    #[error("assessment {after} left nothing that can be taken over: propose again")]
    UnknownEnd {
        /// What the proposal saw.
        after: String,
    },
}

/// The assessments that stand in the chain, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    chain: Vec<String>,
}

impl Decider for Carry {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = State;

    fn decide(state: &State, command: &Command) -> Result<Option<Event>, Rejection> {
        let end = state.chain.last();
        match command {
            Command::Take { assessment, .. } if state.chain.contains(assessment) => Ok(None),
            Command::Take { assessment, after } if end == after.as_ref() => {
                let (assessment, after) = (assessment.clone(), after.clone());
                Ok(Some(Event::LeftoversTaken { assessment, after }))
            }
            Command::Take { after, .. } => Err(match (end, after) {
                (Some(end), _) => Rejection::TakenOver { by: end.clone() },
                (None, after) => Rejection::UnknownEnd { after: after.clone().unwrap_or_default() },
            }),
            Command::GiveBack { assessment } => {
                let event = || Event::LeftoversGivenBack { assessment: assessment.clone() };
                Ok((end == Some(assessment)).then(event))
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::LeftoversTaken { assessment, .. } => state.chain.push(assessment.clone()),
            Event::LeftoversGivenBack { .. } => {
                state.chain.pop();
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::check;

    fn take(assessment: &str, after: Option<&str>) -> Command {
        Command::Take { assessment: assessment.into(), after: after.map(str::to_owned) }
    }

    fn taken(assessment: &str, after: Option<&str>) -> Event {
        Event::LeftoversTaken { assessment: assessment.into(), after: after.map(str::to_owned) }
    }

    fn give_back(assessment: &str) -> Command {
        Command::GiveBack { assessment: assessment.into() }
    }

    fn given_back(assessment: &str) -> Event {
        Event::LeftoversGivenBack { assessment: assessment.into() }
    }

    #[test]
    fn what_was_left_is_taken_over_once() {
        check::<Carry>(&[], &take("a", None), Ok(Some(taken("a", None))));
        let given = [taken("a", None)];
        check::<Carry>(&given, &take("b", Some("a")), Ok(Some(taken("b", Some("a")))));
        let by = |by: &str| Err(Rejection::TakenOver { by: by.into() });
        check::<Carry>(&given, &take("b", None), by("a"));
        let given = [taken("a", None), taken("b", Some("a"))];
        check::<Carry>(&given, &take("c", Some("a")), by("b"));
        check::<Carry>(&given, &take("a", None), Ok(None));
        let unknown = Rejection::UnknownEnd { after: "x".into() };
        check::<Carry>(&[], &take("c", Some("x")), Err(unknown));
    }

    #[test]
    fn what_was_taken_over_in_vain_is_given_back() {
        let given = [taken("a", None), taken("b", Some("a"))];
        check::<Carry>(&given, &give_back("b"), Ok(Some(given_back("b"))));
        check::<Carry>(&given, &give_back("a"), Ok(None));
        let given = [taken("a", None), taken("b", Some("a")), given_back("b")];
        check::<Carry>(&given, &take("c", Some("a")), Ok(Some(taken("c", Some("a")))));
        check::<Carry>(&given, &give_back("b"), Ok(None));
    }
}
