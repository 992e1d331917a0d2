//! Exact fractions of cents, as plain as can be.

use std::ops::{Add, Mul};

/// A fraction; the lower part is positive.
#[derive(Clone, Copy, Debug)]
pub struct Fraction(pub i128, pub i128);

impl Fraction {
    /// A whole number.
    pub fn whole(number: i128) -> Self {
        Self(number, 1)
    }

    /// Half up, for what is not negative.
    pub fn half_up(self) -> i128 {
        (2 * self.0 + self.1) / (2 * self.1)
    }

    /// Whether it is more than another.
    pub fn exceeds(self, other: Fraction) -> bool {
        self.0 * other.1 > other.0 * self.1
    }

    /// The greater of two.
    pub fn or_more(self, other: Fraction) -> Fraction {
        if other.exceeds(self) { other } else { self }
    }
}

impl Add for Fraction {
    type Output = Fraction;

    fn add(self, other: Fraction) -> Fraction {
        shortened(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
    }
}

impl Mul for Fraction {
    type Output = Fraction;

    fn mul(self, other: Fraction) -> Fraction {
        shortened(self.0 * other.0, self.1 * other.1)
    }
}

fn shortened(over: i128, under: i128) -> Fraction {
    let (mut left, mut right) = (over.abs(), under);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    let divisor = left.max(1);
    Fraction(over / divisor, under / divisor)
}
