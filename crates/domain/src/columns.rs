//! Columns of a batch: who, as sorted numbers, and which entry of a dictionary.
//!
//! Orders and notices follow the decisions chunk by chunk in the same shape.

/// Sorted subscription numbers, each with a place in a dictionary.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Columns {
    numbers: Vec<u64>,
    entries: Vec<u32>,
}

/// Why two columns are no batch.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ColumnsError {
    /// There are more or fewer entries than numbers.
    #[error("{numbers} numbers have {entries} entries")]
    Lengths {
        /// Numbers.
        numbers: usize,
        /// Entries.
        entries: usize,
    },
    /// A number does not follow the one before it.
    #[error("number {number} does not follow {before}")]
    Order {
        /// The number before.
        before: u64,
        /// The number that should be larger.
        number: u64,
    },
    /// A number is too far from the one before it for its column.
    #[error("number {number} is too far from {before}")]
    Step {
        /// The number before.
        before: u64,
        /// The number that is too far.
        number: u64,
    },
    /// An entry is not in the dictionary.
    #[error("entry {entry} is not in a dictionary of {length}")]
    Entry {
        /// The entry.
        entry: u32,
        /// The dictionary's length.
        length: usize,
    },
}

impl Columns {
    /// Adds a number, which must be larger than the last.
    ///
    /// # Errors
    /// `Order`, and `Step` where the distance does not fit 32 bits.
    pub fn push(&mut self, number: u64, entry: u32) -> Result<(), ColumnsError> {
        if let Some(&before) = self.numbers.last() {
            if number <= before {
                return Err(ColumnsError::Order { before, number });
            }
            if u32::try_from(number - before).is_err() {
                return Err(ColumnsError::Step { before, number });
            }
        }
        self.numbers.push(number);
        self.entries.push(entry);
        Ok(())
    }

    /// Reads the packed form: the first number, the steps after it, and an entry for each.
    ///
    /// # Errors
    /// `Lengths`, `Order`, and `Entry` where one is not below `dictionary_length`.
    pub fn unpack(
        first_number: u64,
        steps: &[u32],
        entries: &[u32],
        dictionary_length: usize,
    ) -> Result<Self, ColumnsError> {
        if entries.is_empty() && steps.is_empty() {
            return Ok(Self::default());
        }
        if entries.len() != steps.len() + 1 {
            let numbers = steps.len() + 1;
            return Err(ColumnsError::Lengths { numbers, entries: entries.len() });
        }
        let mut columns = Self::default();
        let mut number = first_number;
        for (place, &entry) in entries.iter().enumerate() {
            if place > 0 {
                number = number.saturating_add(u64::from(steps[place - 1]));
            }
            if entry as usize >= dictionary_length {
                return Err(ColumnsError::Entry { entry, length: dictionary_length });
            }
            columns.push(number, entry)?;
        }
        Ok(columns)
    }

    /// Gives the packed form: the first number (0 where there is none), and the steps after it.
    #[must_use]
    pub fn pack(&self) -> (u64, Vec<u32>) {
        let step = |pair: &[u64]| {
            u32::try_from(pair[1] - pair[0]).expect("push admits only steps of 32 bits")
        };
        let first = self.numbers.first().copied().unwrap_or_default();
        (first, self.numbers.windows(2).map(step).collect())
    }

    /// Gives the numbers, ascending.
    #[must_use]
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// Gives the entries, one for each number.
    #[must_use]
    pub fn entries(&self) -> &[u32] {
        &self.entries
    }

    /// Gives the entry of a number.
    #[must_use]
    pub fn entry_of(&self, number: u64) -> Option<u32> {
        let place = self.numbers.binary_search(&number).ok()?;
        self.entries.get(place).copied()
    }

    /// Gives pairs of number and entry.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.numbers.iter().copied().zip(self.entries.iter().copied())
    }

    /// Tells how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_unpack_to_what_was_packed() {
        let mut columns = Columns::default();
        for (number, entry) in [(7, 0), (8, 1), (1_000_000, 0)] {
            columns.push(number, entry).unwrap();
        }
        let (first, steps) = columns.pack();
        let again = Columns::unpack(first, &steps, columns.entries(), 2).unwrap();
        assert_eq!(again, columns);
        assert_eq!(again.entry_of(8), Some(1));
        assert_eq!(again.entry_of(9), None);
        assert_eq!(Columns::unpack(0, &[], &[], 0), Ok(Columns::default()));
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let mut columns = Columns::default();
        columns.push(7, 0).unwrap();
        assert_eq!(columns.push(7, 0), Err(ColumnsError::Order { before: 7, number: 7 }));
        let far = 7 + (1 << 33);
        assert_eq!(columns.push(far, 0), Err(ColumnsError::Step { before: 7, number: far }));
        let lengths = ColumnsError::Lengths { numbers: 2, entries: 1 };
        assert_eq!(Columns::unpack(1, &[1], &[0], 1), Err(lengths));
        let order = ColumnsError::Order { before: 1, number: 1 };
        assert_eq!(Columns::unpack(1, &[0], &[0, 0], 1), Err(order));
        let entry = ColumnsError::Entry { entry: 1, length: 1 };
        assert_eq!(Columns::unpack(1, &[], &[1], 1), Err(entry));
    }
}
