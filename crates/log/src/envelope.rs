//! The envelope of an event: who wrote it, on what it was decided, and its payload's bytes.

use std::fmt;

use bytes::Bytes;
use prost::Message;
use ristoro_domain::time::Instant;
use ristoro_proto::log::v1 as wire;
use uuid::Uuid;

use crate::position::Position;

/// What led to a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// An accepted record.
    Log(Position),
    /// A client's command, by its request_id.
    Command(Uuid),
    /// One attempt to own an effect.
    Claim(Uuid),
}

/// A record's content. See `envelope.proto`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// The event's id.
    pub event_id: Uuid,
    /// The stream that it belongs to.
    pub stream: String,
    /// Its place in the stream, from 1.
    pub version: u64,
    /// The event id that it was decided on; nil at version 1.
    pub previous: Uuid,
    /// The payload's message, such as `OutageDeclared`.
    pub kind: String,
    /// Business time.
    pub occurred_at: Instant,
    /// What led to it.
    pub cause: Cause,
    /// The client's request_id, where a command wrote it.
    pub command_id: Option<Uuid>,
    /// Who asked; empty for a derived event.
    pub actor: String,
    /// W3C trace context; may be empty.
    pub traceparent: String,
    /// The encoded payload.
    pub payload: Bytes,
}

/// Why bytes are no envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The bytes are no protobuf message of this shape.
    #[error("the record is no envelope: {0}")]
    Undecodable(#[from] prost::DecodeError),
    /// A field is missing or malformed.
    #[error("the envelope's {field} is missing or malformed")]
    Field {
        /// The field's name.
        field: &'static str,
    },
}

/// The namespace of derived event ids.
const EVENT_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_9b0e_3c52_4f6a_9a55_0d1e_7a3c_11e5);

/// Derives an event's id from its stream, version and cause, so that a repeated append is recognised as one.
#[must_use]
pub fn derived_event_id(stream: &str, version: u64, cause: &Cause) -> Uuid {
    let name = format!("{stream}\n{version}\n{cause}");
    Uuid::new_v5(&EVENT_NAMESPACE, name.as_bytes())
}

impl fmt::Display for Cause {
    /// As it stands in a record, and as event ids are derived from it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(position) => write!(formatter, "log:{position}"),
            Self::Command(id) => write!(formatter, "command:{id}"),
            Self::Claim(id) => write!(formatter, "claim:{id}"),
        }
    }
}

fn parse_cause(text: &str) -> Option<Cause> {
    let (kind, value) = text.split_once(':')?;
    match kind {
        "log" => value.parse().ok().map(Cause::Log),
        "command" => value.parse().ok().map(Cause::Command),
        "claim" => value.parse().ok().map(Cause::Claim),
        _ => None,
    }
}

impl Envelope {
    /// Encodes the record's value.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let second = self.occurred_at.as_second();
        let nanos = self.occurred_at.subsec_nanosecond();
        // jiff's sign convention differs before 1970; protobuf wants non-negative nanos.
        let (seconds, nanos) =
            if nanos < 0 { (second - 1, nanos + 1_000_000_000) } else { (second, nanos) };
        let message = wire::Envelope {
            event_id: Bytes::copy_from_slice(self.event_id.as_bytes()),
            stream: self.stream.clone(),
            version: self.version,
            previous: Bytes::copy_from_slice(self.previous.as_bytes()),
            r#type: self.kind.clone(),
            occurred_at: Some(prost_types::Timestamp { seconds, nanos }),
            cause: self.cause.to_string(),
            command_id: self
                .command_id
                .map_or_else(Bytes::new, |id| Bytes::copy_from_slice(id.as_bytes())),
            actor: self.actor.clone(),
            traceparent: self.traceparent.clone(),
            payload: self.payload.clone(),
        };
        message.encode_to_vec().into()
    }

    /// Decodes a record's value.
    ///
    /// # Errors
    /// `Undecodable` for foreign bytes, `Field` for a field that no writer of ours leaves out.
    pub fn decode(value: Bytes) -> Result<Self, EnvelopeError> {
        let message = wire::Envelope::decode(value)?;
        let id = |bytes: &[u8], field| {
            Uuid::from_slice(bytes).map_err(|_| EnvelopeError::Field { field })
        };
        let time = message.occurred_at.ok_or(EnvelopeError::Field { field: "occurred_at" })?;
        if message.stream.is_empty() || message.version == 0 {
            return Err(EnvelopeError::Field { field: "stream or version" });
        }
        Ok(Self {
            event_id: id(&message.event_id, "event_id")?,
            version: message.version,
            previous: id(&message.previous, "previous")?,
            kind: message.r#type,
            occurred_at: Instant::new(time.seconds, time.nanos)
                .map_err(|_| EnvelopeError::Field { field: "occurred_at" })?,
            cause: parse_cause(&message.cause).ok_or(EnvelopeError::Field { field: "cause" })?,
            command_id: match message.command_id.is_empty() {
                true => None,
                false => Some(id(&message.command_id, "command_id")?),
            },
            stream: message.stream,
            actor: message.actor,
            traceparent: message.traceparent,
            payload: message.payload,
        })
    }
}
