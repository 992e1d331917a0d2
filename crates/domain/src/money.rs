//! Money as int64 minor units with an ISO 4217 currency.

mod currencies;
mod split;

use std::fmt;
use std::str::FromStr;

use currencies::exponent_of;

/// An ISO 4217 alphabetic currency code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro.
    pub const EUR: Currency = Currency(*b"EUR");

    /// Gives the number of minor digits: 2 for EUR, 0 for JPY, 3 for KWD, 4 for CLF.
    #[must_use]
    pub fn exponent(self) -> u32 {
        exponent_of(self.0).expect("only currencies of the table are constructed")
    }

    /// Gives the three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII codes are constructed")
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let code: Option<[u8; 3]> = text.as_bytes().try_into().ok();
        code.filter(|code| exponent_of(*code).is_some())
            .map(Currency)
            .ok_or_else(|| MoneyError::UnknownCurrency { text: text.to_owned() })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// An amount in minor units (cents for EUR) of one currency. May be negative where an adjustment is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Money {
    /// Minor units: 19.99 EUR is 1999.
    pub minor: i64,
    /// The currency that the minor units are of.
    pub currency: Currency,
}

/// What can be wrong with an amount or a currency.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoneyError {
    /// The code is not in the table of currencies.
    #[error("unknown currency {text:?}: use an ISO 4217 code such as EUR")]
    UnknownCurrency {
        /// What was given.
        text: String,
    },
    /// The text is not a plain decimal with at most the currency's digits.
    #[error(
        "{text:?} is not an amount in {currency}: write digits, a point and at most {exponent} decimals"
    )]
    NotAnAmount {
        /// What was given.
        text: String,
        /// The currency that it was read in.
        currency: Currency,
        /// The currency's minor digits.
        exponent: u32,
    },
    /// The sum does not fit in 64 bits.
    #[error("the amount is out of range of 64-bit minor units")]
    OutOfRange,
    /// An amount was to be split among nobody.
    #[error("the amount has no parts to be split among: give at least one weight above 0")]
    NoParts,
    /// Two currencies met in one sum.
    #[error("cannot add {right} to {left}: convert one of them first")]
    CurrencyMismatch {
        /// The currency of the left side.
        left: Currency,
        /// The currency of the right side.
        right: Currency,
    },
}

impl Money {
    /// Makes an amount of `minor` units.
    #[must_use]
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads `"19.99"` in the given currency.
    ///
    /// # Errors
    /// `NotAnAmount` for anything but an optional minus, digits and at most the currency's decimals; `OutOfRange`.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        let bad = || MoneyError::NotAnAmount { text: text.to_owned(), currency, exponent };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let misplaced_point = digits.contains('.') && fraction.is_empty();
        if whole.is_empty() || misplaced_point || !all_digits(whole) || !all_digits(fraction) {
            return Err(bad());
        }
        let missing = (exponent as usize).checked_sub(fraction.len()).ok_or_else(bad)?;
        let joined = format!("{whole}{fraction}{}", "0".repeat(missing));
        let magnitude: i64 = joined.parse().map_err(|_| MoneyError::OutOfRange)?;
        Ok(Self::new(if negative { -magnitude } else { magnitude }, currency))
    }

    /// Adds an amount of the same currency.
    ///
    /// # Errors
    /// `CurrencyMismatch`, `OutOfRange`.
    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            });
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(Money::new(minor, self.currency))
    }

    /// Gives the plain decimal without the currency: `"19.99"`, `"-0.05"`, `"1235"` for JPY.
    #[must_use]
    pub fn decimal(self) -> String {
        let exponent = self.currency.exponent() as usize;
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, fraction) = digits.split_at(digits.len() - exponent);
        if exponent == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str, minor: i64) {
        let money = Money::parse(text, code.parse().unwrap()).unwrap();
        assert_eq!(money.minor, minor);
        assert_eq!(Money::parse(&money.decimal(), money.currency), Ok(money));
    }

    #[test]
    fn amounts_read_and_print_in_their_currency_s_digits() {
        check("19.99", "EUR", 1999);
        check("-0.05", "EUR", -5);
        check("7", "EUR", 700);
        check("1235", "JPY", 1235);
        check("1.234", "KWD", 1234);
        check("1.2345", "CLF", 12345);
        check("37.0", "UYW", 370_000);
    }

    #[test]
    fn what_iso_4217_gives_no_minor_unit_is_no_currency() {
        for text in ["XAU", "XDR", "XXX", "XTS", "EURO", "eur", "EU", ""] {
            assert!(text.parse::<Currency>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", "1.999", "1,99", "+1", "1e3", " 1", "--1", "£1"] {
            assert!(Money::parse(text, Currency::EUR).is_err(), "{text:?}");
        }
        assert_eq!(
            Money::parse("92233720368547758.08", Currency::EUR),
            Err(MoneyError::OutOfRange)
        );
    }
}
