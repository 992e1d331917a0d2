//! Events of `ops/payouts` and `ops/skips`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::ops::{PayoutSwitchEvent, RecordSkipped};

use crate::types::bad;
use crate::wire::{Wire, WireError, decode_message};

pub use crate::generated::ristoro::ops::v1;

const STOPPED: &str = "PayoutsStopped";
const RESUMED: &str = "PayoutsResumed";
const SKIPPED: &str = "RecordSkipped";

impl Wire for PayoutSwitchEvent {
    fn kind(&self) -> &'static str {
        match self {
            PayoutSwitchEvent::PayoutsStopped { .. } => STOPPED,
            PayoutSwitchEvent::PayoutsResumed { .. } => RESUMED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            PayoutSwitchEvent::PayoutsStopped { note } => {
                v1::PayoutsStopped { note: note.clone() }.encode_to_vec()
            }
            PayoutSwitchEvent::PayoutsResumed { note } => {
                v1::PayoutsResumed { note: note.clone() }.encode_to_vec()
            }
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            STOPPED => {
                let message: v1::PayoutsStopped = decode_message(kind, payload)?;
                Ok(PayoutSwitchEvent::PayoutsStopped { note: message.note })
            }
            RESUMED => {
                let message: v1::PayoutsResumed = decode_message(kind, payload)?;
                Ok(PayoutSwitchEvent::PayoutsResumed { note: message.note })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

impl Wire for RecordSkipped {
    fn kind(&self) -> &'static str {
        SKIPPED
    }

    fn encode(&self) -> Bytes {
        let message = v1::RecordSkipped {
            position: self.position.clone(),
            consumers: self.consumers.iter().cloned().collect(),
            note: self.note.clone(),
            actors: self.actors.to_vec(),
        };
        message.encode_to_vec().into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        if kind != SKIPPED {
            return Err(WireError::UnknownKind { kind: kind.to_owned() });
        }
        let message: v1::RecordSkipped = decode_message(kind, payload)?;
        let count = message.actors.len();
        let actors = message.actors.try_into();
        Ok(RecordSkipped {
            position: message.position,
            consumers: message.consumers.into_iter().collect(),
            note: message.note,
            actors: actors.map_err(|_| bad(SKIPPED, "actors", format!("are {count}, not 2")))?,
        })
    }
}
