//! The shape of every decider: a pure function from state and command to at most one event, and the fold back.
//!
//! Time, identity and foreign facts come in the command, so that `decide` needs nothing else.

/// Decides commands on one stream.
pub trait Decider {
    /// What somebody asks for.
    type Command;
    /// What then has happened. One command gives at most one: two records could be torn apart by another writer.
    type Event;
    /// Why not, with the figures that explain it.
    type Rejection;
    /// What the decisions of this stream depend on; the default is the state before the first event.
    type State: Default;

    /// Whether the last event alone leads from the default state to the state. A stream of thousands of batches is
    /// then not read from its beginning for each of them.
    const STATE_IS_IN_LAST_EVENT: bool = false;

    /// Gives the event of a command, none where the state already is what the command asks for, or the refusal.
    ///
    /// # Errors
    /// The decider's own rejection; a refusal is a value, not a failure.
    fn decide(
        state: &Self::State,
        command: &Self::Command,
    ) -> Result<Option<Self::Event>, Self::Rejection>;

    /// Folds an accepted event into the state. Total: an accepted event is never refused.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;
}

/// Folds a history from the beginning.
pub fn fold<'a, D: Decider>(events: impl IntoIterator<Item = &'a D::Event>) -> D::State
where
    D::Event: 'a,
{
    events.into_iter().fold(D::State::default(), D::evolve)
}

/// Tests a decider on a line: the history, the command and what follows.
///
/// An accepted command is decided again on the state that it led to and must then give nothing.
#[cfg(test)]
#[track_caller]
pub fn check<D>(given: &[D::Event], when: &D::Command, then: Result<Option<D::Event>, D::Rejection>)
where
    D: Decider,
    D::Event: PartialEq + std::fmt::Debug,
    D::Rejection: PartialEq + std::fmt::Debug,
{
    let state = fold::<D>(given);
    let decided = D::decide(&state, when);
    assert_eq!(decided, then);
    if let Ok(Some(event)) = decided {
        let again = D::decide(&D::evolve(state, &event), when);
        assert_eq!(again, Ok(None), "deciding again must give nothing");
    }
}
