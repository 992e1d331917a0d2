//! Exact fractions of minor units, and the one place where they are rounded.

use std::fmt;

/// How a fraction becomes a whole number. Ties and directions are by magnitude, so -1.5 half-up is -2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RoundingMode {
    /// To the nearest; a tie goes away from zero.
    HalfUp,
    /// To the nearest; a tie goes to the even neighbour.
    HalfEven,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
}

/// An exact fraction in lowest terms; the denominator is positive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Exact {
    numerator: i128,
    denominator: i128,
}

/// The figure does not fit the range that is calculated with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the figure is out of the range of exact arithmetic")]
pub struct OutOfRange;

impl Exact {
    /// Nothing.
    pub const ZERO: Exact = Exact { numerator: 0, denominator: 1 };
    /// One whole.
    pub const ONE: Exact = Exact { numerator: 1, denominator: 1 };

    /// Makes a whole number.
    #[must_use]
    pub fn whole(value: i64) -> Self {
        Self { numerator: i128::from(value), denominator: 1 }
    }

    /// Makes a fraction.
    ///
    /// # Errors
    /// `OutOfRange` where the denominator is zero or a sign cannot be turned.
    pub fn ratio(numerator: i128, denominator: i128) -> Result<Self, OutOfRange> {
        if denominator == 0 {
            return Err(OutOfRange);
        }
        let divisor = greatest_common_divisor(numerator, denominator)?;
        let sign = if denominator < 0 { -1 } else { 1 };
        let shrink = |value: i128| (value / divisor).checked_mul(sign).ok_or(OutOfRange);
        Ok(Self { numerator: shrink(numerator)?, denominator: shrink(denominator)? })
    }

    /// Reads a plain decimal such as `"0.25"`, exactly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let misplaced_point = digits.contains('.') && fraction.is_empty();
        let too_long = digits.len() > 18;
        let odd = !all_digits(whole) || !all_digits(fraction);
        if whole.is_empty() || misplaced_point || too_long || odd {
            return None;
        }
        let magnitude: i128 = format!("{whole}{fraction}").parse().ok()?;
        let denominator = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        Self::ratio(if negative { -magnitude } else { magnitude }, denominator).ok()
    }

    /// Gives numerator and denominator in lowest terms.
    #[must_use]
    pub fn parts(self) -> (i128, i128) {
        (self.numerator, self.denominator)
    }

    /// Adds.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn plus(self, other: Exact) -> Result<Exact, OutOfRange> {
        let left = self.numerator.checked_mul(other.denominator).ok_or(OutOfRange)?;
        let right = other.numerator.checked_mul(self.denominator).ok_or(OutOfRange)?;
        let denominator = self.denominator.checked_mul(other.denominator).ok_or(OutOfRange)?;
        Self::ratio(left.checked_add(right).ok_or(OutOfRange)?, denominator)
    }

    /// Subtracts.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn minus(self, other: Exact) -> Result<Exact, OutOfRange> {
        let numerator = other.numerator.checked_neg().ok_or(OutOfRange)?;
        self.plus(Exact { numerator, denominator: other.denominator })
    }

    /// Multiplies.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn times(self, other: Exact) -> Result<Exact, OutOfRange> {
        let numerator = self.numerator.checked_mul(other.numerator).ok_or(OutOfRange)?;
        let denominator = self.denominator.checked_mul(other.denominator).ok_or(OutOfRange)?;
        Self::ratio(numerator, denominator)
    }

    /// Divides by a whole number.
    ///
    /// # Errors
    /// `OutOfRange`, also for zero.
    pub fn over(self, divisor: i64) -> Result<Exact, OutOfRange> {
        let divisor = i128::from(divisor);
        Self::ratio(self.numerator, self.denominator.checked_mul(divisor).ok_or(OutOfRange)?)
    }

    /// Compares with another fraction.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn is_above(self, other: Exact) -> Result<bool, OutOfRange> {
        Ok(self.minus(other)?.numerator > 0)
    }

    /// Rounds to a whole number.
    ///
    /// # Errors
    /// `OutOfRange` where it does not fit 64 bits.
    pub fn round(self, mode: RoundingMode) -> Result<i64, OutOfRange> {
        let magnitude = self.numerator.unsigned_abs();
        let denominator = self.denominator.unsigned_abs();
        let (floor, rest) = (magnitude / denominator, magnitude % denominator);
        let above_half = rest > denominator - rest;
        let tie = rest == denominator - rest;
        let up = match mode {
            RoundingMode::HalfUp => above_half || tie,
            RoundingMode::HalfEven => above_half || (tie && floor % 2 == 1),
            RoundingMode::Up => rest > 0,
            RoundingMode::Down => false,
        };
        let rounded = i64::try_from(floor + u128::from(up)).map_err(|_| OutOfRange)?;
        Ok(if self.numerator < 0 { -rounded } else { rounded })
    }

    /// Writes minor units as an amount of a currency with `exponent` digits: 3000 cents are `30.00`. Parts of a minor
    /// unit follow; a fraction that never ends is written as `numerator/denominator`.
    #[must_use]
    pub fn amount(self, exponent: u32) -> String {
        let shifted = 10_i128.checked_pow(exponent).and_then(|power| {
            Self::ratio(self.numerator, self.denominator.checked_mul(power)?).ok()
        });
        let text = shifted.unwrap_or(self).to_string();
        if text.contains('/') {
            return text;
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let point = if exponent == 0 && fraction.is_empty() { "" } else { "." };
        format!("{whole}{point}{fraction:0<width$}", width = exponent as usize)
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = (0..=18_u32).find(|places| 10_i128.pow(*places) % self.denominator == 0);
        let digits = places.and_then(|places| {
            let factor = 10_i128.pow(places) / self.denominator;
            Some((self.numerator.unsigned_abs().checked_mul(factor.unsigned_abs())?, places))
        });
        let Some((digits, places)) = digits else {
            return write!(formatter, "{}/{}", self.numerator, self.denominator);
        };
        let places = places as usize;
        let sign = if self.numerator < 0 { "-" } else { "" };
        let padded = format!("{digits:0width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        let point = if places == 0 { "" } else { "." };
        write!(formatter, "{sign}{whole}{point}{fraction}")
    }
}

fn greatest_common_divisor(left: i128, right: i128) -> Result<i128, OutOfRange> {
    let (mut left, mut right) = (left.unsigned_abs(), right.unsigned_abs());
    while right != 0 {
        (left, right) = (right, left % right);
    }
    i128::try_from(left.max(1)).map_err(|_| OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numerator: i128, denominator: i128, mode: RoundingMode, rounded: i64) {
        assert_eq!(Exact::ratio(numerator, denominator).unwrap().round(mode), Ok(rounded));
    }

    /// Worked example G1: 1.225 EUR, 1,234.5 JPY and 1.2345 KWD, in minor units.
    #[test]
    fn g1_ties_go_up_or_to_the_even_neighbour() {
        for (numerator, denominator, half_up, half_even) in
            [(1225, 10, 123, 122), (12345, 10, 1235, 1234), (-1225, 10, -123, -122)]
        {
            check(numerator, denominator, RoundingMode::HalfUp, half_up);
            check(numerator, denominator, RoundingMode::HalfEven, half_even);
        }
        check(12345, 10, RoundingMode::Up, 1235);
        check(12345, 10, RoundingMode::Down, 1234);
        check(1, 3, RoundingMode::Up, 1);
        check(-1, 3, RoundingMode::Down, 0);
    }

    #[test]
    fn decimals_are_read_and_written_exactly() {
        for text in ["0", "6.00", "0.25", "-1.5", "1234567.891"] {
            let exact = Exact::parse(text).unwrap();
            assert_eq!(Exact::parse(&exact.to_string()), Some(exact), "{text}");
        }
        for text in ["", ".5", "1.", "1e3", "+1", "1,5", "--1", "12345678901234567890"] {
            assert_eq!(Exact::parse(text), None, "{text}");
        }
        assert_eq!(
            Exact::whole(1999).times(Exact::ratio(5, 365).unwrap()).unwrap().amount(2),
            "1999/7300"
        );
        assert_eq!(Exact::whole(3000).amount(2), "30.00");
        assert_eq!(Exact::whole(5).amount(2), "0.05");
        assert_eq!(Exact::ratio(12345, 10).unwrap().amount(0), "1234.5");
        assert_eq!(Exact::whole(1235).amount(0), "1235");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let huge = Exact::ratio(i128::MAX, 1).unwrap();
        assert_eq!(huge.plus(Exact::ONE), Err(OutOfRange));
        assert_eq!(huge.round(RoundingMode::HalfUp), Err(OutOfRange));
        assert_eq!(Exact::ONE.over(0), Err(OutOfRange));
    }
}
