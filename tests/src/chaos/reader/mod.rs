//! The independent reader: every record of the log from its first on, judged by a few lines that share nothing with the
//! services but the shape of an envelope.

pub mod columns;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message;
use ristoro_log::{EventLog, Limits, LogConfig, LogError, Position, Topic};
use ristoro_proto::log::v1::Envelope;

/// How long the end of the log may take to arrive.
const WAIT: Duration = Duration::from_secs(60);

/// What a record is worth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Worth {
    /// It counts.
    Accepted,
    /// The record before it on its stream once more.
    Duplicate,
    /// Its place was taken, or it was decided on another record.
    Conflict,
    /// One before it is missing.
    Gap,
    /// Its command counts already.
    RepeatedCommand,
    /// It is no envelope.
    Undecodable,
}

/// One record.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// What it is worth.
    pub worth: Worth,
    /// What it says.
    pub envelope: Envelope,
}

/// The last record that counts of a stream: its version and its id.
pub type Head = (u64, Vec<u8>);

/// The whole log.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Story {
    /// Every envelope, by topic and partition in the order of the log.
    pub entries: Vec<Entry>,
    /// Heads by topic and stream.
    pub heads: BTreeMap<Topic, BTreeMap<String, Head>>,
    /// Records by topic, partition and worth, the founding ones of each partition left out.
    pub counts: BTreeMap<(Topic, u32, Worth), u64>,
    /// Next offsets by topic and partition.
    pub ends: BTreeMap<(Topic, u32), u64>,
}

impl Worth {
    /// Every worth.
    pub const ALL: [Worth; 6] = [
        Worth::Accepted,
        Worth::Duplicate,
        Worth::Conflict,
        Worth::Gap,
        Worth::RepeatedCommand,
        Worth::Undecodable,
    ];

    /// Gives the name under which the tables count it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Worth::Accepted => "accepted",
            Worth::Duplicate => "duplicate",
            Worth::Conflict => "conflict",
            Worth::Gap => "gap",
            Worth::RepeatedCommand => "repeated_command",
            Worth::Undecodable => "undecodable",
        }
    }
}

/// Reads everything that is on the log now.
///
/// # Errors
/// The log's, and `Unavailable` where its end does not come.
pub async fn read(config: &LogConfig) -> Result<Story, LogError> {
    let log = EventLog::open(config).await?;
    let mut story = Story::default();
    for topic in Topic::ALL {
        let ends = log.end_offsets(topic).await?;
        let mut partitions = vec![Vec::new(); ends.len()];
        let missing = |partitions: &[Vec<_>]| {
            let read = partitions.iter().map(Vec::len);
            read.zip(&ends).any(|(read, end)| (read as u64) < *end)
        };
        let first = |partition| Position { topic, partition, offset: 0 };
        let places: Vec<Position> = (0..log.partition_count()).map(first).collect();
        let mut reader = log.reader(&places).await?;
        let deadline = tokio::time::Instant::now() + WAIT;
        while missing(&partitions) {
            if tokio::time::Instant::now() > deadline {
                return Err(LogError::Unavailable(format!("the end of {topic} does not come")));
            }
            for record in reader.poll(Limits::default()).await? {
                let place = record.position.partition as usize;
                assert_eq!(record.position.offset, partitions[place].len() as u64, "{topic}");
                partitions[place].push(record.value);
            }
        }
        for (partition, values) in (0..).zip(partitions) {
            story.ends.insert((topic, partition), values.len() as u64);
            story.judge((topic, partition), values.into_iter().map(Vec::from));
        }
    }
    Ok(story)
}

impl Story {
    /// Judges the values of a partition; the first is its founding record.
    fn judge(&mut self, (topic, partition): (Topic, u32), values: impl Iterator<Item = Vec<u8>>) {
        let mut heads: BTreeMap<String, Head> = BTreeMap::new();
        let mut commands: BTreeSet<(String, Vec<u8>)> = BTreeSet::new();
        for (offset, value) in (0..).zip(values).skip(1) {
            let position = Position { topic, partition, offset };
            let decoded = Envelope::decode(value.as_slice()).ok();
            let envelope = decoded.filter(|it| it.event_id.len() == 16 && it.version > 0);
            let worth = match &envelope {
                None => Worth::Undecodable,
                Some(envelope) => {
                    let command = (!envelope.command_id.is_empty())
                        .then(|| (envelope.stream.clone(), envelope.command_id.to_vec()));
                    let worth = weigh(envelope, heads.get(&envelope.stream), |of| {
                        command.as_ref().is_some_and(|it| of && commands.contains(it))
                    });
                    if worth == Worth::Accepted {
                        let head = (envelope.version, envelope.event_id.to_vec());
                        heads.insert(envelope.stream.clone(), head);
                        commands.extend(command);
                    }
                    worth
                }
            };
            *self.counts.entry((topic, partition, worth)).or_default() += 1;
            self.entries.extend(envelope.map(|envelope| Entry { position, worth, envelope }));
        }
        self.heads.entry(topic).or_default().extend(heads);
    }

    /// Gives the records of a topic that count, partition by partition.
    pub fn accepted(&self, topic: Topic) -> impl Iterator<Item = &Entry> {
        let counts =
            move |entry: &&Entry| entry.position.topic == topic && entry.worth == Worth::Accepted;
        self.entries.iter().filter(counts)
    }

    /// Writes every record on a line of its own, without payloads: those hold addresses.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Entry { position, worth, envelope } in &self.entries {
            let (stream, version, kind) = (&envelope.stream, envelope.version, &envelope.r#type);
            let (cause, actor) = (&envelope.cause, &envelope.actor);
            let worth = worth.name();
            let line = format!("{position} {worth} {stream} {version} {kind} {cause} {actor}\n");
            text.push_str(&line);
        }
        text
    }

    /// Sums a worth over all topics.
    #[must_use]
    pub fn count(&self, worth: Worth) -> u64 {
        let counts = self.counts.iter();
        counts.filter(|((_, _, found), _)| *found == worth).map(|(_, count)| count).sum()
    }
}

/// Weighs one record behind its stream's head.
fn weigh(envelope: &Envelope, head: Option<&Head>, repeated: impl Fn(bool) -> bool) -> Worth {
    let nothing = (0, vec![0; 16]);
    let (version, id) = head.unwrap_or(&nothing);
    match envelope.version.cmp(&(version + 1)) {
        std::cmp::Ordering::Greater => Worth::Gap,
        std::cmp::Ordering::Less if envelope.version == *version && envelope.event_id == *id => {
            Worth::Duplicate
        }
        std::cmp::Ordering::Less => Worth::Conflict,
        std::cmp::Ordering::Equal if envelope.previous != *id => Worth::Conflict,
        std::cmp::Ordering::Equal if repeated(true) => Worth::RepeatedCommand,
        std::cmp::Ordering::Equal => Worth::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(version: u64, event: u8, previous: u8, command: u8) -> Vec<u8> {
        let envelope = Envelope {
            event_id: vec![event; 16].into(),
            stream: "s".to_owned(),
            version,
            previous: vec![previous; 16].into(),
            command_id: if command == 0 { Vec::new() } else { vec![command; 16] }.into(),
            ..Envelope::default()
        };
        envelope.encode_to_vec()
    }

    #[test]
    fn only_what_follows_the_last_record_that_counts_counts() {
        let values = vec![
            b"the founding record".to_vec(),
            value(1, 1, 0, 9),
            value(1, 1, 0, 9),
            value(1, 2, 0, 0),
            value(3, 3, 1, 0),
            value(2, 4, 7, 0),
            value(2, 5, 1, 9),
            value(2, 6, 1, 8),
            b"\xff".to_vec(),
        ];
        let mut story = Story::default();
        story.judge((Topic::Ops, 0), values.into_iter());
        let worths: Vec<Worth> = story.entries.iter().map(|entry| entry.worth).collect();
        assert_eq!(
            worths,
            [
                Worth::Accepted,
                Worth::Duplicate,
                Worth::Conflict,
                Worth::Gap,
                Worth::Conflict,
                Worth::RepeatedCommand,
                Worth::Accepted,
            ]
        );
        assert_eq!(story.heads[&Topic::Ops]["s"], (2, vec![6; 16]));
        assert_eq!(story.count(Worth::Undecodable), 1);
    }
}
