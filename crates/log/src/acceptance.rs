//! The fold that decides which record counts. Every reader, now or in a rebuild, reaches the same verdict.
//!
//! It looks at envelopes alone: what is inside a payload never changes a verdict.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::envelope::Envelope;

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
