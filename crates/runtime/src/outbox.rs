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
pub type OutputHeads = BTreeMap<(Topic, String), StreamHead>;

impl Outbox {
    /// Makes an outbox whose outputs will answer `record`.
    #[must_use]
    pub fn answering(record: &Accepted) -> Self {
        let mut outbox = Self::default();
        outbox.answer(record);
        outbox
    }

    /// Makes the outputs from now on answer `record`.
    pub fn answer(&mut self, record: &Accepted) {
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
    #[must_use]
    pub fn seal(&self, heads: &mut OutputHeads) -> Vec<NewRecord> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn input(offset: u64) -> Accepted {
        let position = Position { topic: Topic::Entitlement, partition: 2, offset };
        let envelope = Envelope {
            event_id: Uuid::from_u128(9),
            stream: "scan/a/2".to_owned(),
            version: 1,
            previous: Uuid::nil(),
            kind: "EntitlementsDecided".to_owned(),
            occurred_at: Instant::UNIX_EPOCH,
            cause: Cause::Command(Uuid::nil()),
            command_id: None,
            actor: String::new(),
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            payload: Bytes::new(),
        };
        Accepted { position, envelope }
    }

    fn emit(outbox: &mut Outbox, stream: &str) {
        outbox.emit(Topic::Payout, 2, stream, "PayoutsOrdered", Bytes::from_static(b"x"));
    }

    #[test]
    fn versions_follow_the_own_head_and_name_what_came_before() {
        let mut outbox = Outbox::answering(&input(4));
        emit(&mut outbox, "order/a/2");
        outbox.answer(&input(5));
        emit(&mut outbox, "order/a/2");
        emit(&mut outbox, "order/b/2");
        let before = StreamHead { version: 6, event_id: Uuid::from_u128(6) };
        let mut heads = OutputHeads::from([((Topic::Payout, "order/a/2".to_owned()), before)]);
        let sealed: Vec<Envelope> =
            outbox.seal(&mut heads).into_iter().map(|record| record.envelope).collect();
        let versions: Vec<u64> = sealed.iter().map(|one| one.version).collect();
        assert_eq!(versions, [7, 8, 1]);
        assert_eq!(sealed[0].previous, before.event_id);
        assert_eq!(sealed[1].previous, sealed[0].event_id);
        assert_eq!(sealed[2].previous, Uuid::nil());
        assert_eq!(sealed[1].cause, Cause::Log(input(5).position));
        assert_eq!(sealed[0].traceparent, input(4).envelope.traceparent);
        assert_eq!(heads[&(Topic::Payout, "order/a/2".to_owned())].version, 8);
    }

    #[test]
    fn the_same_inputs_behind_the_same_heads_give_the_same_records() {
        let sealed = || {
            let mut outbox = Outbox::answering(&input(4));
            emit(&mut outbox, "order/a/2");
            outbox.seal(&mut OutputHeads::new())
        };
        assert_eq!(sealed(), sealed());
    }

    #[test]
    fn a_named_head_wins_over_the_own_one() {
        let mut outbox = Outbox::answering(&input(4));
        let head = StreamHead { version: 40, event_id: Uuid::from_u128(40) };
        let payload = Bytes::new();
        outbox.emit_after(head, Topic::Payout, 2, "order/a/2", "OrdersReleased", payload);
        let sealed = outbox.seal(&mut OutputHeads::new());
        assert_eq!((sealed[0].envelope.version, sealed[0].envelope.previous), (41, head.event_id));
    }

    #[test]
    fn what_a_record_emitted_before_it_failed_is_forgotten() {
        let mut outbox = Outbox::answering(&input(4));
        emit(&mut outbox, "order/a/2");
        emit(&mut outbox, "order/b/2");
        outbox.truncate(1);
        assert_eq!((outbox.emitted().len(), outbox.bytes()), (1, 1));
    }
}
