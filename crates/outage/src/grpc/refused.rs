//! What each rejection of this service's deciders is on the wire.

use ristoro_domain::outage::Rejection;
use ristoro_domain::signal::SignalRejection;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_runtime::refused::Refused;
use tonic::Code;

/// Says what a rejection of an outage's command is on the wire.
#[must_use]
pub fn outage_refused(rejection: &Rejection) -> Refused {
    let invalid = || Refused::new(Code::InvalidArgument, ErrorReason::InvalidField);
    let contradiction = || Refused::precondition(ErrorReason::ContradictoryTime);
    match rejection {
        Rejection::NotDeclared => Refused::new(Code::NotFound, ErrorReason::ResourceNotFound),
        Rejection::AlreadyDeclared { title } => {
            Refused::new(Code::AlreadyExists, ErrorReason::ResourceExists).with("title", title)
        }
        Rejection::Withdrawn { note } => {
            Refused::precondition(ErrorReason::OutageWithdrawn).with("note", note)
        }
        Rejection::Empty { field } => invalid().with("field", field),
        Rejection::NoWindow => invalid().with("field", "declared"),
        Rejection::EndsBeforeItBegins { what, from, to } => {
            invalid().with("field", what).with("from", from).with("to", to)
        }
        Rejection::MailboxCount { count, limit } => {
            invalid().with("field", "mailboxes").with("count", count).with("limit", limit)
        }
        Rejection::WorksWithoutCalamity { .. } => invalid().with("field", "cause.works_done_at"),
        Rejection::NoticeWithoutPlannedWork { .. } => invalid().with("field", "announced_at"),
        Rejection::UnknownImpact { impact, .. } => {
            Refused::precondition(ErrorReason::ImpactUnknown).with("impact", impact)
        }
        Rejection::OtherCohort { impact, hit, cohort } => {
            Refused::precondition(ErrorReason::ImpactUnknown)
                .with("impact", impact)
                .with("hit", hit)
                .with("cohort", cohort)
        }
        Rejection::ImpactIdTaken { impact, component } => {
            Refused::precondition(ErrorReason::ImpactIdTaken)
                .with("impact", impact)
                .with("component", component)
        }
        Rejection::RestoredBeforeItBegan { impact, from, restored_at } => contradiction()
            .with("impact", impact)
            .with("from", from)
            .with("restored_at", restored_at),
        Rejection::ResolvedTooEarly { impact, known_until, resolved_at } => contradiction()
            .with("impact", impact)
            .with("known_until", known_until)
            .with("resolved_at", resolved_at),
        Rejection::ReopenedBeforeItBegan { began_at, reopened_at } => {
            contradiction().with("began_at", began_at).with("reopened_at", reopened_at)
        }
        Rejection::AlreadyResolved { resolved_at } => {
            Refused::precondition(ErrorReason::WrongState).with("resolved_at", resolved_at)
        }
        Rejection::NotResolved => Refused::precondition(ErrorReason::WrongState),
    }
}

/// Says what a rejection of signals is on the wire.
#[must_use]
pub fn signal_refused(rejection: &SignalRejection) -> Refused {
    match rejection {
        SignalRejection::Empty { field, source_id, .. } => {
            Refused::new(Code::InvalidArgument, ErrorReason::InvalidField)
                .with("field", field)
                .with("source_id", source_id)
        }
    }
}
