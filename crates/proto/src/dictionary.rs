//! One entry of a chunk's dictionary, without decoding the others.

use bytes::Bytes;
use prost::Message;

/// The dictionary of `EntitlementsDecided`, `PayoutsOrdered` and their kin: field 1 of each, whose messages and bytes have one
/// form on the wire.
#[derive(Clone, PartialEq, Message)]
struct Dictionary {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    entries: Vec<Bytes>,
}

/// Decodes the entry at a place from 0; none where the dictionary has fewer.
///
/// # Errors
/// Where these bytes are no such message.
pub fn entry<M: Message + Default>(
    encoded: impl Into<Bytes>,
    place: usize,
) -> Result<Option<M>, prost::DecodeError> {
    let dictionary = Dictionary::decode(encoded.into())?;
    dictionary.entries.into_iter().nth(place).map(M::decode).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eligibility::v1::EntitlementsDecided;
    use crate::log::v1::{Reason, TraceLine};

    #[test]
    fn an_entry_is_the_one_that_the_whole_message_has() {
        let rule = |rule: &str| TraceLine { rule: rule.to_owned(), ..TraceLine::default() };
        let reason = |lines: &[&str]| Reason {
            trace: lines.iter().map(|line| rule(line)).collect(),
            ..Reason::default()
        };
        let reasons = vec![reason(&[]), reason(&["a", "b"]), reason(&["c"])];
        let message = EntitlementsDecided { reasons: reasons.clone(), ..Default::default() };
        let encoded = message.encode_to_vec();
        let found = |place| entry::<Reason>(encoded.clone(), place).unwrap();
        assert_eq!((0..3).map(|place| found(place).unwrap()).collect::<Vec<_>>(), reasons);
        assert_eq!(found(3), None);
        assert!(entry::<Reason>(vec![0xff], 0).is_err());
    }
}
