//! Every acknowledged command is on the log at the version that was told; every refused one is not.

use std::collections::BTreeMap;

use ristoro_log::Position;
use uuid::Uuid;

use super::super::client::{Fate, Sent, Told};
use super::super::reader::{Entry, Story, Worth};
use super::Findings;

/// Calls that may be answered with yes though there was nothing to write: it was so already.
const IDEMPOTENT: [&str; 3] = ["ApproveAssessment", "HoldPayout", "ReleasePayout"];
/// The call whose record may count and yet have no effect, and is refused then.
const WITHOUT_EFFECT: &str = "HoldPayout";

/// How the commands ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ends {
    /// Acknowledged, with a record of their own.
    pub acknowledged: u64,
    /// Acknowledged, with nothing to write.
    pub nothing_to_do: u64,
    /// Refused.
    pub refused: u64,
    /// Of these, holds that came too late and stand on the log without effect.
    pub without_effect: u64,
    /// Unknown to their caller; on the log.
    pub unknown_written: u64,
    /// Unknown to their caller; not on the log.
    pub unknown_lost: u64,
}

/// Compares.
pub fn check(story: &Story, sent: &[Sent], findings: &mut Findings) -> Ends {
    let mut places: BTreeMap<Position, &Entry> = BTreeMap::new();
    let mut commands: BTreeMap<Uuid, Vec<&Entry>> = BTreeMap::new();
    for entry in story.entries.iter().filter(|entry| entry.worth == Worth::Accepted) {
        places.insert(entry.position, entry);
        if let Ok(id) = Uuid::from_slice(&entry.envelope.command_id) {
            commands.entry(id).or_default().push(entry);
        }
    }
    for (id, entries) in &commands {
        findings
            .holds(|| format!("command {id} counts {} times", entries.len()), entries.len() == 1);
    }
    let mut ends = Ends::default();
    for one in sent {
        let on_log = commands.get(&one.request_id).and_then(|entries| entries.first()).copied();
        match &one.fate {
            Fate::Acknowledged { token, version } => {
                let own = acknowledged(one, (token, *version), on_log, &places, findings);
                if own { ends.acknowledged += 1 } else { ends.nothing_to_do += 1 }
            }
            Fate::Refused(code) => {
                ends.refused += 1;
                ends.without_effect += u64::from(on_log.is_some());
                let fine = on_log.is_none() || one.kind == WITHOUT_EFFECT;
                let place = on_log.map(|entry| entry.position);
                findings
                    .holds(|| format!("{one:?} was refused ({code}) and counts: {place:?}"), fine);
            }
            Fate::Unknown if on_log.is_some() => ends.unknown_written += 1,
            Fate::Unknown => ends.unknown_lost += 1,
        }
    }
    ends
}

/// Checks an acknowledged command; tells whether it has a record of its own.
fn acknowledged(
    one: &Sent,
    (token, version): (&str, Option<u64>),
    on_log: Option<&Entry>,
    places: &BTreeMap<Position, &Entry>,
    findings: &mut Findings,
) -> bool {
    let positions = Told::positions(token);
    let known = positions.iter().all(|position| places.contains_key(position));
    findings.holds(|| format!("{one:?} was told of records that do not count"), known);
    let Some(entry) = on_log else {
        let fine = IDEMPOTENT.contains(&one.kind);
        findings.holds(|| format!("{one:?} was acknowledged and is not on the log"), fine);
        return false;
    };
    let told = positions.contains(&entry.position);
    findings.holds(|| format!("{one:?} counts at {} and was told otherwise", entry.position), told);
    if let Some(expected) = one.expected {
        let what = || format!("the version of {one:?}");
        findings.same(what, &entry.envelope.version, &(expected + 1));
    }
    if let Some(version) = version {
        let what = || format!("the version that was told of {one:?}");
        findings.same(what, &version, &entry.envelope.version);
    }
    true
}

#[cfg(test)]
mod tests {
    use ristoro_log::Topic;
    use ristoro_proto::log::v1::Envelope;
    use tonic::Code;

    use super::*;

    const OWN: Uuid = Uuid::from_u128(7);
    const TOKEN: &str = "ristoro.outage.v1/0/5";

    /// A log with one record, of a command at version 3.
    fn story(command: Uuid) -> Story {
        let envelope = Envelope {
            stream: "outage/o".to_owned(),
            version: 3,
            command_id: command.as_bytes().to_vec().into(),
            ..Envelope::default()
        };
        let position = Position { topic: Topic::Outage, partition: 0, offset: 5 };
        let entries = vec![Entry { position, worth: Worth::Accepted, envelope }];
        Story { entries, ..Story::default() }
    }

    /// Tells how many differences there are where a command ended like this.
    fn differences(story: &Story, expected: Option<u64>, fate: Fate) -> usize {
        let mut findings = Findings::default();
        let sent = Sent { kind: "AddImpact", request_id: OWN, expected, fate };
        check(story, &[sent], &mut findings);
        findings.lines().len()
    }

    fn acknowledged(token: &str, version: Option<u64>) -> Fate {
        Fate::Acknowledged { token: token.to_owned(), version }
    }

    #[test]
    fn what_was_acknowledged_has_to_be_there_as_it_was_told() {
        let there = story(OWN);
        assert_eq!(differences(&there, Some(2), acknowledged(TOKEN, Some(3))), 0);
        assert_eq!(differences(&there, Some(1), acknowledged(TOKEN, None)), 1);
        assert_eq!(differences(&there, None, acknowledged(TOKEN, Some(4))), 1);
        assert_eq!(differences(&there, None, acknowledged("ristoro.outage.v1/0/6", None)), 2);
        let others = story(Uuid::from_u128(8));
        assert_eq!(differences(&others, None, acknowledged(TOKEN, None)), 1);
    }

    #[test]
    fn what_was_refused_must_not_be_there() {
        assert_eq!(differences(&story(OWN), None, Fate::Refused(Code::Aborted)), 1);
        assert_eq!(differences(&Story::default(), None, Fate::Refused(Code::Aborted)), 0);
        assert_eq!(differences(&story(OWN), None, Fate::Unknown), 0);
    }

    #[test]
    fn a_command_that_counts_twice_is_found() {
        let mut twice = story(OWN);
        let mut second = twice.entries[0].clone();
        second.position.offset = 6;
        twice.entries.push(second);
        assert_eq!(differences(&twice, None, Fate::Unknown), 1);
    }
}
