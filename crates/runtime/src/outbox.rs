//! What a stage writes in answer to its input: records whose ids, versions and bytes follow from the
//! input alone, so that a crash and a retry append the same records again.

use std::collections::BTreeMap;

use bytes::Bytes;
use ristoro_domain::time::Instant;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::{Cause, Envelope, NewRecord, Position, StreamHead, Topic};
use uuid::Uuid;

use crate::accepted::Accepted;

/// Collects a stage's outputs for a batch of input records.
#[derive(Debug, Default)]
pub struct Outbox {
    emitted: Vec<Emitted>,
    bytes: usize,
    input: Option<Input>,
}

/// One output, before its stream's head is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emitted {
    /// The head that it was told to follow; none means the stage's own head of the stream.
    pub after: Option<StreamHead>,
    /// Its topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: u32,
    /// Its stream.
    pub stream: String,
    /// Its payload's message name.
    pub kind: &'static str,
    /// Its payload.
    pub payload: Bytes,
    input: Input,
}

/// What an output inherits from the record that it answers.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Input {
    position: Position,
    occurred_at: Instant,
    traceparent: String,
}

/// The heads of the streams that a stage writes, by topic and stream.
pub(crate) type OutputHeads = BTreeMap<(Topic, String), StreamHead>;

impl Outbox {
    /// Makes an outbox whose outputs will answer `record`.
    #[must_use]
    pub fn answering(record: &Accepted) -> Self {
        let mut outbox = Self::default();
        outbox.answer(record);
        outbox
    }

    /// Makes the outputs from now on answer `record`.
    pub(crate) fn answer(&mut self, record: &Accepted) {
        self.input = Some(Input {
            position: record.position,
            occurred_at: record.envelope.occurred_at,
            traceparent: record.envelope.traceparent.clone(),
        });
    }

    /// Emits on a stream that this stage alone writes: the version follows the stage's own head.
    pub fn emit(
        &mut self,
        topic: Topic,
        partition: u32,
        stream: &str,
        kind: &'static str,
        payload: Bytes,
    ) {
        self.push(None, topic, partition, stream, kind, payload);
    }

    /// Emits after a known head of a stream that another loop of this service writes, such as
    /// `OrdersReleased` after the last `PayoutsOrdered`.
    pub fn emit_after(
        &mut self,
        head: StreamHead,
        topic: Topic,
        partition: u32,
        stream: &str,
        kind: &'static str,
        payload: Bytes,
    ) {
        self.push(Some(head), topic, partition, stream, kind, payload);
    }

    /// Gives what was emitted so far, in order.
    #[must_use]
    pub fn emitted(&self) -> &[Emitted] {
        &self.emitted
    }

    /// Gives the bytes of all payloads so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets everything emitted after the first `count` outputs.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.emitted.truncate(count);
        self.bytes = self.emitted.iter().map(|one| one.payload.len()).sum();
    }

    fn push(
        &mut self,
        after: Option<StreamHead>,
        topic: Topic,
        partition: u32,
        stream: &str,
        kind: &'static str,
        payload: Bytes,
    ) {
        let input =
            self.input.clone().expect("the loop names the input before it asks for outputs");
        self.bytes += payload.len();
        let stream = stream.to_owned();
        self.emitted.push(Emitted { after, topic, partition, stream, kind, payload, input });
    }

    /// Turns the outputs into records behind the given heads, and moves the heads.
    pub(crate) fn seal(&self, heads: &mut OutputHeads) -> Vec<NewRecord> {
        self.emitted.iter().map(|one| one.seal(heads)).collect()
    }
}

impl Emitted {
    fn seal(&self, heads: &mut OutputHeads) -> NewRecord {
        let key = (self.topic, self.stream.clone());
        let own = || heads.get(&key).copied();
        let nothing = StreamHead { version: 0, event_id: Uuid::nil() };
        let head = self.after.or_else(own).unwrap_or(nothing);
        let version = head.version + 1;
        let cause = Cause::Log(self.input.position);
        let event_id = derived_event_id(&self.stream, version, &cause);
        heads.insert(key, StreamHead { version, event_id });
        let envelope = Envelope {
            event_id,
            stream: self.stream.clone(),
            version,
            previous: head.event_id,
            kind: self.kind.to_owned(),
            occurred_at: self.input.occurred_at,
            cause,
            command_id: None,
            actor: String::new(),
            traceparent: self.input.traceparent.clone(),
            payload: self.payload.clone(),
        };
        NewRecord { topic: self.topic, partition: self.partition, envelope }
    }
}
