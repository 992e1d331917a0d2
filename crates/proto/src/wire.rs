//! How domain events become payload bytes, and back.

use bytes::Bytes;

/// Why a payload is not the event that its envelope names.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The bytes are no message of that type.
    #[error("the payload is no {kind}: {source}")]
    Undecodable {
        /// The message's name.
        kind: String,
        /// What the decoder says.
        source: prost::DecodeError,
    },
    /// No event of this stream has that name.
    #[error("{kind:?} is not an event of this stream: a newer program wrote it")]
    UnknownKind {
        /// The name in the envelope.
        kind: String,
    },
    /// A field has a value that no writer of ours gives it.
    #[error("the {kind}'s field {field} {problem}")]
    Field {
        /// The message's name.
        kind: &'static str,
        /// The field's path.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// An event that can stand on the log. Encoding is deterministic: no maps, no unknown fields.
pub trait Wire: Sized {
    /// Gives the payload's message name, as in `Envelope.type`.
    fn kind(&self) -> &'static str;

    /// Encodes the payload.
    fn encode(&self) -> Bytes;

    /// Decodes the payload of an envelope whose type is `kind`.
    ///
    /// # Errors
    /// `UnknownKind`, `Undecodable`, `Field`: the record is poison for whoever must fold it.
    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError>;
}

/// Decodes a payload as the message that its envelope names.
///
/// # Errors
/// `Undecodable` where the bytes are no such message.
pub fn decode_message<M: prost::Message + Default>(
    kind: &str,
    payload: &Bytes,
) -> Result<M, WireError> {
    M::decode(payload.clone())
        .map_err(|source| WireError::Undecodable { kind: kind.to_owned(), source })
}
