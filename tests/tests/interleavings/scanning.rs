//! Workers of one scan's partition: who decides chunk by chunk, who calls the stream off, and what is still on its way.
//!
//! Their records come from the product's own `ScanStream`; what they know of the stream, they know from two readers
//! that need not have come equally far: the journal gives the head, the tables say what was decided.

use std::collections::VecDeque;

use ristoro_domain::decided::{Chunk, Event};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::policy::digest::{Digest, canonical};
use ristoro_domain::remedy::{Grant, Payer, Reason, Remedy, RemedyKind};
use ristoro_domain::settlement::{Settlement, Status};
use ristoro_domain::time::Instant;
use ristoro_domain::totals::Totals;
use ristoro_eligibility::projections::decision::ScanRow;
use ristoro_eligibility::scan::stream::{ScanCause, ScanStream, Shown};
use ristoro_log::{NewRecord, Position, StreamHead, Topic};
use ristoro_proto::wire::Wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::command::StreamRef;
use ristoro_tests::interleave::world::World;
use ristoro_tests::interleave::{Actor, Choices};

use super::settlements::{approve, proposal, settle, settlement};

/// Chunks of the partition, each of one person.
pub const CHUNKS: u64 = 2;

/// Records at most by which a reader is behind: one is enough to tell two readers apart.
const LAG: usize = 1;

/// Looks at most that a lag makes useless.
const LOOKS: u32 = 2;

/// Names the scan's stream.
pub fn scan() -> StreamRef {
    StreamRef::numbered(Topic::Entitlement, "scan/a/0".to_owned(), 0)
}

/// Gives what is decided in a chunk.
pub fn chunk(number: u64) -> Chunk {
    let grant = Grant::Money(Money::new(i64::try_from(number).unwrap() * 100, Currency::EUR));
    let remedy = Remedy { kind: RemedyKind::Indemnity, grant, payer: Payer::Operator };
    let reason = Reason { remedies: vec![remedy], ..Reason::default() };
    let mut chunk = Chunk { reasons: vec![reason], ..Chunk::default() };
    chunk.columns.push(number * 10, 0).unwrap();
    chunk
}

fn fold(digest: &mut Digest, chunk: &Chunk) {
    for (number, entry) in chunk.columns.iter() {
        digest.push(number, &canonical(&chunk.reasons[entry as usize].remedies)).unwrap();
    }
}

/// Gives the digest of chunks in order.
pub fn digest<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> [u8; 32] {
    let mut digest = Digest::new();
    chunks.into_iter().for_each(|chunk| fold(&mut digest, chunk));
    digest.finish()
}

/// Gives the digest that was approved.
pub fn approved() -> [u8; 32] {
    digest(&(1..=CHUNKS).map(chunk).collect::<Vec<_>>())
}

/// Proposes and approves the assessment.
pub fn approve_scan(world: &mut World) {
    let proposal = proposal("a", 0, approved());
    let approval = approve(&proposal, "bruno");
    settle(world, ristoro_domain::settlement::Command::Propose(Box::new(proposal)));
    settle(world, approval);
}

/// Says what the scan's records follow from: the last event of the settlement.
pub fn cause(world: &World) -> ScanCause {
    let stream = settlement();
    let last = world.of_stream(&stream).last().unwrap();
    let (position, occurred_at) = (last.position, Instant::UNIX_EPOCH);
    ScanCause { position, occurred_at, traceparent: String::new() }
}

fn event(record: &Accepted) -> Event {
    Event::decode(&record.envelope.kind, &record.envelope.payload).unwrap()
}

/// Gives what the tables show of the stream behind these records, as `projections::decision` folds it.
pub fn shown(records: &[Accepted]) -> Option<ScanRow> {
    let mut row = ScanRow { partition: 0, chunks: 0, decided: 0, result: None, voided: false };
    for record in records {
        match event(record) {
            Event::EntitlementsDecided(chunk) => {
                row.chunks += 1;
                row.decided += chunk.columns.len() as u64;
            }
            Event::ScanCompleted { totals, digest, .. } => row.result = Some((totals, digest)),
            Event::ScanVoided => row.voided = true,
        }
    }
    (!records.is_empty()).then_some(row)
}

/// A reader of the journal and the tables, each of them behind by as much as a run chooses.
struct Looker {
    lags: bool,
    looks: u32,
}

impl Looker {
    /// Gives the head as the journal knows it, and the records that the tables show.
    fn look<'a>(
        &mut self,
        world: &'a World,
        choices: &mut Choices,
    ) -> (Option<StreamHead>, &'a [Accepted]) {
        let records = world.accepted(Topic::Entitlement, 0);
        let most = if self.lags && self.looks < LOOKS { LAG.min(records.len()) } else { 0 };
        self.looks += 1;
        let (journal, tables) = (choices.pick(most + 1), choices.pick(most + 1));
        if journal + tables > 0 {
            choices.note(format!("(journal {journal}, tables {tables} behind)"));
        }
        let last = records[..records.len() - journal].last();
        let head = last.map(|record| StreamHead {
            version: record.envelope.version,
            event_id: record.envelope.event_id,
        });
        (head, &records[..records.len() - tables])
    }
}

/// Decides chunk by chunk behind what it found.
pub struct Scanner {
    name: &'static str,
    cause: ScanCause,
    looker: Looker,
    deaths: u32,
    open: Option<Open>,
    done: bool,
}

struct Open {
    stream: ScanStream,
    decided: u64,
    digest: Digest,
}

impl Scanner {
    /// Makes a scanner who dies so many times at most.
    pub fn new(name: &'static str, cause: ScanCause, lags: bool, deaths: u32) -> Self {
        let looker = Looker { lags, looks: 0 };
        Self { name, cause, looker, deaths, open: None, done: false }
    }

    fn look(&mut self, world: &World, choices: &mut Choices) {
        let (head, records) = self.looker.look(world, choices);
        let stream = ScanStream::behind(head, "a", 0, self.cause.clone());
        match stream.shown(shown(records).as_ref()) {
            Shown::Elsewhere => {}
            Shown::Ended { .. } => self.done = true,
            Shown::Open => {
                let (mut digest, decided) = (Digest::new(), records.len() as u64);
                for record in records {
                    if let Event::EntitlementsDecided(chunk) = event(record) {
                        fold(&mut digest, &chunk);
                    }
                }
                self.open = Some(Open { stream, decided, digest });
            }
        }
    }
}

impl Open {
    /// Makes the next record; tells whether it is the last.
    fn next(&mut self) -> (NewRecord, bool) {
        self.decided += 1;
        if self.decided <= CHUNKS {
            let chunk = chunk(self.decided);
            fold(&mut self.digest, &chunk);
            return (self.stream.record(&Event::EntitlementsDecided(chunk)), false);
        }
        let chunks = self.stream.version();
        let (totals, digest) = (Totals::default(), std::mem::take(&mut self.digest).finish());
        (self.stream.record(&Event::ScanCompleted { totals, digest, chunks }), true)
    }
}

impl Actor<World> for Scanner {
    fn name(&self) -> String {
        format!("{} {}", self.name, if self.open.is_some() { "appends" } else { "looks" })
    }

    fn is_ready(&self, _world: &World) -> bool {
        !self.done
    }

    fn step(&mut self, world: &mut World, choices: &mut Choices) {
        let Some(open) = &mut self.open else { return self.look(world, choices) };
        let (record, last) = open.next();
        let fate = choices.pick(if self.deaths > 0 { 3 } else { 1 });
        if fate != 1 {
            world.append(record);
        }
        if fate > 0 {
            choices.note(format!("{} dies {}", self.name, ["", "before", "behind"][fate]));
            self.deaths -= 1;
            self.open = None;
            return;
        }
        self.done = last;
    }
}

/// Calls the stream off once the assessment is cancelled.
pub struct Voider {
    name: &'static str,
    looker: Looker,
    record: Option<NewRecord>,
    done: bool,
}

impl Voider {
    /// Makes one.
    pub fn new(name: &'static str, lags: bool) -> Self {
        Self { name, looker: Looker { lags, looks: 0 }, record: None, done: false }
    }
}

impl Actor<World> for Voider {
    fn name(&self) -> String {
        format!("{} {}", self.name, if self.record.is_some() { "voids" } else { "looks" })
    }

    fn is_ready(&self, world: &World) -> bool {
        let state = world.state::<Settlement>(&settlement());
        !self.done && state.assessments["a"].status == Status::Cancelled
    }

    fn step(&mut self, world: &mut World, choices: &mut Choices) {
        if let Some(record) = self.record.take() {
            world.append(record);
            return;
        }
        let (head, records) = self.looker.look(world, choices);
        let mut stream = ScanStream::behind(head, "a", 0, cause(world));
        match stream.shown(shown(records).as_ref()) {
            Shown::Elsewhere => {}
            Shown::Ended { voided: true } => self.done = true,
            Shown::Open | Shown::Ended { voided: false } => {
                self.record = Some(stream.record(&Event::ScanVoided));
            }
        }
    }
}

/// A worker's append that is still on its way: its records arrive one by one, but for one that is lost.
pub struct InFlight {
    records: VecDeque<NewRecord>,
    /// The positions of those that arrived, and whether one before them was lost.
    pub arrived: Vec<(Position, bool)>,
    lost: bool,
}

impl InFlight {
    /// Sends everything from the beginning in one append.
    pub fn all(cause: ScanCause) -> Self {
        let stream = ScanStream::behind(None, "a", 0, cause);
        let mut open = Open { stream, decided: 0, digest: Digest::new() };
        let mut records = VecDeque::new();
        loop {
            let (record, last) = open.next();
            records.push_back(record);
            if last {
                return Self { records, arrived: Vec::new(), lost: false };
            }
        }
    }
}

impl Actor<World> for InFlight {
    fn name(&self) -> String {
        format!("{} on the way", self.records.len())
    }

    fn is_ready(&self, _world: &World) -> bool {
        !self.records.is_empty()
    }

    fn step(&mut self, world: &mut World, choices: &mut Choices) {
        let Some(record) = self.records.pop_front() else { return };
        if self.lost || choices.pick(2) == 0 {
            let (position, _) = world.append(record);
            self.arrived.push((position, self.lost));
        } else {
            choices.note("lost");
            self.lost = true;
        }
    }
}

/// Checks a scan's stream: chunks in order and each once, then perhaps the end, then perhaps the void. Tells how it
/// ended: completed, voided.
pub fn check_scan(world: &World) -> (bool, bool) {
    let events = world.events::<Event>(&scan());
    let (mut decided, mut completed, mut voided) = (Vec::new(), false, false);
    for event in events {
        assert!(!voided, "{event:?} counts behind the end");
        match event {
            Event::EntitlementsDecided(found) => {
                assert!(!completed, "a chunk counts behind the end");
                assert_eq!(
                    found,
                    chunk(decided.len() as u64 + 1),
                    "nobody is left out or twice in"
                );
                decided.push(found);
            }
            Event::ScanCompleted { digest: stated, chunks, .. } => {
                assert!(!completed, "the scan ends twice");
                assert_eq!((chunks, stated), (CHUNKS, approved()));
                assert_eq!(
                    digest(&decided),
                    approved(),
                    "what stands on the log is what is stated"
                );
                completed = true;
            }
            Event::ScanVoided => voided = true,
        }
    }
    (completed, voided)
}
