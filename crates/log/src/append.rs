//! What every adapter does with an append before it writes anything.

use bytes::Bytes;

use crate::port::{LogError, NewRecord};
use crate::topic::Topic;

/// Bytes of a record's value at most. A Kafka broker's default batch limit of 1,048,588 bytes leaves room for the
/// batch's own fields, so no broker needs a setting of ours.
pub const MAX_VALUE_BYTES: usize = 1_000_000;

/// A record's bytes on their way to a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RawRecord {
    /// The topic.
    pub(crate) topic: Topic,
    /// The partition.
    pub(crate) partition: u32,
    /// The encoded envelope, or a genesis record.
    pub(crate) value: Bytes,
}

/// Encodes records and refuses what no adapter may write.
///
/// # Errors
/// `Missing` for a partition that the log does not have, `TooLarge`.
pub(crate) fn encode(
    records: &[NewRecord],
    partition_count: u32,
) -> Result<Vec<RawRecord>, LogError> {
    let mut encoded = Vec::with_capacity(records.len());
    for record in records {
        let NewRecord { topic, partition, envelope } = record;
        let (topic, partition) = (*topic, *partition);
        if partition >= partition_count {
            return Err(LogError::Missing { topic, partition });
        }
        let value = envelope.encode();
        if value.len() > MAX_VALUE_BYTES {
            return Err(LogError::TooLarge {
                stream: envelope.stream.clone(),
                bytes: value.len(),
                limit: MAX_VALUE_BYTES,
            });
        }
        encoded.push(RawRecord { topic, partition, value });
    }
    Ok(encoded)
}
