//! Reads a whole log and judges every record once more, in a way of its own, so that a mistake in the fold that all
//! readers share does not hide itself.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::acceptance::{Heads, Verdict, payload_hash};
use crate::envelope::Envelope;
use crate::genesis::LogIdentity;
use crate::port::{EventLog, Limits, LogError, Record};
use crate::position::Position;
use crate::topic::Topic;

/// What a topic's records are worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TopicCounts {
    /// First records; more than partitions where several processes created the log at once.
    pub genesis: u64,
    /// Records that count.
    pub accepted: u64,
    /// Accepted records once more.
    pub duplicate: u64,
    /// Records whose place was taken, or that were decided on one that lost.
    pub conflict: u64,
    /// Records before which one is missing.
    pub gap: u64,
    /// Records whose command was accepted on their stream before.
    pub repeated_command: u64,
    /// Records that are no envelopes.
    pub undecodable: u64,
}

/// Something that must never be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// A duplicate has another payload than the record that it repeats: its writer does not decide by the log alone.
    DuplicateDiffers {
        /// The duplicate.
        duplicate: Position,
        /// The record that counts.
        accepted: Position,
    },
    /// The shared fold judges a record otherwise.
    FoldsDisagree {
        /// The record.
        position: Position,
        /// The shared fold's verdict.
        shared: Verdict,
        /// The verdict here.
        here: Verdict,
    },
}

/// What a log holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// The counts of each topic.
    pub topics: BTreeMap<Topic, TopicCounts>,
    /// What must never be found, in the order of positions.
    pub alarms: Vec<Alarm>,
}

/// Reads all records that are on the log now. `progress` is given each position that was reached and its partition's end.
///
/// # Errors
/// `Unavailable`, `Foreign`.
pub async fn verify(
    log: &EventLog,
    mut progress: impl FnMut(Position, u64),
) -> Result<Verification, LogError> {
    let mut verification = Verification::default();
    for topic in Topic::ALL {
        for (partition, end) in (0..).zip(log.end_offsets(topic).await?) {
            let mut next = Position { topic, partition, offset: 0 };
            let mut fold = Fold::default();
            let mut reader = log.reader(&[next]).await?;
            while next.offset < end {
                for record in reader.poll(Limits::default()).await? {
                    if record.position.offset < end {
                        fold.count(&record, &mut verification);
                        next.offset = record.position.offset + 1;
                    }
                }
                progress(next, end);
            }
        }
    }
    Ok(verification)
}

/// What is known of a partition: every accepted record, where the shared fold knows the newest of each stream.
#[derive(Default)]
struct Fold {
    streams: BTreeMap<String, Vec<Accepted>>,
    commands: BTreeSet<(String, Uuid)>,
    shared: Heads,
}

struct Accepted {
    event_id: Uuid,
    payload_hash: i64,
    offset: u64,
}

impl Fold {
    fn count(&mut self, record: &Record, verification: &mut Verification) {
        let position = record.position;
        let counts = verification.topics.entry(position.topic).or_default();
        let Ok(envelope) = Envelope::decode(record.value.clone()) else {
            match LogIdentity::from_genesis(position, &record.value) {
                Ok(_) => counts.genesis += 1,
                Err(_) => counts.undecodable += 1,
            }
            return;
        };
        let shared = self.shared.judge(&envelope);
        let (here, accepted) = self.judge(&envelope, position);
        match here {
            Verdict::Accepted => counts.accepted += 1,
            Verdict::Duplicate => counts.duplicate += 1,
            Verdict::Conflict => counts.conflict += 1,
            Verdict::Gap => counts.gap += 1,
            Verdict::RepeatedCommand => counts.repeated_command += 1,
        }
        if let Some(offset) = accepted {
            let accepted = Position { offset, ..position };
            verification.alarms.push(Alarm::DuplicateDiffers { duplicate: position, accepted });
        }
        // The shared fold knows only the newest event id of a stream, so it takes an older copy for a conflict.
        let older_copy = (shared, here) == (Verdict::Conflict, Verdict::Duplicate);
        if shared != here && !older_copy {
            verification.alarms.push(Alarm::FoldsDisagree { position, shared, here });
        }
    }

    /// Judges a record; for a duplicate with another payload, also gives the offset of the one that counts.
    fn judge(&mut self, envelope: &Envelope, position: Position) -> (Verdict, Option<u64>) {
        let payload_hash = payload_hash(&envelope.payload);
        let history = self.streams.entry(envelope.stream.clone()).or_default();
        let place = usize::try_from(envelope.version - 1).unwrap_or(usize::MAX);
        if let Some(accepted) = history.get(place) {
            if accepted.event_id != envelope.event_id {
                return (Verdict::Conflict, None);
            }
            let differs = accepted.payload_hash != payload_hash;
            return (Verdict::Duplicate, differs.then_some(accepted.offset));
        }
        if place > history.len() {
            return (Verdict::Gap, None);
        }
        let head = history.last().map_or(Uuid::nil(), |accepted| accepted.event_id);
        if head != envelope.previous {
            return (Verdict::Conflict, None);
        }
        if let Some(command_id) = envelope.command_id
            && !self.commands.insert((envelope.stream.clone(), command_id))
        {
            return (Verdict::RepeatedCommand, None);
        }
        let event_id = envelope.event_id;
        history.push(Accepted { event_id, payload_hash, offset: position.offset });
        (Verdict::Accepted, None)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::acceptance::laws::envelope;
    use crate::append::RawRecord;
    use crate::memory::MemoryLog;
    use crate::port::NewRecord;

    async fn verified(envelopes: Vec<Envelope>, foreign: &[Bytes]) -> (TopicCounts, Vec<Alarm>) {
        let log = MemoryLog::new(Uuid::from_u128(1), 1);
        let (topic, partition) = (Topic::Claim, 0);
        let records =
            envelopes.into_iter().map(|envelope| NewRecord { topic, partition, envelope });
        log.append_now(&records.collect::<Vec<_>>()).unwrap();
        let foreign =
            foreign.iter().map(|value| RawRecord { topic, partition, value: value.clone() });
        log.append_raw(&foreign.collect::<Vec<_>>()).await.unwrap();
        let mut reached = None;
        let log = EventLog::Memory(log);
        let verification = verify(&log, |next, end| {
            if next.topic == topic {
                reached = Some(next.offset == end);
            }
        });
        let verification = verification.await.unwrap();
        assert_eq!(reached, Some(true));
        assert_eq!(verification.topics.values().map(|counts| counts.genesis).min(), Some(1));
        (verification.topics[&topic], verification.alarms)
    }

    #[tokio::test]
    async fn every_record_is_counted_by_its_worth() {
        let (counts, alarms) = verified(
            vec![
                envelope("s", 1, 1, 0, Some(7)),
                envelope("s", 2, 2, 1, None),
                envelope("s", 1, 1, 0, Some(7)), // a copy of an older record
                envelope("s", 2, 2, 1, None),    // a copy of the newest
                envelope("s", 2, 3, 1, None),    // its place is taken
                envelope("s", 3, 3, 9, None),    // decided on another
                envelope("s", 5, 5, 4, None),    // version 3 is missing
                envelope("s", 3, 3, 2, Some(7)), // its command counted before
                envelope("s", 3, 4, 2, Some(8)),
            ],
            &[
                Bytes::from_static(b"no envelope"),
                LogIdentity::founded_now(Uuid::from_u128(1), 1).genesis(Topic::Claim, 0),
            ],
        )
        .await;
        let expected = TopicCounts {
            genesis: 2,
            accepted: 3,
            duplicate: 2,
            conflict: 2,
            gap: 1,
            repeated_command: 1,
            undecodable: 1,
        };
        assert_eq!((counts, alarms), (expected, Vec::new()));
    }

    #[tokio::test]
    async fn a_duplicate_with_another_payload_raises_an_alarm() {
        let first = envelope("s", 1, 1, 0, None);
        let other = Envelope { payload: Bytes::from_static(b"other"), ..first.clone() };
        let (counts, alarms) = verified(vec![first.clone(), first, other], &[]).await;
        assert_eq!((counts.accepted, counts.duplicate), (1, 2));
        let at = |offset| Position { topic: Topic::Claim, partition: 0, offset };
        assert_eq!(alarms, [Alarm::DuplicateDiffers { duplicate: at(3), accepted: at(1) }]);
    }
}
