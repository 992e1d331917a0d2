//! One amount in parts that add up to it, by largest remainders.
//!
//! Each part is rounded down first; the minor units that are left go, one each, to the parts that lost most, and among
//! equals to the lowest number: 10.00 over three is 3.34, 3.33, 3.33.

use std::cmp::Reverse;

use super::{Money, MoneyError};

impl Money {
    /// Splits the amount by weights. A negative amount is split like its positive counterpart.
    ///
    /// # Errors
    /// `NoParts` where no weight is above zero.
    pub fn split(self, weights: &[u32]) -> Result<Vec<Money>, MoneyError> {
        let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
        if total == 0 {
            return Err(MoneyError::NoParts);
        }
        let amount = u128::from(self.minor.unsigned_abs());
        // 64 bits of amount times 32 of weight fit.
        let exact = |weight: &u32| amount * u128::from(*weight);
        let mut parts: Vec<u128> = weights.iter().map(|weight| exact(weight) / total).collect();
        let mut by_loss: Vec<usize> = (0..weights.len()).collect();
        by_loss.sort_by_key(|place| (Reverse(exact(&weights[*place]) % total), *place));
        let left = amount - parts.iter().sum::<u128>();
        let places = by_loss.into_iter().zip(0..left);
        places.for_each(|(place, _)| parts[place] += 1);
        let signed = |part: u128| {
            let part = if self.minor < 0 {
                0_i128.checked_sub_unsigned(part)
            } else {
                part.try_into().ok()
            };
            part.and_then(|part| i64::try_from(part).ok()).ok_or(MoneyError::OutOfRange)
        };
        let money = |part| signed(part).map(|minor| Money::new(minor, self.currency));
        parts.into_iter().map(money).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[track_caller]
    fn check(minor: i64, weights: &[u32], expected: &[i64]) {
        let parts = Money::new(minor, Currency::EUR).split(weights).unwrap();
        assert_eq!(parts.iter().map(|part| part.minor).collect::<Vec<_>>(), expected);
        assert_eq!(expected.iter().sum::<i64>(), minor);
    }

    #[test]
    fn parts_add_up_and_the_odd_cent_goes_to_the_lowest_number() {
        check(1000, &[1, 1, 1], &[334, 333, 333]);
        check(-1000, &[1, 1, 1], &[-334, -333, -333]);
        check(1001, &[1, 1, 1], &[334, 334, 333]);
        check(1000, &[1, 2], &[333, 667]);
        check(1000, &[0, 3, 0], &[0, 1000, 0]);
        check(1, &[1, 1, 1], &[1, 0, 0]);
        check(0, &[5, 7], &[0, 0]);
        check(i64::MIN, &[1], &[i64::MIN]);
        check(i64::MAX, &[u32::MAX, u32::MAX], &[i64::MAX / 2 + 1, i64::MAX / 2]);
    }

    #[test]
    fn nobody_is_no_part() {
        let split = |weights: &[u32]| Money::new(1, Currency::EUR).split(weights);
        assert_eq!(split(&[]), Err(MoneyError::NoParts));
        assert_eq!(split(&[0, 0]), Err(MoneyError::NoParts));
    }
}
