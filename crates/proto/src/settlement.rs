//! Events of `settlement/{outage}`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::settlement::{Event, Leftovers, Pins, Proposal};

use crate::eligibility::v1 as out;
use crate::types::{
    amount_in, amount_out, date_in, date_out, digest_in, instant, required, timestamp, totals_in,
    totals_out,
};
use crate::wire::{Wire, WireError, decode_message};

fn pins_out(pins: &Pins) -> out::Pins {
    out::Pins {
        policy: pins.policy.clone(),
        policy_version: pins.policy_version.clone(),
        policy_position: pins.policy_position.clone(),
        outage_position: pins.outage_position.clone(),
        roster_offsets: pins.roster_offsets.clone(),
        settlement_version: pins.settlement_version,
        time_zone_data: pins.time_zone_data.clone(),
        known_at: pins.known_at.map(timestamp),
        payment_day: date_out(pins.payment_day),
        leftovers: pins.leftovers.as_ref().map(leftovers_out),
    }
}

/// Writes what is taken over.
#[must_use]
pub fn leftovers_out(leftovers: &Leftovers) -> out::Leftovers {
    out::Leftovers { from_assessment: leftovers.from.clone().unwrap_or_default() }
}

fn leftovers_in(leftovers: out::Leftovers) -> Leftovers {
    Leftovers { from: Some(leftovers.from_assessment).filter(|from| !from.is_empty()) }
}

fn pins_in(pins: out::Pins) -> Result<Pins, WireError> {
    let known_at = pins.known_at.as_ref().map(|time| instant(time, PROPOSED, "pins.known_at"));
    let payment_day = date_in(&pins.payment_day, PROPOSED, "pins.payment_day")?;
    Ok(Pins {
        policy: pins.policy,
        policy_version: pins.policy_version,
        policy_position: pins.policy_position,
        outage_position: pins.outage_position,
        roster_offsets: pins.roster_offsets,
        settlement_version: pins.settlement_version,
        time_zone_data: pins.time_zone_data,
        known_at: known_at.transpose()?,
        payment_day,
        leftovers: pins.leftovers.map(leftovers_in),
    })
}

const PROPOSED: &str = "AssessmentProposed";
const APPROVED: &str = "AssessmentApproved";
const REJECTED: &str = "AssessmentRejected";
const COMPLETED: &str = "AssessmentCompleted";
const CANCELLED: &str = "AssessmentCancelled";
const STOPPED: &str = "AssessmentStopped";

fn proposed_in(message: out::AssessmentProposed) -> Result<Event, WireError> {
    let digests = message.digests.iter().map(|bytes| digest_in(bytes, PROPOSED, "digests"));
    Ok(Event::AssessmentProposed(Box::new(Proposal {
        digests: digests.collect::<Result<_, _>>()?,
        pins: pins_in(required(message.pins, PROPOSED, "pins")?)?,
        totals: totals_in(&required(message.totals, PROPOSED, "totals")?)?,
        assessment: message.assessment,
        outage: message.outage,
        chunk_size: message.chunk_size,
        after_assessments: message.after_assessments,
        proposed_by: message.proposed_by,
    })))
}

fn approved_in(message: out::AssessmentApproved) -> Result<Event, WireError> {
    Ok(Event::AssessmentApproved {
        proposal_digest: digest_in(&message.proposal_digest, APPROVED, "proposal_digest")?,
        cap: amount_in(&required(message.cap, APPROVED, "cap")?, APPROVED, "cap")?,
        assessment: message.assessment,
        proposal_version: message.proposal_version,
        approved_by: message.approved_by,
    })
}

fn bytes(digest: &[u8; 32]) -> Bytes {
    Bytes::copy_from_slice(digest)
}

impl Wire for Event {
    fn kind(&self) -> &'static str {
        match self {
            Event::AssessmentProposed(_) => PROPOSED,
            Event::AssessmentApproved { .. } => APPROVED,
            Event::AssessmentRejected { .. } => REJECTED,
            Event::AssessmentCompleted { .. } => COMPLETED,
            Event::AssessmentCancelled { .. } => CANCELLED,
            Event::AssessmentStopped { .. } => STOPPED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            Event::AssessmentProposed(proposal) => out::AssessmentProposed {
                assessment: proposal.assessment.clone(),
                outage: proposal.outage.clone(),
                pins: Some(pins_out(&proposal.pins)),
                totals: Some(totals_out(&proposal.totals)),
                digests: proposal.digests.iter().map(bytes).collect(),
                chunk_size: proposal.chunk_size,
                after_assessments: proposal.after_assessments.clone(),
                proposed_by: proposal.proposed_by.clone(),
            }
            .encode_to_vec(),
            Event::AssessmentApproved {
                assessment,
                proposal_version,
                proposal_digest,
                cap,
                approved_by,
            } => out::AssessmentApproved {
                assessment: assessment.clone(),
                proposal_version: *proposal_version,
                proposal_digest: bytes(proposal_digest),
                cap: Some(amount_out(*cap)),
                approved_by: approved_by.clone(),
            }
            .encode_to_vec(),
            Event::AssessmentRejected { assessment, note } => {
                let (assessment, note) = (assessment.clone(), note.clone());
                out::AssessmentRejected { assessment, note }.encode_to_vec()
            }
            Event::AssessmentCompleted { assessment, totals, chunks } => out::AssessmentCompleted {
                assessment: assessment.clone(),
                totals: Some(totals_out(totals)),
                chunks: chunks.clone(),
            }
            .encode_to_vec(),
            Event::AssessmentCancelled { assessment, note } => {
                let (assessment, note) = (assessment.clone(), note.clone());
                out::AssessmentCancelled { assessment, note }.encode_to_vec()
            }
            Event::AssessmentStopped { assessment, partition, expected, found } => {
                out::AssessmentStopped {
                    assessment: assessment.clone(),
                    partition: *partition,
                    expected: bytes(expected),
                    found: bytes(found),
                }
                .encode_to_vec()
            }
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            PROPOSED => proposed_in(decode_message(kind, payload)?),
            APPROVED => approved_in(decode_message(kind, payload)?),
            REJECTED => {
                let message: out::AssessmentRejected = decode_message(kind, payload)?;
                let (assessment, note) = (message.assessment, message.note);
                Ok(Event::AssessmentRejected { assessment, note })
            }
            COMPLETED => {
                let message: out::AssessmentCompleted = decode_message(kind, payload)?;
                let totals = totals_in(&required(message.totals, COMPLETED, "totals")?)?;
                let (assessment, chunks) = (message.assessment, message.chunks);
                Ok(Event::AssessmentCompleted { assessment, totals, chunks })
            }
            CANCELLED => {
                let message: out::AssessmentCancelled = decode_message(kind, payload)?;
                let (assessment, note) = (message.assessment, message.note);
                Ok(Event::AssessmentCancelled { assessment, note })
            }
            STOPPED => {
                let message: out::AssessmentStopped = decode_message(kind, payload)?;
                Ok(Event::AssessmentStopped {
                    assessment: message.assessment,
                    partition: message.partition,
                    expected: digest_in(&message.expected, STOPPED, "expected")?,
                    found: digest_in(&message.found, STOPPED, "found")?,
                })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}
