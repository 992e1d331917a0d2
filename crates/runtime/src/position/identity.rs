//! Checks that the log is the one that positions were remembered from.

use bytes::Bytes;
use prost::Message;
use ristoro_log::{Envelope, LogError, Position, Record};
use ristoro_proto::log::v1::LogGenesis;
use uuid::Uuid;

use crate::position::Cursor;

/// The namespace of identities of records that are no envelope.
const FOREIGN_BYTES: Uuid = Uuid::from_u128(0x0b9e_7d55_2d0c_4e1f_8f3a_61c2_95d4_77aa);

/// Gives what a record is remembered by: its event id, or a hash of bytes that are no envelope.
pub(crate) fn identity(record: &Record) -> Uuid {
    match Envelope::decode(record.value.clone()) {
        Ok(envelope) => envelope.event_id,
        Err(_) => identity_of_bytes(&record.value),
    }
}

/// Gives the identity of a record that is no envelope.
pub(crate) fn identity_of_bytes(value: &Bytes) -> Uuid {
    Uuid::new_v5(&FOREIGN_BYTES, value)
}

/// Checks that a cursor was kept for this log.
///
/// # Errors
/// `Foreign`.
pub(crate) fn check_log(
    consumer: &str,
    place: Position,
    cursor: &Cursor,
    log_id: Uuid,
) -> Result<(), LogError> {
    if cursor.log_id == log_id {
        return Ok(());
    }
    Err(LogError::Foreign(format!(
        "{consumer} has read {place} from the log {}, and this is the log {log_id}: \
         connect it to its own log, or to a new database",
        cursor.log_id
    )))
}

/// Checks that the end of the log is not before a cursor.
///
/// # Errors
/// `Foreign`.
pub(crate) fn check_end(consumer: &str, place: Position, end_offset: u64) -> Result<(), LogError> {
    if end_offset >= place.offset {
        return Ok(());
    }
    Err(LogError::Foreign(format!(
        "{consumer} has read up to {place}, and the log ends at {end_offset}: it was truncated or made anew, so bring \
         its records back, or build new tables in a new database"
    )))
}

/// Checks that the record before a cursor is the one that was remembered.
///
/// # Errors
/// `Foreign`.
pub(crate) fn check_last(consumer: &str, record: &Record, cursor: &Cursor) -> Result<(), LogError> {
    let found = identity(record);
    if cursor.last_event_id.is_none_or(|remembered| remembered == found) {
        return Ok(());
    }
    Err(LogError::Foreign(format!(
        "{consumer} remembers another record at {} than the one that stands there: connect it to its own log, or to a \
         new database",
        record.position
    )))
}

/// Checks a partition's first record, which names the log.
///
/// # Errors
/// `Foreign`.
pub(crate) fn check_genesis(record: &Record, log_id: Uuid) -> Result<(), LogError> {
    let genesis = LogGenesis::decode(record.value.clone()).ok();
    if genesis.is_some_and(|genesis| genesis.log_id == log_id.as_bytes()[..]) {
        return Ok(());
    }
    Err(LogError::Foreign(format!("{} is not the beginning of the log {log_id}", record.position)))
}
