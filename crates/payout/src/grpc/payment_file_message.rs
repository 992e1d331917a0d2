//! Payment files as messages, and refusals as statuses.

use ristoro_domain::money::Money;
use ristoro_domain::payment_file::{FileContent, Rejection, Status as Stage};
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::payout::v1 as api;
use ristoro_runtime::edge;
use ristoro_runtime::refused::Refused;
use ristoro_runtime::status::{self, refuse};
use tonic::{Code, Status};

use super::names::{ASSESSMENT, file_name, wrong_state};
use crate::files::content::{ContentError, stated};
use crate::projections::payment_file::FileRow;
use crate::projections::reservation::StreamRow;

/// What rejections are on the wire.
pub fn refused(rejection: &Rejection) -> Refused {
    match rejection {
        Rejection::Unknown => Refused::new(Code::NotFound, ErrorReason::ResourceNotFound),
        Rejection::Exists => Refused::new(Code::InvalidArgument, ErrorReason::RequestIdReused),
        Rejection::WrongStatus { status } => wrong_state().with("state", status),
        Rejection::SelfApproval { actor } => {
            Refused::new(Code::PermissionDenied, ErrorReason::SamePerson).with("principal", actor)
        }
        Rejection::StillFilling => Refused::precondition(ErrorReason::FileStillFilling),
        Rejection::Empty => Refused::precondition(ErrorReason::NothingToPay),
        Rejection::DigestDiffers { expected } => {
            Refused::new(Code::Aborted, ErrorReason::DigestMismatch)
                .with("digest", edge::hex(expected))
        }
        Rejection::PayoutsStopped => Refused::precondition(ErrorReason::PayoutsStopped),
    }
}

/// Says that a file is in a state that does not allow a command.
#[must_use]
pub fn wrong_status(stage: Stage) -> Status {
    let rejection = Rejection::WrongStatus { status: stage };
    let Refused { code, reason, metadata } = refused(&rejection);
    refuse(code, reason, rejection.to_string(), &metadata)
}

/// Says why a file has no content.
pub fn content_status(error: ContentError) -> Status {
    match error {
        ContentError::Rule(rule) => {
            refuse(Code::FailedPrecondition, ErrorReason::BankRuleBroken, rule.to_string(), &[])
        }
        ContentError::Database(error) => status::database(&error),
        error @ (ContentError::Differs { .. }
        | ContentError::Sum { .. }
        | ContentError::NoAccount { .. }
        | ContentError::Id { .. }
        | ContentError::Identifier(_)) => status::internal(&error),
    }
}

/// Writes a file; `streams` are its partitions that have a record.
#[must_use]
pub fn file_message(row: &FileRow, streams: &[StreamRow]) -> api::PaymentFile {
    let creation = &row.creation;
    let stated = stated(row, streams);
    let filled = streams.iter().filter(|stream| stream.closing.is_some()).count();
    let (transfers, total, digest) = held(row, streams, stated.as_deref());
    let count = |count: usize| u32::try_from(count).expect("partitions are few");
    let name = |assessment: &String| edge::format_name(ASSESSMENT, &[assessment]);
    let submission = row.submission.as_ref();
    api::PaymentFile {
        name: file_name(&row.file),
        state: state(row, stated.is_some()).into(),
        etag: row.version.to_string(),
        assessments: creation.assessments.iter().map(name).collect(),
        execution_date: creation.execution_date.to_string(),
        debtor: Some(api::Debtor {
            name: creation.debtor.name.clone(),
            iban: creation.debtor.iban.clone(),
            bic: creation.debtor.bic.clone(),
            town: creation.debtor.town.clone(),
            country: creation.debtor.country.clone(),
        }),
        transfers,
        total: Some(edge::money_message(total)),
        digest,
        filled_partitions: count(filled),
        partitions: count(creation.payout_offsets.len()),
        created_by: creation.created_by.clone(),
        approved_by: row.approved_by.clone(),
        note: row.note.clone(),
        created_at: Some(edge::timestamp(row.created_at)),
        message_id: submission.map(|it| it.message_id.clone()).unwrap_or_default(),
        submitted_at: submission.map(|it| edge::timestamp(it.created_at)),
        sha256: submission.map(|it| edge::hex(&it.sha256)).unwrap_or_default(),
    }
}

/// Gives what a file holds: what was approved, else what its partitions state, else what they hold so far.
fn held(
    row: &FileRow,
    streams: &[StreamRow],
    stated: Option<&[ristoro_domain::reservation::Closing]>,
) -> (u64, Money, String) {
    let currency = row.creation.currency;
    let of = |closings| FileContent::of(closings, currency).ok();
    if let Some(content) = row.approved.or_else(|| stated.and_then(of)) {
        return (content.count, content.total, edge::hex(&content.digest));
    }
    let sum = streams.iter().fold(0_i64, |sum, stream| sum.saturating_add(stream.total_minor));
    let count = streams.iter().map(|stream| stream.count).sum();
    (count, Money::new(sum, currency), String::new())
}

fn state(row: &FileRow, filled: bool) -> api::PaymentFileState {
    match row.status {
        Stage::Created if filled => api::PaymentFileState::Ready,
        Stage::Created => api::PaymentFileState::Filling,
        Stage::Approved => api::PaymentFileState::Approved,
        Stage::Submitted => api::PaymentFileState::Submitted,
        Stage::Cancelled => api::PaymentFileState::Cancelled,
    }
}
