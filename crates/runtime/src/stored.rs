//! The numbers and times of Postgres against ours: its integers are signed, and its times are microseconds here. And
//! events as tables keep them, folded.

use bytes::Bytes;
use ristoro_domain::decider::Decider;
use ristoro_domain::time::Instant;
use ristoro_proto::wire::Wire;

/// Stores a number that never reaches the sign bit: an offset, a version, a subscription's number, a count.
#[must_use]
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("offsets, versions and numbers stay below 2^63")
}

/// Gives back what `signed` stored.
#[must_use]
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).expect("no negative number is stored")
}

/// Stores a number that stays far below 2^31: a partition, a place of a chunk, a block, an attempt.
#[must_use]
pub fn small(number: u32) -> i32 {
    i32::try_from(number).expect("partitions, places, blocks and attempts are few")
}

/// Gives back what `small` stored.
#[must_use]
pub fn unsigned_small(number: i32) -> u32 {
    u32::try_from(number).expect("no negative number is stored")
}

/// Makes the database's error of a value that no version of this program wrote.
pub fn decode_error(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Reads microseconds since the epoch.
///
/// # Errors
/// `Decode` where they are out of range.
pub fn instant(micros: i64) -> Result<Instant, sqlx::Error> {
    Instant::from_microsecond(micros).map_err(decode_error)
}

/// Folds the events of a stream that a table keeps, each as its kind and payload, from the first on.
///
/// # Errors
/// `Decode` for a payload that no version of this program wrote.
pub fn fold_events<'a, D>(
    events: impl IntoIterator<Item = (&'a str, &'a Bytes)>,
) -> Result<D::State, sqlx::Error>
where
    D: Decider,
    D::Event: Wire,
{
    let mut state = D::State::default();
    for (kind, payload) in events {
        let event = D::Event::decode(kind, payload).map_err(decode_error)?;
        state = D::evolve(state, &event);
    }
    Ok(state)
}
