//! The streams of this service: their names, who they are about and where they live.

use std::fmt;

use ristoro_log::Topic;
use ristoro_runtime::command::StreamRef;

/// The channel of e-mail in a dispatch's name.
pub const EMAIL: &str = "email";

/// A chunk of notices.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChunkKey {
    /// The assessment.
    pub assessment: String,
    /// The partition.
    pub partition: u32,
    /// The chunk's number, which is its version on the queue.
    pub chunk: u64,
}

/// A dispatch: a chunk over one channel, and which attempt.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DispatchKey {
    /// The chunk.
    pub chunk: ChunkKey,
    /// The channel.
    pub channel: String,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl DispatchKey {
    /// Names the dispatch of a chunk over e-mail.
    #[must_use]
    pub fn email(chunk: ChunkKey, attempt: u32) -> Self {
        Self { chunk, channel: EMAIL.to_owned(), attempt }
    }

    /// Names its stream.
    #[must_use]
    pub fn stream(&self) -> StreamRef {
        StreamRef::numbered(Topic::Notice, self.to_string(), self.chunk.partition)
    }

    /// Reads a stream's name.
    #[must_use]
    pub fn parse(stream: &str) -> Option<Self> {
        let rest = stream.strip_prefix("dispatch/")?;
        let (rest, channel) = rest.rsplit_once('/')?;
        let (rest, chunk) = rest.rsplit_once('/')?;
        let (assessment, partition) = rest.rsplit_once('/')?;
        let (channel, attempt) = match channel.rsplit_once('-') {
            Some((channel, attempt)) => (channel, attempt.parse().ok()?),
            None => (channel, 1),
        };
        let (assessment, channel) = (assessment.to_owned(), channel.to_owned());
        let (partition, chunk) = (partition.parse().ok()?, chunk.parse().ok()?);
        Some(Self { chunk: ChunkKey { assessment, partition, chunk }, channel, attempt })
    }
}

impl fmt::Display for DispatchKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChunkKey { assessment, partition, chunk } = &self.chunk;
        write!(formatter, "dispatch/{assessment}/{partition}/{chunk}/{}", self.channel)?;
        if self.attempt > 1 { write!(formatter, "-{}", self.attempt) } else { Ok(()) }
    }
}

/// Names the queue of an assessment's partition.
#[must_use]
pub fn queue_stream(assessment: &str, partition: u32) -> String {
    format!("queue/{assessment}/{partition}")
}

/// Names the stream of one person's notice, on the partition that stands in the number.
#[must_use]
pub fn notice_stream(assessment: &str, number: u64) -> StreamRef {
    let partition = ristoro_domain::roster::partition_of_number(number);
    StreamRef::numbered(Topic::Notice, format!("notice/{assessment}/{number}"), partition)
}

/// Names the stream of a subscriber as a recipient.
#[must_use]
pub fn recipient_stream(subscriber: &str, partition_count: u32) -> StreamRef {
    let stream = format!("recipient/{subscriber}");
    StreamRef::keyed(Topic::Notice, stream, subscriber, partition_count)
}

/// Reads `{prefix}/{assessment}/{number}`, such as a queue's or a scan's partition.
#[must_use]
pub fn parse_numbered<'a>(stream: &'a str, prefix: &str) -> Option<(&'a str, u64)> {
    let (assessment, number) = stream.strip_prefix(prefix)?.strip_prefix('/')?.rsplit_once('/')?;
    Some((assessment, number.parse().ok()?))
}

/// Tells whether commands decide on a stream. Queues are written by stages alone, which need their heads only.
#[must_use]
pub fn is_journaled(topic: Topic, stream: &str) -> bool {
    topic == Topic::Notice && !stream.starts_with("queue/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispatch_reads_back_from_its_name() {
        let chunk = ChunkKey { assessment: "libero-2023".to_owned(), partition: 3, chunk: 12 };
        for (attempt, name) in
            [(1, "dispatch/libero-2023/3/12/email"), (2, "dispatch/libero-2023/3/12/email-2")]
        {
            let key = DispatchKey::email(chunk.clone(), attempt);
            assert_eq!(key.to_string(), name);
            assert_eq!(DispatchKey::parse(name), Some(key));
        }
        assert_eq!(DispatchKey::parse("dispatch/a/3/email"), None);
        assert_eq!(parse_numbered("scan/a-1/7", "scan"), Some(("a-1", 7)));
        assert_eq!(parse_numbered("scanner/a/7", "scan"), None);
    }
}
