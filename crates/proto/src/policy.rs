//! Events of `policy/{policy}`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::policy_registry::PolicyEvent;

use crate::eligibility::v1 as out;
use crate::types::digest_in;
use crate::wire::{Wire, WireError, decode_message};

const PUBLISHED: &str = "PolicyPublished";
const RETIRED: &str = "PolicyRetired";

impl Wire for PolicyEvent {
    fn kind(&self) -> &'static str {
        match self {
            PolicyEvent::PolicyPublished { .. } => PUBLISHED,
            PolicyEvent::PolicyRetired { .. } => RETIRED,
        }
    }

    fn encode(&self) -> Bytes {
        let bytes = match self {
            PolicyEvent::PolicyPublished { policy_version, text, sha256 } => out::PolicyPublished {
                policy_version: policy_version.clone(),
                text: text.clone(),
                sha256: Bytes::copy_from_slice(sha256),
            }
            .encode_to_vec(),
            PolicyEvent::PolicyRetired { policy_version, note } => {
                out::PolicyRetired { policy_version: policy_version.clone(), note: note.clone() }
                    .encode_to_vec()
            }
        };
        bytes.into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            PUBLISHED => {
                let message: out::PolicyPublished = decode_message(kind, payload)?;
                Ok(PolicyEvent::PolicyPublished {
                    sha256: digest_in(&message.sha256, PUBLISHED, "sha256")?,
                    policy_version: message.policy_version,
                    text: message.text,
                })
            }
            RETIRED => {
                let message: out::PolicyRetired = decode_message(kind, payload)?;
                let (policy_version, note) = (message.policy_version, message.note);
                Ok(PolicyEvent::PolicyRetired { policy_version, note })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}
