//! Texts, ids and counts with their limits.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use tonic::Status;
use uuid::Uuid;

use crate::status::invalid;

/// How long an id may be, in characters: a provider's own or one of ours.
pub const MAXIMUM_ID: usize = 200;

/// Reads a required text of `length` characters, without control characters but line breaks and tabs.
///
/// # Errors
/// INVALID_ARGUMENT naming `field` and its limit. The text itself is not repeated: it may be personal.
pub fn text<'a>(
    field: &str,
    value: &'a str,
    length: RangeInclusive<usize>,
) -> Result<&'a str, Status> {
    let (least, most) = (*length.start(), *length.end());
    if value.is_empty() && least > 0 {
        return Err(invalid(field, format!("is missing: write {least} to {most} characters")));
    }
    let characters = value.chars().count();
    if !length.contains(&characters) {
        let problem = format!("has {characters} characters: write {least} to {most}");
        return Err(invalid(field, problem));
    }
    let unprintable = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if value.contains(unprintable) {
        return Err(invalid(field, "has a control character: write printable text"));
    }
    Ok(value)
}

/// Reads a text of at most `most` characters; none where it is empty.
///
/// # Errors
/// As for `text`.
pub fn optional_text<'a>(
    field: &str,
    value: &'a str,
    most: usize,
) -> Result<Option<&'a str>, Status> {
    if value.is_empty() { Ok(None) } else { text(field, value, 1..=most).map(Some) }
}

/// Reads a required id: 1 to 200 characters without white space at its ends and without control characters.
///
/// # Errors
/// INVALID_ARGUMENT naming `field`.
pub fn id<'a>(field: &str, value: &'a str) -> Result<&'a str, Status> {
    text(field, value, 1..=MAXIMUM_ID)?;
    let spaced = value.trim() != value || value.contains(char::is_control);
    if spaced || value == "." || value == ".." {
        return Err(invalid(field, "is no id: write it without line breaks or spaces at its ends"));
    }
    Ok(value)
}

/// Reads a required UUID; the nil one is refused, for it is what a forgotten field looks like.
///
/// # Errors
/// INVALID_ARGUMENT naming `field`.
pub fn uuid(field: &str, value: &str) -> Result<Uuid, Status> {
    if value.is_empty() {
        let problem = "is missing: write a UUID of your choice, the same one on every retry";
        return Err(invalid(field, problem));
    }
    match Uuid::try_parse(value) {
        Ok(read) if !read.is_nil() => Ok(read),
        Ok(_) | Err(_) => Err(invalid(
            field,
            "is no UUID: write one such as 6f9619ff-8b86-4011-b42d-00c04fc964ff",
        )),
    }
}

/// Checks how many items a repeated field has.
///
/// # Errors
/// INVALID_ARGUMENT naming `field` and its limit.
pub fn count(field: &str, items: usize, allowed: RangeInclusive<usize>) -> Result<(), Status> {
    if allowed.contains(&items) {
        return Ok(());
    }
    let problem = format!("has {items} items: write {} to {}", allowed.start(), allowed.end());
    Err(invalid(field, problem))
}

/// Writes bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

/// Reads a digest: 64 hexadecimal digits.
///
/// # Errors
/// INVALID_ARGUMENT naming `field`.
pub fn digest(field: &str, value: &str) -> Result<[u8; 32], Status> {
    let bad = || invalid(field, "is no digest: write the 64 hexadecimal digits that were shown");
    if value.len() != 64 || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(value.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_counted_in_characters_and_stated() {
        assert!(text("reason", "übel", 1..=4).is_ok());
        let status = text("reason", "übels", 1..=4).unwrap_err();
        assert_eq!(status.message(), "reason: has 5 characters: write 1 to 4");
        assert!(text("reason", "", 1..=4).is_err());
        assert!(text("reason", "a\u{7}b", 1..=4).is_err());
        assert_eq!(optional_text("note", "", 4).unwrap(), None);
        assert!(count("items", 0, 1..=3).is_err() && count("items", 3, 1..=3).is_ok());
    }

    #[test]
    fn ids_and_uuids_are_checked() {
        assert!(id("outage", "libero-2023-01").is_ok());
        for bad in ["", " a", "a\n", "..", &"x".repeat(201)] {
            assert!(id("outage", bad).is_err(), "{bad:?}");
        }
        assert!(uuid("request_id", "6f9619ff-8b86-4011-b42d-00c04fc964ff").is_ok());
        for bad in ["", "00000000-0000-0000-0000-000000000000", "6f9619ff"] {
            assert!(uuid("request_id", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_digest_reads_back() {
        let bytes = [0xab; 32];
        assert_eq!(digest("digest", &hex(&bytes)).unwrap(), bytes);
        assert!(digest("digest", "ab").is_err() && digest("digest", &"g".repeat(64)).is_err());
    }
}
