//! Bytes of what is owed, and the digest over everyone, that an approval is bound to.
//!
//! The bytes depend on what is owed alone: not on the trace, the chunk size or the layout of these types. All integers
//! are big-endian. Texts are a length of four bytes, then UTF-8.
//!
//! | part | bytes |
//! | --- | --- |
//! | head | number of remedies, 4 |
//! | remedy, in ascending order of its own bytes | its length, 4; then kind, payer, grant, each as below |
//! | kind | text: `indemnity`, `refund`, `damages`, `goodwill` |
//! | payer | text: `operator`, `fund` |
//! | grant | text of its type, then its figures |
//! | money, credit, voucher | minor units, 8 signed; currency, text |
//! | term | months, 4; days, 4; new end as text `2024-02-29`, empty where it is not known |
//! | quota | bytes, 8 |

use sha2::{Digest as _, Sha256};

use crate::remedy::{Grant, Remedy};

/// Gives the canonical bytes of what one subscription is owed.
#[must_use]
pub fn canonical(remedies: &[Remedy]) -> Vec<u8> {
    let mut encoded: Vec<Vec<u8>> = remedies.iter().map(encode).collect();
    encoded.sort();
    let mut bytes = Vec::new();
    write_length(&mut bytes, encoded.len());
    for remedy in encoded {
        write_length(&mut bytes, remedy.len());
        bytes.extend(remedy);
    }
    bytes
}

/// SHA-256 over (number, canonical remedies) of everyone in number order.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    hash: Sha256,
    last: Option<u64>,
}

/// A number came again or out of order, which would make the digest depend on who computes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("number {number} is not after {last}: feed the digest in number order, each number once")]
pub struct OutOfOrder {
    /// The number that came last.
    pub last: u64,
    /// The number that cannot follow it.
    pub number: u64,
}

impl Digest {
    /// Makes the digest of nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one subscription by its number and its canonical bytes, zeros too.
    ///
    /// # Errors
    /// `OutOfOrder` where the number is not greater than the last.
    pub fn push(&mut self, number: u64, canonical: &[u8]) -> Result<(), OutOfOrder> {
        if let Some(last) = self.last.filter(|last| number <= *last) {
            return Err(OutOfOrder { last, number });
        }
        self.last = Some(number);
        self.hash.update(number.to_be_bytes());
        self.hash.update(canonical);
        Ok(())
    }

    /// Gives the digest.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.hash.finalize().into()
    }
}

fn encode(remedy: &Remedy) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_text(&mut bytes, remedy.kind.name());
    write_text(&mut bytes, remedy.payer.name());
    write_text(&mut bytes, remedy.grant.type_name());
    match &remedy.grant {
        Grant::Money(money) | Grant::Credit(money) | Grant::Voucher(money) => {
            bytes.extend(money.minor.to_be_bytes());
            write_text(&mut bytes, money.currency.code());
        }
        Grant::Term { months, days, new_end } => {
            bytes.extend(months.to_be_bytes());
            bytes.extend(days.to_be_bytes());
            write_text(&mut bytes, &new_end.map_or_else(String::new, |end| end.to_string()));
        }
        Grant::Quota { bytes: quota } => bytes.extend(quota.to_be_bytes()),
    }
    bytes
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn write_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Money};
    use crate::remedy::{Payer, RemedyKind};

    fn remedy(grant: Grant) -> Remedy {
        Remedy { kind: RemedyKind::Indemnity, grant, payer: Payer::Operator }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Golden bytes: an approval from last year must still verify.
    #[test]
    fn the_bytes_are_fixed() {
        let money = remedy(Grant::Money(Money::new(3000, Currency::EUR)));
        let expected = concat!(
            "00000001",
            "00000031",
            "00000009696e64656d6e697479",
            "000000086f70657261746f72",
            "000000056d6f6e6579",
            "0000000000000bb8",
            "00000003455552"
        );
        assert_eq!(hex(&canonical(std::slice::from_ref(&money))), expected);
        assert_eq!(hex(&canonical(&[])), "00000000");
        let mut digest = Digest::new();
        digest.push(1, &canonical(&[money])).unwrap();
        digest.push(7, &canonical(&[])).unwrap();
        assert_eq!(
            hex(&digest.finish()),
            "04e501ca93de4cb39376784ed57946cbc4290693b56c687d8dfe548d703a4dc9"
        );
    }

    #[test]
    fn the_order_of_remedies_is_not_seen_and_that_of_numbers_is_fixed() {
        let money = remedy(Grant::Money(Money::new(3000, Currency::EUR)));
        let quota = remedy(Grant::Quota { bytes: 7 });
        let term = remedy(Grant::Term { months: 6, days: 0, new_end: None });
        let all = [money.clone(), quota.clone(), term.clone()];
        assert_eq!(canonical(&all), canonical(&[term, money, quota]));
        let mut digest = Digest::new();
        digest.push(7, &[]).unwrap();
        assert_eq!(digest.push(7, &[]), Err(OutOfOrder { last: 7, number: 7 }));
        assert_eq!(digest.push(3, &[]), Err(OutOfOrder { last: 7, number: 3 }));
    }
}
