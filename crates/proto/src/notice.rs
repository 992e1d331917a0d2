//! Events of `queue/{assessment}/{partition}`, `dispatch/...`, `notice/{assessment}/{number}` and
//! `recipient/{subscriber}`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::columns::Columns;
use ristoro_domain::dispatch::{self, Outcome};
use ristoro_domain::notice::{self, QueueEvent, QueuedChunk};
use ristoro_domain::recipient::RecipientSuppressed;
use ristoro_domain::remedy::Remedy;

use crate::notifier::v1 as out;
use crate::types::{bad, instant, remedy_in, remedy_out, required, timestamp};
use crate::wire::{Wire, WireError, decode_message};

const QUEUED: &str = "NoticesQueued";
const RELEASED: &str = "NoticesReleased";
const VOIDED: &str = "NoticesVoided";
const STARTED: &str = "DispatchStarted";
const TAKEN_OVER: &str = "DispatchTakenOver";
const HANDED_BACK: &str = "DispatchHandedBack";
const REPORTED: &str = "DispatchReported";
const BOUNCED: &str = "NoticeBounced";
const RETRIED: &str = "NoticeRetried";
const SUPPRESSED: &str = "RecipientSuppressed";

/// Writes what a notice tells of.
#[must_use]
pub fn told_out(remedies: &[Remedy]) -> out::Told {
    out::Told { remedies: remedies.iter().map(remedy_out).collect() }
}

/// Reads what a notice tells of.
///
/// # Errors
/// `Field` where something is missing or not known.
pub fn told_in(told: &out::Told) -> Result<Vec<Remedy>, WireError> {
    told.remedies.iter().map(remedy_in).collect()
}

fn chunk_out(chunk: &QueuedChunk) -> out::NoticesQueued {
    let (first_number, steps) = chunk.columns.pack();
    out::NoticesQueued {
        told: chunk.told.iter().map(|remedies| told_out(remedies)).collect(),
        first_number,
        steps,
        place: chunk.columns.entries().to_vec(),
        skipped: chunk.skipped,
    }
}

fn chunk_in(message: &out::NoticesQueued) -> Result<QueuedChunk, WireError> {
    let length = message.told.len();
    let columns = Columns::unpack(message.first_number, &message.steps, &message.place, length);
    Ok(QueuedChunk {
        told: message.told.iter().map(told_in).collect::<Result<_, _>>()?,
        columns: columns.map_err(|error| bad(QUEUED, "place", error))?,
        skipped: message.skipped,
    })
}

/// Writes what became of one message.
#[must_use]
pub fn outcome_out(outcome: Outcome) -> out::DispatchOutcome {
    match outcome {
        Outcome::Sent => out::DispatchOutcome::Sent,
        Outcome::Refused => out::DispatchOutcome::Refused,
        Outcome::Unknown => out::DispatchOutcome::Unknown,
        Outcome::NoChannel => out::DispatchOutcome::NoChannel,
        Outcome::Deferred => out::DispatchOutcome::Deferred,
    }
}

/// Reads what became of one message.
///
/// # Errors
/// `Field` where it is not set or not known.
pub fn outcome_in(number: i32) -> Result<Outcome, WireError> {
    match out::DispatchOutcome::try_from(number) {
        Ok(out::DispatchOutcome::Sent) => Ok(Outcome::Sent),
        Ok(out::DispatchOutcome::Refused) => Ok(Outcome::Refused),
        Ok(out::DispatchOutcome::Unknown) => Ok(Outcome::Unknown),
        Ok(out::DispatchOutcome::NoChannel) => Ok(Outcome::NoChannel),
        Ok(out::DispatchOutcome::Deferred) => Ok(Outcome::Deferred),
        Ok(out::DispatchOutcome::Unspecified) | Err(_) => {
            Err(bad(REPORTED, "outcomes", format!("have {number}")))
        }
    }
}

impl Wire for QueueEvent {
    fn kind(&self) -> &'static str {
        match self {
            QueueEvent::NoticesQueued(_) => QUEUED,
            QueueEvent::NoticesReleased { .. } => RELEASED,
            QueueEvent::NoticesVoided => VOIDED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            QueueEvent::NoticesQueued(chunk) => chunk_out(chunk).encode_to_vec(),
            QueueEvent::NoticesReleased { chunks, outage } => {
                let (chunks, outage) = (*chunks, outage.clone());
                out::NoticesReleased { chunks, outage }.encode_to_vec()
            }
            QueueEvent::NoticesVoided => out::NoticesVoided {}.encode_to_vec(),
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            QUEUED => Ok(QueueEvent::NoticesQueued(chunk_in(&decode_message(kind, payload)?)?)),
            RELEASED => {
                let message: out::NoticesReleased = decode_message(kind, payload)?;
                let (chunks, outage) = (message.chunks, message.outage);
                Ok(QueueEvent::NoticesReleased { chunks, outage })
            }
            VOIDED => decode_message::<out::NoticesVoided>(kind, payload)
                .map(|_| QueueEvent::NoticesVoided),
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

fn started_in(message: out::DispatchStarted) -> Result<dispatch::Event, WireError> {
    if !message.places.is_sorted_by(|one, next| one < next) {
        return Err(bad(STARTED, "places", "do not ascend"));
    }
    let wave = required(message.wave.as_ref(), STARTED, "wave")?;
    Ok(dispatch::Event::DispatchStarted {
        at: instant(wave, STARTED, "wave")?,
        claim: message.claim,
        outage_position: message.outage_position,
        places: message.places,
    })
}

fn reported_in(message: &out::DispatchReported) -> Result<dispatch::Event, WireError> {
    Ok(dispatch::Event::DispatchReported {
        started_version: message.started_version,
        block: message.block,
        outcomes: message.outcomes.iter().copied().map(outcome_in).collect::<Result<_, _>>()?,
    })
}

impl Wire for dispatch::Event {
    fn kind(&self) -> &'static str {
        match self {
            dispatch::Event::DispatchStarted { .. } => STARTED,
            dispatch::Event::DispatchTakenOver { .. } => TAKEN_OVER,
            dispatch::Event::DispatchHandedBack { .. } => HANDED_BACK,
            dispatch::Event::DispatchReported { .. } => REPORTED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            dispatch::Event::DispatchStarted { claim, at, outage_position, places } => {
                out::DispatchStarted {
                    claim: claim.clone(),
                    wave: Some(timestamp(*at)),
                    outage_position: outage_position.clone(),
                    places: places.clone(),
                }
                .encode_to_vec()
            }
            dispatch::Event::DispatchTakenOver { claim, started_version } => {
                let (claim, started_version) = (claim.clone(), *started_version);
                out::DispatchTakenOver { claim, started_version }.encode_to_vec()
            }
            dispatch::Event::DispatchHandedBack { started_version } => {
                let started_version = *started_version;
                out::DispatchHandedBack { started_version }.encode_to_vec()
            }
            dispatch::Event::DispatchReported { started_version, block, outcomes } => {
                out::DispatchReported {
                    started_version: *started_version,
                    block: *block,
                    outcomes: outcomes.iter().map(|one| outcome_out(*one).into()).collect(),
                }
                .encode_to_vec()
            }
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            STARTED => started_in(decode_message(kind, payload)?),
            TAKEN_OVER => {
                let message: out::DispatchTakenOver = decode_message(kind, payload)?;
                let (claim, started_version) = (message.claim, message.started_version);
                Ok(dispatch::Event::DispatchTakenOver { claim, started_version })
            }
            HANDED_BACK => {
                let message: out::DispatchHandedBack = decode_message(kind, payload)?;
                let started_version = message.started_version;
                Ok(dispatch::Event::DispatchHandedBack { started_version })
            }
            REPORTED => reported_in(&decode_message(kind, payload)?),
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

impl Wire for notice::Event {
    fn kind(&self) -> &'static str {
        match self {
            notice::Event::NoticeBounced { .. } => BOUNCED,
            notice::Event::NoticeRetried { .. } => RETRIED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            notice::Event::NoticeBounced { status_code } => {
                out::NoticeBounced { status_code: status_code.clone() }.encode_to_vec()
            }
            notice::Event::NoticeRetried { attempt } => {
                out::NoticeRetried { attempt: *attempt }.encode_to_vec()
            }
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            BOUNCED => {
                let message: out::NoticeBounced = decode_message(kind, payload)?;
                Ok(notice::Event::NoticeBounced { status_code: message.status_code })
            }
            RETRIED => {
                let message: out::NoticeRetried = decode_message(kind, payload)?;
                Ok(notice::Event::NoticeRetried { attempt: message.attempt })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

impl Wire for RecipientSuppressed {
    fn kind(&self) -> &'static str {
        SUPPRESSED
    }

    fn encode(&self) -> Bytes {
        out::RecipientSuppressed { note: self.note.clone() }.encode_to_vec().into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        if kind != SUPPRESSED {
            return Err(WireError::UnknownKind { kind: kind.to_owned() });
        }
        let message: out::RecipientSuppressed = decode_message(kind, payload)?;
        Ok(RecipientSuppressed { note: message.note })
    }
}
