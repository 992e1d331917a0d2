//! Events of `carry/{policy}`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::carry::Event;

use crate::eligibility::v1 as out;
use crate::wire::{Wire, WireError, decode_message};

const TAKEN: &str = "LeftoversTaken";
const GIVEN_BACK: &str = "LeftoversGivenBack";

impl Wire for Event {
    fn kind(&self) -> &'static str {
        match self {
            Event::LeftoversTaken { .. } => TAKEN,
            Event::LeftoversGivenBack { .. } => GIVEN_BACK,
        }
    }

    fn encode(&self) -> Bytes {
        let bytes = match self {
            Event::LeftoversTaken { assessment, after } => out::LeftoversTaken {
                assessment: assessment.clone(),
                after_assessment: after.clone().unwrap_or_default(),
            }
            .encode_to_vec(),
            Event::LeftoversGivenBack { assessment } => {
                out::LeftoversGivenBack { assessment: assessment.clone() }.encode_to_vec()
            }
        };
        bytes.into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            TAKEN => {
                let message: out::LeftoversTaken = decode_message(kind, payload)?;
                let after = Some(message.after_assessment).filter(|after| !after.is_empty());
                Ok(Event::LeftoversTaken { assessment: message.assessment, after })
            }
            GIVEN_BACK => {
                let message: out::LeftoversGivenBack = decode_message(kind, payload)?;
                Ok(Event::LeftoversGivenBack { assessment: message.assessment })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}
