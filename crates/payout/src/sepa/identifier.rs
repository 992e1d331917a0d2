//! Identifiers of payment files, their blocks and payout attempts: deterministic and reversible.
//!
//! ISO 20022 gives each 35 characters. All of ours are letters, digits and at most one hyphen, so
//! the rules about slashes hold by construction.
//!
//! | identifier | form | characters |
//! | --- | --- | --- |
//! | `MsgId` | the file's UUID as 32 hexadecimal digits | 32 |
//! | `PmtInfId` | the same and the block's number, `001` to `999` | 35 |
//! | `EndToEndId` | assessment (22), subscription number (11), attempt (1), check character (1) | 35 |
//!
//! A bank's answer names nothing but the `EndToEndId`, and payouts stand in chunks without a row or
//! an index of their own. So it holds the whole key of the payout rather than a hash of it, in base
//! 62 (digits, capitals, small letters, in this order), each part padded with zeros to its width.
//! Base 36 would be safe from changes of case, but 192 bits do not fit in it; the check character
//! (Luhn modulo 62) therefore catches any single wrong character and most other damage, and
//! a damaged identifier is shown to a person rather than matched.
//!
//! The file is no part of the `EndToEndId`: a payout of a cancelled file goes into another one under
//! the same identifier, so that a bank which got both would see the duplicate. Only a retry, which
//! is the next attempt, changes it.

use uuid::Uuid;

/// Longest identifier. `Max35Text` of the schema.
pub const IDENTIFIER_LIMIT: usize = 35;
/// Most attempts of one payout: what one base-62 character can tell, zero excluded.
pub const ATTEMPT_LIMIT: u32 = 61;
/// Most payment blocks of one file: what three digits can tell.
pub const BLOCK_LIMIT: u32 = 999;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ASSESSMENT_WIDTH: usize = 22;
const NUMBER_WIDTH: usize = 11;
const BLOCK_WIDTH: usize = 3;
const FILE_WIDTH: usize = 32;

/// One attempt to pay one entitlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayoutAttempt {
    /// The assessment, or the claim whose pseudo-assessment granted it.
    pub assessment: Uuid,
    /// The subscription's number.
    pub number: u64,
    /// 1 for the order, one more for each retry.
    pub attempt: u32,
}

/// Why an identifier cannot be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierProblem {
    /// The attempt's number has no place in the identifier.
    #[error("attempt {attempt} is not 1 to {ATTEMPT_LIMIT}: settle this payout in another way")]
    Attempt {
        /// The attempt that was asked for.
        attempt: u32,
    },
    /// The block's number has no place in the identifier.
    #[error("block {block} is not 1 to {BLOCK_LIMIT}: put more transfers into a block")]
    Block {
        /// The block that was asked for.
        block: u32,
    },
    /// The text is not one of our identifiers, or was damaged on its way.
    #[error("{text:?} is not an identifier of ours, or was damaged: match it by hand")]
    Foreign {
        /// The text that was read.
        text: String,
    },
}

impl PayoutAttempt {
    /// The `EndToEndId` of this attempt.
    ///
    /// # Errors
    /// [`IdentifierProblem::Attempt`] for attempts outside 1 to [`ATTEMPT_LIMIT`].
    pub fn end_to_end_id(&self) -> Result<String, IdentifierProblem> {
        if self.attempt == 0 || self.attempt > ATTEMPT_LIMIT {
            return Err(IdentifierProblem::Attempt { attempt: self.attempt });
        }
        let mut text = String::with_capacity(IDENTIFIER_LIMIT);
        push_base62(&mut text, self.assessment.as_u128(), ASSESSMENT_WIDTH);
        push_base62(&mut text, u128::from(self.number), NUMBER_WIDTH);
        push_base62(&mut text, u128::from(self.attempt), 1);
        let check = check_character(&text).expect("text of the alphabet has a check character");
        text.push(check);
        Ok(text)
    }

    /// Reads an `EndToEndId` back, as a bank's answer gives it.
    ///
    /// # Errors
    /// [`IdentifierProblem::Foreign`] for anything that [`Self::end_to_end_id`] did not make.
    pub fn from_end_to_end_id(text: &str) -> Result<Self, IdentifierProblem> {
        read_attempt(text).ok_or_else(|| IdentifierProblem::Foreign { text: text.to_owned() })
    }
}

/// The `MsgId` of a payment file.
pub fn message_id(file: Uuid) -> String {
    file.simple().to_string()
}

/// Reads a `MsgId` back.
///
/// # Errors
/// [`IdentifierProblem::Foreign`] for anything that [`message_id`] did not make.
pub fn file_of_message_id(text: &str) -> Result<Uuid, IdentifierProblem> {
    read_file(text).ok_or_else(|| IdentifierProblem::Foreign { text: text.to_owned() })
}

/// The `PmtInfId` of a payment block; blocks count from 1.
///
/// # Errors
/// [`IdentifierProblem::Block`] for blocks outside 1 to [`BLOCK_LIMIT`].
pub fn block_id(file: Uuid, block: u32) -> Result<String, IdentifierProblem> {
    if block == 0 || block > BLOCK_LIMIT {
        return Err(IdentifierProblem::Block { block });
    }
    Ok(format!("{}{block:0BLOCK_WIDTH$}", file.simple()))
}

/// Reads a `PmtInfId` back: the file and the block's number.
///
/// # Errors
/// [`IdentifierProblem::Foreign`] for anything that [`block_id`] did not make.
pub fn file_and_block(text: &str) -> Result<(Uuid, u32), IdentifierProblem> {
    read_block(text).ok_or_else(|| IdentifierProblem::Foreign { text: text.to_owned() })
}

fn read_attempt(text: &str) -> Option<PayoutAttempt> {
    if text.len() != IDENTIFIER_LIMIT || !text.is_ascii() {
        return None;
    }
    let (body, check) = text.split_at(IDENTIFIER_LIMIT - 1);
    if !check.starts_with(check_character(body)?) {
        return None;
    }
    let (assessment, rest) = body.split_at(ASSESSMENT_WIDTH);
    let (number, attempt) = rest.split_at(NUMBER_WIDTH);
    let attempt = u32::try_from(read_base62(attempt)?).ok().filter(|attempt| *attempt > 0)?;
    Some(PayoutAttempt {
        assessment: Uuid::from_u128(read_base62(assessment)?),
        number: u64::try_from(read_base62(number)?).ok()?,
        attempt,
    })
}

fn read_file(text: &str) -> Option<Uuid> {
    let file = Uuid::try_parse(text).ok()?;
    // Uuid reads other notations too, which would not be what we wrote.
    (message_id(file) == text).then_some(file)
}

fn read_block(text: &str) -> Option<(Uuid, u32)> {
    if text.len() != FILE_WIDTH + BLOCK_WIDTH {
        return None;
    }
    let file = read_file(text.get(..FILE_WIDTH)?)?;
    let block = text.get(FILE_WIDTH..)?.parse().ok()?;
    (block_id(file, block).as_deref() == Ok(text)).then_some((file, block))
}

fn push_base62(text: &mut String, mut value: u128, width: usize) {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(value % 62) as usize];
        value /= 62;
    }
    debug_assert_eq!(value, 0, "the widths hold every value of their part");
    text.extend(digits.into_iter().map(char::from));
}

fn read_base62(text: &str) -> Option<u128> {
    let mut value = 0_u128;
    for byte in text.bytes() {
        value = value.checked_mul(62)?.checked_add(base62_value(byte)? as u128)?;
    }
    Some(value)
}

fn base62_value(byte: u8) -> Option<usize> {
    match byte {
        b'0'..=b'9' => Some(usize::from(byte - b'0')),
        b'A'..=b'Z' => Some(usize::from(byte - b'A') + 10),
        b'a'..=b'z' => Some(usize::from(byte - b'a') + 36),
        _ => None,
    }
}

/// Luhn's check modulo 62: every second value from the right is doubled and its base-62 digits
/// summed. It sees each single wrong character, since doubling permutes an even alphabet.
fn check_character(body: &str) -> Option<char> {
    let mut sum = 0;
    for (place, byte) in body.bytes().rev().enumerate() {
        let weighted = base62_value(byte)? * if place % 2 == 0 { 2 } else { 1 };
        sum += weighted / 62 + weighted % 62;
    }
    Some(char::from(ALPHABET[(62 - sum % 62) % 62]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ASSESSMENT: Uuid = Uuid::from_u128(0x5eed_0000_1111_4222_8333_4444_5555_6666);

    fn attempt(number: u64, attempt: u32) -> PayoutAttempt {
        PayoutAttempt { assessment: ASSESSMENT, number, attempt }
    }

    #[test]
    fn an_identifier_stays_what_it_was_when_it_was_first_sent() {
        let id = attempt(7, 1).end_to_end_id();
        assert_eq!(id.as_deref(), Ok("2t7aSQNaR9NVeMrHnGHaJa000000000071n"));
    }

    #[test]
    fn a_retry_changes_the_identifier() {
        assert_ne!(attempt(7, 1).end_to_end_id(), attempt(7, 2).end_to_end_id());
    }

    #[test]
    fn attempts_that_do_not_fit_are_refused() {
        for beyond in [0, 62, u32::MAX] {
            let expected = Err(IdentifierProblem::Attempt { attempt: beyond });
            assert_eq!(attempt(7, beyond).end_to_end_id(), expected);
        }
        assert!(attempt(u64::MAX, 61).end_to_end_id().is_ok());
    }

    #[test]
    fn files_and_blocks_are_read_back() {
        assert_eq!(file_of_message_id(&message_id(ASSESSMENT)), Ok(ASSESSMENT));
        let block = block_id(ASSESSMENT, 12).expect("12 is a block");
        assert_eq!(block, "5eed0000111142228333444455556666012");
        assert_eq!(file_and_block(&block), Ok((ASSESSMENT, 12)));
        assert_eq!(block_id(ASSESSMENT, 0), Err(IdentifierProblem::Block { block: 0 }));
        assert_eq!(block_id(ASSESSMENT, 1000), Err(IdentifierProblem::Block { block: 1000 }));
    }

    #[test]
    fn foreign_texts_are_refused() {
        for foreign in ["", "NOTPROVIDED", "ä", &"z".repeat(35), &"0".repeat(35)] {
            assert!(PayoutAttempt::from_end_to_end_id(foreign).is_err(), "{foreign:?}");
            assert!(file_of_message_id(foreign).is_err(), "{foreign:?}");
            assert!(file_and_block(foreign).is_err(), "{foreign:?}");
        }
        assert!(file_of_message_id(&ASSESSMENT.to_string()).is_err(), "hyphens are not ours");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            assessment in any::<u128>(), number in any::<u64>(), attempt in 1..=ATTEMPT_LIMIT,
        ) {
            let payout = PayoutAttempt { assessment: Uuid::from_u128(assessment), number, attempt };
            let id = payout.end_to_end_id().expect("the attempt is within the limit");
            prop_assert!(id.len() == IDENTIFIER_LIMIT && id.bytes().all(|b| b.is_ascii_alphanumeric()));
            prop_assert_eq!(PayoutAttempt::from_end_to_end_id(&id), Ok(payout));
        }

        #[test]
        fn a_single_wrong_character_is_noticed(
            number in any::<u64>(), place in 0..IDENTIFIER_LIMIT, value in 0..62_usize,
        ) {
            let id = attempt(number, 3).end_to_end_id().expect("3 is an attempt");
            let mut damaged = id.clone().into_bytes();
            damaged[place] = ALPHABET[value];
            let damaged = String::from_utf8(damaged).expect("the alphabet is ASCII");
            prop_assume!(damaged != id);
            prop_assert!(PayoutAttempt::from_end_to_end_id(&damaged).is_err());
        }
    }
}
