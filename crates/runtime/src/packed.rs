//! The columns of a chunk as tables keep them: bytes that Postgres need not look into, of a fixed width so that a view
//! can.
//!
//! A number is its distance from the chunk's first, in four bytes; an entry of the dictionary is two bytes, from 0; both
//! with the highest byte first.

use ristoro_domain::columns::Columns;
use ristoro_log::Position;

use crate::projection::FoldError;
use crate::stored::{decode_error, signed, unsigned};

/// A chunk's columns, packed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Packed {
    /// The first number; none of an empty chunk.
    pub first_number: Option<i64>,
    /// The last number; none of an empty chunk.
    pub last_number: Option<i64>,
    /// The distance of each number from the first.
    pub numbers: Vec<u8>,
    /// Each one's place in the dictionary.
    pub entries: Vec<u8>,
}

impl Packed {
    /// Packs the columns of the record at a position.
    ///
    /// # Errors
    /// `Payload` where an entry is beyond 65,535 or a number more than four billion from the first: a chunk that this
    /// program decides has 10,000 people at most, whose numbers were given out one after the other.
    pub fn of(columns: &Columns, position: Position) -> Result<Self, FoldError> {
        let problem = |problem: String| FoldError::Payload { position, problem };
        let numbers = columns.numbers();
        let first = numbers.first().copied().unwrap_or_default();
        let mut packed = Self {
            first_number: numbers.first().copied().map(signed),
            last_number: numbers.last().copied().map(signed),
            numbers: Vec::with_capacity(numbers.len() * 4),
            entries: Vec::with_capacity(numbers.len() * 2),
        };
        for number in numbers {
            let distance = u32::try_from(number - first);
            let far = |_| problem(format!("number {number} is too far from the chunk's first"));
            let distance = distance.map_err(far)?;
            packed.numbers.extend(distance.to_be_bytes());
        }
        for entry in columns.entries() {
            let entry = u16::try_from(*entry);
            let entry = entry.map_err(|_| problem("it has more than 65,536 entries".to_owned()))?;
            packed.entries.extend(entry.to_be_bytes());
        }
        Ok(packed)
    }
}

/// Gives columns back.
///
/// # Errors
/// `Decode` for bytes that `Packed` never made.
pub fn unpacked(
    first_number: Option<i64>,
    numbers: &[u8],
    entries: &[u8],
) -> Result<Columns, sqlx::Error> {
    let first = first_number.map_or(0, unsigned);
    let (numbers, rest) = numbers.as_chunks::<4>();
    let (entries, more) = entries.as_chunks::<2>();
    if numbers.len() != entries.len() || !rest.is_empty() || !more.is_empty() {
        return Err(sqlx::Error::Decode("the columns of a chunk differ in length".into()));
    }
    let mut columns = Columns::default();
    for (distance, entry) in numbers.iter().zip(entries) {
        let number = first + u64::from(u32::from_be_bytes(*distance));
        columns.push(number, u32::from(u16::from_be_bytes(*entry))).map_err(decode_error)?;
    }
    Ok(columns)
}

/// Gives the dictionary's entry of one number, without unpacking the others; none where the chunk does not hold it.
///
/// # Errors
/// `Decode` for bytes that `Packed` never made.
pub fn entry_of(
    number: u64,
    first_number: Option<i64>,
    numbers: &[u8],
    entries: &[u8],
) -> Result<Option<u16>, sqlx::Error> {
    let distance = number.checked_sub(first_number.map_or(0, unsigned));
    let Some(distance) = distance.and_then(|distance| u32::try_from(distance).ok()) else {
        return Ok(None);
    };
    let (numbers, _) = numbers.as_chunks::<4>();
    let Ok(place) = numbers.binary_search(&distance.to_be_bytes()) else { return Ok(None) };
    let entry = entries.as_chunks::<2>().0.get(place);
    let missing = || sqlx::Error::Decode("the columns of a chunk differ in length".into());
    entry.map(|entry| Some(u16::from_be_bytes(*entry))).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use ristoro_log::Topic;

    use super::*;

    const POSITION: Position = Position { topic: Topic::Entitlement, partition: 1, offset: 9 };

    #[test]
    fn what_was_packed_comes_back() {
        let mut columns = Columns::default();
        assert_eq!(unpacked(None, &[], &[]).unwrap(), columns);
        for (number, entry) in [(1 << 48 | 5, 0), (1 << 48 | 6, 300), (1 << 48 | 70_000, 1)] {
            columns.push(number, entry).unwrap();
        }
        let packed = Packed::of(&columns, POSITION).unwrap();
        assert_eq!(packed.numbers[4..], [0, 0, 0, 1, 0, 1, 17, 107]);
        assert_eq!(packed.entries, [0, 0, 1, 44, 0, 1]);
        let found = unpacked(packed.first_number, &packed.numbers, &packed.entries);
        assert_eq!(found.unwrap(), columns);
        let one = |number| {
            entry_of(number, packed.first_number, &packed.numbers, &packed.entries).unwrap()
        };
        let asked = [(1 << 48) + 5, (1 << 48) + 6, (1 << 48) + 70_000, (1 << 48) + 7, 1, 1 << 49];
        assert_eq!(asked.map(one), [Some(0), Some(300), Some(1), None, None, None]);
        assert_eq!(packed.last_number, Some(1 << 48 | 70_000));
    }

    #[test]
    fn what_no_program_of_ours_decides_stops_at_its_record() {
        // A step is less than four billion, two of them need not be.
        let far: &[(u64, u32)] = &[(7, 0), (1 << 31, 0), (7 + (1 << 32), 0)];
        for people in [far, &[(7, 65_536)]] {
            let mut columns = Columns::default();
            people.iter().for_each(|(number, entry)| columns.push(*number, *entry).unwrap());
            let refused = Packed::of(&columns, POSITION).unwrap_err();
            assert!(matches!(refused, FoldError::Payload { position: POSITION, .. }), "{refused}");
        }
    }

    #[test]
    fn bytes_that_were_never_packed_are_no_columns() {
        assert!(unpacked(Some(1), &[0; 8], &[0; 2]).is_err());
        assert!(unpacked(Some(1), &[0; 5], &[0; 2]).is_err());
        assert!(unpacked(Some(1), &[0; 8], &[0; 4]).is_err(), "the same number twice");
        assert!(entry_of(1, Some(1), &[0; 4], &[0; 1]).is_err());
    }
}
