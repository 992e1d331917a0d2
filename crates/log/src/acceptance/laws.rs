//! The fold's laws, tried on records in any order, repeated, torn and in conflict.

use bytes::Bytes;
use proptest::prelude::*;
use ristoro_domain::time::Instant;
use uuid::Uuid;

use super::{Heads, StreamHead, Verdict};
use crate::envelope::{Cause, Envelope};

/// Makes an envelope; ids are small numbers, 0 is none.
pub(crate) fn envelope(
    stream: &str,
    version: u64,
    event: u128,
    previous: u128,
    command: Option<u128>,
) -> Envelope {
    Envelope {
        event_id: Uuid::from_u128(event),
        stream: stream.to_owned(),
        version,
        previous: Uuid::from_u128(previous),
        kind: "Judged".to_owned(),
        occurred_at: Instant::new(0, 0).unwrap(),
        cause: Cause::Claim(Uuid::from_u128(event)),
        command_id: command.map(Uuid::from_u128),
        actor: String::new(),
        traceparent: String::new(),
        payload: Bytes::new(),
    }
}

/// Records of two streams. Ids are drawn from few, so that many of the records follow each other.
fn records() -> impl Strategy<Value = Vec<Envelope>> {
    let record = (0..2_u8, 1..5_u64, 0..2_u128, 0..2_u128, proptest::option::of(0..3_u128));
    let record = record.prop_map(|(stream, version, variant, before, command)| {
        let id = |version: u64, variant: u128| u128::from(version) * 10 + variant;
        let previous = if version == 1 { 0 } else { id(version - 1, before) };
        let stream = if stream == 0 { "s" } else { "t" };
        envelope(stream, version, id(version, variant), previous, command)
    });
    proptest::collection::vec(record, 0..60)
}

fn judge_all(heads: &mut Heads, records: &[Envelope]) -> Vec<Verdict> {
    records.iter().map(|record| heads.judge(record)).collect()
}

fn accepted(records: &[Envelope]) -> Vec<Envelope> {
    let verdicts = judge_all(&mut Heads::default(), records);
    let accepted =
        records.iter().zip(verdicts).filter(|(_, verdict)| *verdict == Verdict::Accepted);
    accepted.map(|(record, _)| record.clone()).collect()
}

/// What a reader stores of a prefix: each stream's head and accepted commands.
fn stored(records: &[Envelope]) -> Heads {
    let mut heads = Heads::default();
    for record in accepted(records) {
        let head = StreamHead { version: record.version, event_id: record.event_id };
        heads.load_head(record.stream.clone(), head);
        if let Some(command_id) = record.command_id {
            heads.load_command(record.stream, command_id);
        }
    }
    heads
}

proptest! {
    #[test]
    fn a_reader_that_resumes_anywhere_judges_as_one_from_the_beginning(records in records()) {
        let whole = judge_all(&mut Heads::default(), &records);
        for place in 0..=records.len() {
            let rest = judge_all(&mut stored(&records[..place]), &records[place..]);
            prop_assert_eq!(&rest[..], &whole[place..]);
        }
    }

    #[test]
    fn void_records_change_nothing(records in records()) {
        let accepted_alone = accepted(&records);
        prop_assert_eq!(&accepted(&accepted_alone), &accepted_alone);
    }

    #[test]
    fn repetitions_change_nothing(
        records in records(),
        repeats in proptest::collection::vec((any::<prop::sample::Index>(), 0..60_usize), 0..20),
    ) {
        let mut repeated = records.clone();
        for (which, later) in repeats.iter().filter(|_| !records.is_empty()) {
            // A repetition stands behind the record that it repeats.
            let place = which.index(repeated.len());
            let copy = repeated[place].clone();
            let verdict = judge_all(&mut Heads::default(), &repeated[..=place]).pop();
            if verdict == Some(Verdict::Accepted) {
                repeated.insert((place + 1 + later).min(repeated.len()), copy);
            }
        }
        prop_assert_eq!(accepted(&repeated), accepted(&records));
    }

    #[test]
    fn accepted_records_of_a_stream_are_a_chain(records in records()) {
        for stream in ["s", "t"] {
            let mut head = StreamHead { version: 0, event_id: Uuid::nil() };
            for record in accepted(&records).iter().filter(|record| record.stream == stream) {
                prop_assert_eq!(record.version, head.version + 1);
                prop_assert_eq!(record.previous, head.event_id);
                head = StreamHead { version: record.version, event_id: record.event_id };
            }
        }
    }

    #[test]
    fn a_verdict_depends_on_the_prefix_alone(records in records()) {
        let whole = judge_all(&mut Heads::default(), &records);
        for place in 0..records.len() {
            let prefix = judge_all(&mut Heads::default(), &records[..=place]);
            prop_assert_eq!(prefix.last(), whole.get(place));
        }
    }
}
