//! A place on the log, and how a stream finds its partition.

use std::fmt;
use std::str::FromStr;

use crate::topic::Topic;

/// One record's place. Written `TOPIC/PARTITION/OFFSET`, as in consistency tokens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// The topic.
    pub topic: Topic,
    /// The partition within the topic.
    pub partition: u32,
    /// The offset within the partition.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a position: write TOPIC/PARTITION/OFFSET");
        let mut parts = text.split('/');
        let (topic, partition, offset) = (parts.next(), parts.next(), parts.next());
        match (topic, partition, offset, parts.next()) {
            (Some(topic), Some(partition), Some(offset), None) => Ok(Position {
                topic: topic.parse().map_err(|_| bad())?,
                partition: partition.parse().map_err(|_| bad())?,
                offset: offset.parse().map_err(|_| bad())?,
            }),
            _ => Err(bad()),
        }
    }
}

/// Gives the partition of a key: murmur2 as Kafka's own clients compute it, so that foreign tools agree.
#[must_use]
pub fn partition_of(key: &str, partition_count: u32) -> u32 {
    (murmur2(key.as_bytes()) & 0x7fff_ffff) % partition_count
}

/// MurmurHash2 with the seed and tail order of Kafka's default partitioner.
fn murmur2(data: &[u8]) -> u32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).expect("a key is shorter than 4 GiB");
    let mut hash: u32 = 0x9747_b28c ^ length;
    let chunks = data.chunks_exact(4);
    let tail = chunks.remainder();
    for chunk in chunks {
        let mut word = u32::from_le_bytes(chunk.try_into().expect("four bytes"));
        word = word.wrapping_mul(MULTIPLIER);
        word ^= word >> 24;
        word = word.wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ word;
    }
    for (place, byte) in tail.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_the_java_client() {
        // Values of Kafka's own UtilsTest.
        let check = |text: &str, expected: i32| {
            assert_eq!(murmur2(text.as_bytes()), u32::from_ne_bytes(expected.to_ne_bytes()));
        };
        check("21", -973_932_308);
        check("foobar", -790_332_482);
        check("a-little-bit-long-string", -985_981_536);
        check("a-little-bit-longer-string", -1_486_304_829);
        check("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971);
        check("abc", 479_470_107);
    }

    #[test]
    fn a_position_reads_back_as_it_was_written() {
        let position = Position { topic: Topic::Payout, partition: 3, offset: 42 };
        assert_eq!(position.to_string().parse(), Ok(position));
        assert!("ristoro.payout.v1/3".parse::<Position>().is_err());
        assert!("x/3/4".parse::<Position>().is_err());
    }
}
