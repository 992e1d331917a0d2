//! A recipient: whether anybody is to write to a subscriber at all.

use crate::decider::Decider;

/// Asks that nobody writes to a subscriber any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suppress {
    /// Why.
    pub note: String,
}

/// Nobody is to write to this subscriber.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecipientSuppressed {
    /// Why.
    pub note: String,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// A suppression needs a reason.
    #[error("say why nobody is to write to this subscriber: the note is empty")]
    NoNote,
}

/// The decider of `recipient/{subscriber}`, and its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recipient {
    /// Whether nobody is to write to this subscriber.
    pub suppressed: bool,
}

impl Decider for Recipient {
    type Command = Suppress;
    type Event = RecipientSuppressed;
    type Rejection = Rejection;
    type State = Self;

    fn decide(state: &Self, command: &Suppress) -> Result<Option<RecipientSuppressed>, Rejection> {
        if command.note.is_empty() {
            return Err(Rejection::NoNote);
        }
        let note = command.note.clone();
        Ok((!state.suppressed).then_some(RecipientSuppressed { note }))
    }

    fn evolve(_: Self, _: &RecipientSuppressed) -> Self {
        Self { suppressed: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::check;

    #[test]
    fn a_recipient_is_suppressed_once_and_with_a_reason() {
        let suppress = |note: &str| Suppress { note: note.to_owned() };
        let suppressed = |note: &str| RecipientSuppressed { note: note.to_owned() };
        check::<Recipient>(&[], &suppress("asked"), Ok(Some(suppressed("asked"))));
        check::<Recipient>(&[suppressed("asked")], &suppress("again"), Ok(None));
        check::<Recipient>(&[], &suppress(""), Err(Rejection::NoNote));
    }
}
