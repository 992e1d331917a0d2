//! The fold that decides which record counts. Every reader, now or in a rebuild, reaches the same verdict.
//!
//! It looks at envelopes alone: what is inside a payload never changes a verdict.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::envelope::Envelope;

#[cfg(test)]
pub(crate) mod laws;

/// The last accepted record of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamHead {
    /// Its version.
    pub version: u64,
    /// Its event id.
    pub event_id: Uuid,
}

/// What a record is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is the next of its stream.
    Accepted,
    /// It is an accepted record once more.
    Duplicate,
    /// Its place is taken, or it was decided on a record that lost.
    Conflict,
    /// A record before it is missing.
    Gap,
    /// Its command was already accepted on this stream.
    RepeatedCommand,
}

/// What the fold knows of some streams of one partition.
///
/// A reader that keeps its state elsewhere loads the streams of a batch, judges, and stores what changed.
#[derive(Default, Debug, Clone)]
pub struct Heads {
    heads: BTreeMap<String, StreamHead>,
    commands: BTreeSet<(String, Uuid)>,
}

impl Heads {
    /// Puts in what is stored of a stream.
    pub fn load_head(&mut self, stream: String, head: StreamHead) {
        self.heads.insert(stream, head);
    }

    /// Puts in that a command was accepted on a stream.
    pub fn load_command(&mut self, stream: String, command_id: Uuid) {
        self.commands.insert((stream, command_id));
    }

    /// Gives the head of a stream, if it has any record.
    #[must_use]
    pub fn head(&self, stream: &str) -> Option<StreamHead> {
        self.heads.get(stream).copied()
    }

    /// Judges a record and, where it is accepted, moves the stream's head.
    pub fn judge(&mut self, envelope: &Envelope) -> Verdict {
        let head =
            self.head(&envelope.stream).unwrap_or(StreamHead { version: 0, event_id: Uuid::nil() });
        if envelope.version > head.version + 1 {
            return Verdict::Gap;
        }
        if envelope.version <= head.version {
            // Only the newest accepted id is known here; an older copy is void either way.
            let same = envelope.version == head.version && envelope.event_id == head.event_id;
            return if same { Verdict::Duplicate } else { Verdict::Conflict };
        }
        if envelope.previous != head.event_id {
            return Verdict::Conflict;
        }
        if let Some(command_id) = envelope.command_id
            && !self.commands.insert((envelope.stream.clone(), command_id))
        {
            return Verdict::RepeatedCommand;
        }
        let next = StreamHead { version: envelope.version, event_id: envelope.event_id };
        self.heads.insert(envelope.stream.clone(), next);
        Verdict::Accepted
    }
}

/// Hashes a payload for the alarm on duplicates whose contents differ.
#[must_use]
pub fn payload_hash(payload: &[u8]) -> i64 {
    let digest = Sha256::digest(payload);
    i64::from_be_bytes(digest[..8].try_into().expect("SHA-256 gives 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::laws::envelope;
    use super::*;

    /// Judges a record behind version 1 (event 1) and version 2 (event 2, of command 9).
    fn check(version: u64, event: u128, previous: u128, command: Option<u128>, expected: Verdict) {
        let mut heads = Heads::default();
        for earlier in [envelope("s", 1, 1, 0, None), envelope("s", 2, 2, 1, Some(9))] {
            assert_eq!(heads.judge(&earlier), Verdict::Accepted);
        }
        let before = heads.head("s");
        let verdict = heads.judge(&envelope("s", version, event, previous, command));
        assert_eq!(verdict, expected);
        let head = StreamHead { version, event_id: Uuid::from_u128(event) };
        let after = if expected == Verdict::Accepted { Some(head) } else { before };
        assert_eq!(heads.head("s"), after);
    }

    #[test]
    fn a_record_counts_if_it_is_the_next_and_was_decided_on_the_head() {
        check(3, 3, 2, None, Verdict::Accepted);
        check(3, 3, 2, Some(8), Verdict::Accepted);
    }

    #[test]
    fn a_record_that_was_decided_on_one_that_lost_is_a_conflict() {
        check(3, 3, 7, None, Verdict::Conflict);
        check(3, 3, 1, None, Verdict::Conflict);
        check(3, 3, 0, None, Verdict::Conflict);
    }

    #[test]
    fn a_record_whose_place_is_taken_is_a_duplicate_or_a_conflict() {
        check(2, 2, 1, Some(9), Verdict::Duplicate);
        check(2, 3, 1, None, Verdict::Conflict);
        check(1, 3, 0, None, Verdict::Conflict);
        // An older copy is void too; only the newest id is known.
        check(1, 1, 0, None, Verdict::Conflict);
    }

    #[test]
    fn a_record_behind_a_missing_one_is_a_gap() {
        check(4, 4, 2, None, Verdict::Gap);
        check(u64::MAX, 4, 2, None, Verdict::Gap);
    }

    #[test]
    fn a_command_counts_once_on_a_stream() {
        check(3, 3, 2, Some(9), Verdict::RepeatedCommand);
        let mut heads = Heads::default();
        assert_eq!(heads.judge(&envelope("s", 1, 1, 0, Some(9))), Verdict::Accepted);
        assert_eq!(heads.judge(&envelope("t", 1, 2, 0, Some(9))), Verdict::Accepted);
    }

    #[test]
    fn a_void_record_does_not_use_up_its_command() {
        let mut heads = Heads::default();
        assert_eq!(heads.judge(&envelope("s", 2, 1, 0, Some(9))), Verdict::Gap);
        assert_eq!(heads.judge(&envelope("s", 1, 1, 5, Some(9))), Verdict::Conflict);
        assert_eq!(heads.judge(&envelope("s", 1, 1, 0, Some(9))), Verdict::Accepted);
    }

    #[test]
    fn a_streams_first_record_is_decided_on_nothing() {
        let mut heads = Heads::default();
        assert_eq!(heads.judge(&envelope("s", 1, 1, 1, None)), Verdict::Conflict);
        assert_eq!(heads.judge(&envelope("s", 1, 1, 0, None)), Verdict::Accepted);
    }

    #[test]
    fn payloads_that_differ_have_other_hashes() {
        assert_eq!(payload_hash(b"a"), payload_hash(b"a"));
        assert_ne!(payload_hash(b"a"), payload_hash(b"b"));
    }
}
