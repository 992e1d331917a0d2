//! Events of `payment-file/{file}`.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use ristoro_domain::payment_file::{
    Creation, Debtor, Event, FileContent, Submission, TransferOutcome,
};

use crate::payout::v1 as out;
use crate::types::{amount_in, amount_out, bad, digest_in, instant, required, timestamp};
use crate::wire::{Wire, WireError, decode_message};

const CREATED: &str = "PaymentFileCreated";
const APPROVED: &str = "PaymentFileApproved";
const CANCELLED: &str = "PaymentFileCancelled";
const SUBMITTED: &str = "PaymentFileSubmitted";
const REPORTED: &str = "PaymentFileReported";

fn created_out(creation: &Creation) -> out::PaymentFileCreated {
    out::PaymentFileCreated {
        currency: creation.currency.code().to_owned(),
        assessments: creation.assessments.iter().cloned().collect(),
        payout_offsets: creation.payout_offsets.clone(),
        execution_date: creation.execution_date.to_string(),
        debtor_name: creation.debtor.name.clone(),
        debtor_iban: creation.debtor.iban.clone(),
        max_transfers: creation.max_transfers,
        created_by: creation.created_by.clone(),
        debtor_bic: creation.debtor.bic.clone(),
        debtor_town: creation.debtor.town.clone(),
        debtor_country: creation.debtor.country.clone(),
        roster_offsets: creation.roster_offsets.clone(),
        partition_limits: creation.partition_limits.clone(),
    }
}

fn created_in(message: out::PaymentFileCreated) -> Result<Creation, WireError> {
    let currency = message.currency.parse();
    let execution_date = message.execution_date.parse();
    Ok(Creation {
        currency: currency.map_err(|error| bad(CREATED, "currency", error))?,
        assessments: message.assessments.into_iter().collect(),
        payout_offsets: message.payout_offsets,
        roster_offsets: message.roster_offsets,
        partition_limits: message.partition_limits,
        execution_date: execution_date.map_err(|error| bad(CREATED, "execution_date", error))?,
        debtor: Debtor {
            name: message.debtor_name,
            iban: message.debtor_iban,
            bic: message.debtor_bic,
            town: message.debtor_town,
            country: message.debtor_country,
        },
        max_transfers: message.max_transfers,
        created_by: message.created_by,
    })
}

fn reported_in(message: out::PaymentFileReported) -> BTreeSet<TransferOutcome> {
    let outcome = |outcome: out::TransferOutcome| TransferOutcome {
        end_to_end_id: outcome.end_to_end_id,
        status: outcome.status,
        reason_code: outcome.reason_code,
    };
    message.outcomes.into_iter().map(outcome).collect()
}

fn reported_out(outcomes: &BTreeSet<TransferOutcome>) -> out::PaymentFileReported {
    let outcome = |outcome: &TransferOutcome| out::TransferOutcome {
        end_to_end_id: outcome.end_to_end_id.clone(),
        status: outcome.status.clone(),
        reason_code: outcome.reason_code.clone(),
    };
    out::PaymentFileReported { outcomes: outcomes.iter().map(outcome).collect() }
}

fn submitted_in(message: out::PaymentFileSubmitted) -> Result<Submission, WireError> {
    let created_at = required(message.created_at.as_ref(), SUBMITTED, "created_at")?;
    Ok(Submission {
        created_at: instant(created_at, SUBMITTED, "created_at")?,
        sha256: digest_in(&message.sha256, SUBMITTED, "sha256")?,
        message_id: message.message_id,
    })
}

impl Wire for Event {
    fn kind(&self) -> &'static str {
        match self {
            Event::PaymentFileCreated(_) => CREATED,
            Event::PaymentFileApproved(_) => APPROVED,
            Event::PaymentFileCancelled { .. } => CANCELLED,
            Event::PaymentFileSubmitted(_) => SUBMITTED,
            Event::PaymentFileReported { .. } => REPORTED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            Event::PaymentFileCreated(creation) => created_out(creation).encode_to_vec(),
            Event::PaymentFileApproved(content) => out::PaymentFileApproved {
                digest: Bytes::copy_from_slice(&content.digest),
                count: content.count,
                total: Some(amount_out(content.total)),
            }
            .encode_to_vec(),
            Event::PaymentFileCancelled { note } => {
                out::PaymentFileCancelled { note: note.clone() }.encode_to_vec()
            }
            Event::PaymentFileSubmitted(submission) => out::PaymentFileSubmitted {
                message_id: submission.message_id.clone(),
                created_at: Some(timestamp(submission.created_at)),
                sha256: Bytes::copy_from_slice(&submission.sha256),
            }
            .encode_to_vec(),
            Event::PaymentFileReported { outcomes } => reported_out(outcomes).encode_to_vec(),
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            CREATED => {
                let creation = created_in(decode_message(kind, payload)?)?;
                Ok(Event::PaymentFileCreated(Box::new(creation)))
            }
            APPROVED => {
                let message: out::PaymentFileApproved = decode_message(kind, payload)?;
                let total = required(message.total, APPROVED, "total")?;
                Ok(Event::PaymentFileApproved(FileContent {
                    digest: digest_in(&message.digest, APPROVED, "digest")?,
                    count: message.count,
                    total: amount_in(&total, APPROVED, "total")?,
                }))
            }
            CANCELLED => {
                let message: out::PaymentFileCancelled = decode_message(kind, payload)?;
                Ok(Event::PaymentFileCancelled { note: message.note })
            }
            SUBMITTED => {
                Ok(Event::PaymentFileSubmitted(submitted_in(decode_message(kind, payload)?)?))
            }
            REPORTED => {
                let outcomes = reported_in(decode_message(kind, payload)?);
                Ok(Event::PaymentFileReported { outcomes })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}
