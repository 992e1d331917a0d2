//! A memory log with the verdict on each of its records, and what the journal of a service shows of it.

use std::collections::BTreeMap;

use ristoro_domain::decider::{Decider, fold};
use ristoro_domain::time::Instant;
use ristoro_log::memory::MemoryLog;
use ristoro_log::{Envelope, Heads, NewRecord, Position, StreamHead, Topic, Verdict};
use ristoro_payout::claim::{Author, record};
use ristoro_proto::wire::Wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::command::StreamRef;
use ristoro_runtime::journal::{History, Outcome, StreamEvent};
use uuid::Uuid;

/// A log, judged record by record by the real fold.
#[derive(Debug)]
pub struct World {
    /// The log.
    pub log: MemoryLog,
    judged: BTreeMap<(Topic, u32), Partition>,
    /// Ids that were made: every run makes the same.
    ids: u128,
}

#[derive(Default, Debug)]
struct Partition {
    heads: Heads,
    /// The verdict on each record, from offset 1 on.
    verdicts: Vec<Verdict>,
    accepted: Vec<Accepted>,
}

impl World {
    /// Makes an empty log.
    #[must_use]
    pub fn new(partition_count: u32) -> Self {
        let log = MemoryLog::new(Uuid::from_u128(1), partition_count);
        Self { log, judged: BTreeMap::new(), ids: 0 }
    }

    /// Goes on with a log on a partition where nothing was written yet, for one run of many on the same log.
    #[must_use]
    pub fn on(log: MemoryLog, run: u32) -> Self {
        Self { log, judged: BTreeMap::new(), ids: u128::from(run) << 32 }
    }

    /// Gives an id that no other call gives.
    pub fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(0x1d00_0000_0000_4000_8000_0000_0000_0000 + self.ids)
    }

    /// Appends a record and judges it.
    ///
    /// # Panics
    /// If the log does not take it.
    pub fn append(&mut self, record: NewRecord) -> (Position, Verdict) {
        let (topic, partition) = (record.topic, record.partition);
        let envelope = record.envelope.clone();
        let offset = self.log.append_now(&[record]).expect("the partition is there")[0];
        let position = Position { topic, partition, offset };
        let judged = self.judged.entry((topic, partition)).or_default();
        let verdict = judged.heads.judge(&envelope);
        judged.verdicts.push(verdict);
        if verdict == Verdict::Accepted {
            judged.accepted.push(Accepted { position, envelope });
        }
        (position, verdict)
    }

    /// Appends a record to a stream.
    pub fn append_to(&mut self, stream: &StreamRef, envelope: Envelope) -> (Position, Verdict) {
        let (topic, partition) = (stream.topic, stream.partition);
        self.append(NewRecord { topic, partition, envelope })
    }

    /// Gives the last accepted record of a stream.
    #[must_use]
    pub fn head(&self, stream: &StreamRef) -> Option<StreamHead> {
        let judged = self.judged.get(&(stream.topic, stream.partition))?;
        judged.heads.head(&stream.id)
    }

    /// Appends an event behind whatever its stream has: what somebody else wrote before.
    ///
    /// # Panics
    /// If it is not accepted.
    pub fn write<E: Wire>(&mut self, stream: &StreamRef, event: &E) -> Position {
        let (head, claim_id) = (self.head(stream), self.id());
        let occurred_at = Instant::UNIX_EPOCH;
        let author = Author { actor: "ada".to_owned(), traceparent: String::new(), occurred_at };
        let (position, verdict) = self.append(record((stream, head), event, &author, claim_id));
        assert_eq!(verdict, Verdict::Accepted);
        position
    }

    /// Gives the accepted records of a partition.
    #[must_use]
    pub fn accepted(&self, topic: Topic, partition: u32) -> &[Accepted] {
        self.judged.get(&(topic, partition)).map_or(&[], |judged| &judged.accepted)
    }

    /// Gives the accepted records of a stream.
    pub fn of_stream<'a>(&'a self, stream: &'a StreamRef) -> impl Iterator<Item = &'a Accepted> {
        let all = self.accepted(stream.topic, stream.partition).iter();
        all.filter(|record| record.envelope.stream == stream.id)
    }

    /// Gives the accepted events of a stream.
    ///
    /// # Panics
    /// If one cannot be read.
    #[must_use]
    pub fn events<E: Wire>(&self, stream: &StreamRef) -> Vec<E> {
        let decode = |record: &Accepted| {
            E::decode(&record.envelope.kind, &record.envelope.payload).expect("we wrote it")
        };
        self.of_stream(stream).map(decode).collect()
    }

    /// Folds a stream.
    #[must_use]
    pub fn state<D>(&self, stream: &StreamRef) -> D::State
    where
        D: Decider,
        D::Event: Wire,
    {
        fold::<D>(&self.events::<D::Event>(stream))
    }

    /// Gives what the journal shows to a command on a stream: its events, and where the command was accepted.
    #[must_use]
    pub fn history<D: Decider>(&self, stream: &StreamRef, command_id: Option<Uuid>) -> History {
        let outcome = command_id.and_then(|id| self.outcome(stream, id));
        let until = outcome.as_ref().filter(|_| D::STATE_IS_IN_LAST_EVENT).map(|it| it.version);
        let event = |record: &Accepted| StreamEvent {
            position: record.position,
            envelope: record.envelope.clone(),
        };
        let wanted = |record: &&Accepted| until.is_none_or(|at| record.envelope.version <= at);
        let mut events: Vec<StreamEvent> =
            self.of_stream(stream).filter(wanted).map(event).collect();
        if D::STATE_IS_IN_LAST_EVENT {
            events = events.split_off(events.len().saturating_sub(1));
        }
        History { events, outcome }
    }

    /// Finds where a command was accepted, preferring the given stream.
    #[must_use]
    pub fn outcome(&self, stream: &StreamRef, command_id: Uuid) -> Option<Outcome> {
        let all = self.judged.values().flat_map(|judged| &judged.accepted);
        let of_command = all.filter(|record| record.envelope.command_id == Some(command_id));
        let preferred = |record: &&Accepted| record.envelope.stream != stream.id;
        let record = of_command.min_by_key(preferred)?;
        let (stream, version) = (record.envelope.stream.clone(), record.envelope.version);
        Some(Outcome { position: record.position, stream, version })
    }

    /// Checks that every reader reaches the same verdicts from the log alone: all at once, or batch by batch with no
    /// more than what a table keeps of the streams in between.
    ///
    /// # Panics
    /// If one does not.
    pub fn check_verdicts(&self) {
        for ((topic, partition), judged) in &self.judged {
            let records: Vec<Envelope> = self.log.records(*topic, *partition)[1..]
                .iter()
                .map(|record| Envelope::decode(record.value.clone()).expect("it is an envelope"))
                .collect();
            for batch in [records.len().max(1), 1, 2, 3] {
                let again = in_batches(&records, batch);
                assert_eq!(again, judged.verdicts, "{topic}/{partition} in batches of {batch}");
            }
        }
    }
}

/// Judges in batches; only heads and commands outlive one, as in a table.
fn in_batches(records: &[Envelope], batch: usize) -> Vec<Verdict> {
    let (mut heads, mut commands) = (BTreeMap::new(), Vec::new());
    let mut verdicts = Vec::with_capacity(records.len());
    for batch in records.chunks(batch) {
        let mut known = Heads::default();
        for (stream, head) in &heads {
            known.load_head(String::clone(stream), *head);
        }
        for (stream, id) in &commands {
            known.load_command(String::clone(stream), *id);
        }
        for envelope in batch {
            let verdict = known.judge(envelope);
            if verdict == Verdict::Accepted {
                let head = known.head(&envelope.stream).expect("it was just accepted");
                heads.insert(envelope.stream.clone(), head);
                commands.extend(envelope.command_id.map(|id| (envelope.stream.clone(), id)));
            }
            verdicts.push(verdict);
        }
    }
    verdicts
}
