//! The first record of every partition: it says which log this is, so that a foreign, re-created or half-made log is
//! never taken for the one that a reader knows.
//!
//! Any number of processes may create one log at once. The topics are made first (making one twice does nothing). Then
//! the record at offset 0 of the *founding partition* (partition 0 of the first topic) decides the log's identity,
//! whoever wrote it; every creator reads it back and writes that identity to the partitions that are still empty. So
//! all genesis records agree. One that came second stands at an offset above 0, where it is no envelope and hence void.

use bytes::Bytes;
use prost::Message;
use ristoro_proto::log::v1::LogGenesis;
use uuid::Uuid;

use crate::port::LogError;
use crate::position::Position;
use crate::topic::Topic;

/// Which log it is, as its genesis records say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogIdentity {
    /// The log's id.
    pub log_id: Uuid,
    /// The number of partitions of every topic.
    pub partition_count: u32,
    /// When it was created, in seconds since 1970.
    pub created_at_seconds: i64,
}

/// The partition whose first record decides a log's identity.
pub(crate) const FOUNDING_PARTITION: Position =
    Position { topic: Topic::Signal, partition: 0, offset: 0 };

/// Gives every partition of a log, in order, at offset 0.
pub(crate) fn all_partitions(partition_count: u32) -> impl Iterator<Item = Position> {
    Topic::ALL.into_iter().flat_map(move |topic| {
        (0..partition_count).map(move |partition| Position { topic, partition, offset: 0 })
    })
}

impl LogIdentity {
    /// Makes the identity of a log that is created now.
    pub(crate) fn founded_now(log_id: Uuid, partition_count: u32) -> Self {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seconds = since_1970.map_or(0, |elapsed| elapsed.as_secs());
        let created_at_seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Self { log_id, partition_count, created_at_seconds }
    }

    /// Encodes the genesis record of a partition.
    pub(crate) fn genesis(&self, topic: Topic, partition: u32) -> Bytes {
        let created_at = prost_types::Timestamp { seconds: self.created_at_seconds, nanos: 0 };
        let genesis = LogGenesis {
            log_id: Bytes::copy_from_slice(self.log_id.as_bytes()),
            topic: topic.name().to_owned(),
            partition,
            partition_count: self.partition_count,
            created_at: Some(created_at),
        };
        genesis.encode_to_vec().into()
    }

    /// Reads the identity from the first record of a partition.
    ///
    /// # Errors
    /// `Foreign` where the record is no genesis record of that partition.
    pub fn from_genesis(position: Position, value: &Bytes) -> Result<Self, LogError> {
        let foreign = |problem: &str| LogError::Foreign(format!("{position}: {problem}"));
        let genesis = LogGenesis::decode(value.clone())
            .map_err(|_| foreign("the first record is no genesis record"))?;
        let log_id = Uuid::from_slice(&genesis.log_id)
            .map_err(|_| foreign("the genesis record names no log"))?;
        if genesis.topic != position.topic.name() || genesis.partition != position.partition {
            let other = format!("{}/{}", genesis.topic, genesis.partition);
            return Err(foreign(&format!("the genesis record is that of {other}")));
        }
        if genesis.partition_count == 0 {
            return Err(foreign("the genesis record names no partition count"));
        }
        let created_at_seconds = genesis.created_at.map_or(0, |time| time.seconds);
        Ok(Self { log_id, partition_count: genesis.partition_count, created_at_seconds })
    }

    /// Checks that the first records of all partitions name one log, and gives it.
    ///
    /// # Errors
    /// `Foreign` where they do not agree, `Missing` where one of them is not there.
    pub(crate) fn agreed(
        partition_count: u32,
        first_records: &[Option<Bytes>],
    ) -> Result<Self, LogError> {
        let mut agreed: Option<Self> = None;
        for (place, position) in all_partitions(partition_count).enumerate() {
            let Position { topic, partition, .. } = position;
            let value = first_records.get(place).and_then(Option::as_ref);
            let value = value.ok_or(LogError::Missing { topic, partition })?;
            let found = Self::from_genesis(position, value)?;
            if found.partition_count != partition_count {
                let named = found.partition_count;
                return Err(LogError::Foreign(format!(
                    "{position}: the genesis record names {named} partitions, the topic has {partition_count}"
                )));
            }
            let first = *agreed.get_or_insert(found);
            if first.log_id != found.log_id {
                return Err(LogError::Foreign(format!(
                    "{position} is of log {}, {FOUNDING_PARTITION} of log {}",
                    found.log_id, first.log_id
                )));
            }
        }
        agreed.ok_or_else(|| LogError::Foreign("a log has one partition at least".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;

    fn identity(log: u128) -> LogIdentity {
        LogIdentity { log_id: Uuid::from_u128(log), partition_count: 2, created_at_seconds: 7 }
    }

    fn all(identity: LogIdentity) -> Vec<Option<Bytes>> {
        all_partitions(2).map(|at| Some(identity.genesis(at.topic, at.partition))).collect()
    }

    #[test]
    fn first_records_that_agree_name_their_log() {
        assert_eq!(LogIdentity::agreed(2, &all(identity(1))).unwrap(), identity(1));
    }

    #[test]
    fn a_first_record_of_another_log_or_of_another_partition_is_foreign() {
        let mut records = all(identity(1));
        records[3] = Some(identity(2).genesis(Topic::Outage, 1));
        assert!(matches!(LogIdentity::agreed(2, &records), Err(LogError::Foreign(_))));
        records[3] = Some(identity(1).genesis(Topic::Outage, 0));
        assert!(matches!(LogIdentity::agreed(2, &records), Err(LogError::Foreign(_))));
        assert!(matches!(LogIdentity::agreed(1, &all(identity(1))), Err(LogError::Foreign(_))));
    }

    #[test]
    fn a_partition_without_a_first_record_is_missing() {
        let mut records = all(identity(1));
        records[3] = None;
        let missing = LogIdentity::agreed(2, &records);
        assert!(matches!(missing, Err(LogError::Missing { topic: Topic::Outage, partition: 1 })));
    }

    #[test]
    fn a_genesis_record_is_no_envelope() {
        for at in all_partitions(2) {
            assert!(Envelope::decode(identity(1).genesis(at.topic, at.partition)).is_err());
        }
    }
}
