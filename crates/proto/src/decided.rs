//! Events of `scan/{assessment}/{partition}`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::columns::Columns;
use ristoro_domain::decided::{Chunk, Event};

use crate::eligibility::v1 as out;
use crate::types::{bad, digest_in, reason_in, reason_out, required, totals_in, totals_out};
use crate::wire::{Wire, WireError, decode_message};

const DECIDED: &str = "EntitlementsDecided";
const COMPLETED: &str = "ScanCompleted";
const VOIDED: &str = "ScanVoided";

fn chunk_in(message: &out::EntitlementsDecided) -> Result<Chunk, WireError> {
    let length = message.reasons.len();
    let columns = Columns::unpack(message.first_number, &message.steps, &message.reason, length);
    Ok(Chunk {
        reasons: message.reasons.iter().map(reason_in).collect::<Result<_, _>>()?,
        columns: columns.map_err(|error| bad(DECIDED, "reason", error))?,
    })
}

impl Wire for Event {
    fn kind(&self) -> &'static str {
        match self {
            Event::EntitlementsDecided(_) => DECIDED,
            Event::ScanCompleted { .. } => COMPLETED,
            Event::ScanVoided => VOIDED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            Event::EntitlementsDecided(chunk) => {
                let (first_number, steps) = chunk.columns.pack();
                out::EntitlementsDecided {
                    reasons: chunk.reasons.iter().map(reason_out).collect(),
                    first_number,
                    steps,
                    reason: chunk.columns.entries().to_vec(),
                }
                .encode_to_vec()
            }
            Event::ScanCompleted { totals, digest, chunks } => out::ScanCompleted {
                totals: Some(totals_out(totals)),
                digest: Bytes::copy_from_slice(digest),
                chunks: *chunks,
            }
            .encode_to_vec(),
            Event::ScanVoided => out::ScanVoided {}.encode_to_vec(),
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            DECIDED => Ok(Event::EntitlementsDecided(chunk_in(&decode_message(kind, payload)?)?)),
            COMPLETED => {
                let message: out::ScanCompleted = decode_message(kind, payload)?;
                Ok(Event::ScanCompleted {
                    totals: totals_in(&required(message.totals, COMPLETED, "totals")?)?,
                    digest: digest_in(&message.digest, COMPLETED, "digest")?,
                    chunks: message.chunks,
                })
            }
            VOIDED => decode_message::<out::ScanVoided>(kind, payload).map(|_| Event::ScanVoided),
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}
