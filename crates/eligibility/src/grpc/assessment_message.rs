//! Assessments and simulations as messages, and refusals as statuses.

use prost_types::Timestamp;
use ristoro_domain::policy::Refusal as PolicyRefusal;
use ristoro_domain::settlement::{Pins, Rejection, Status as Stage};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::settlement::leftovers_out;
use ristoro_proto::types::{date_out, timestamp, totals_out};
use ristoro_runtime::edge;
use ristoro_runtime::refused::Refused;
use ristoro_runtime::status::{self, refuse};
use tonic::{Code, Status};

use crate::assess::inputs::PolicyName;
use crate::assess::{AssessError, Stated};
use crate::projections::assessment::AssessmentRow;

/// The name of an assessment.
pub const ASSESSMENT: &str = "assessments/{assessment}";
const OUTAGE: &str = "outages/{outage}";
/// The name of a policy.
pub const POLICY: &str = "policies/{policy}";
/// The name of a version of a policy.
pub const POLICY_VERSION: &str = "policies/{policy}/versions/{version}";

/// Reads `outages/{outage}`.
pub fn outage_id(field: &str, name: &str) -> Result<String, Status> {
    edge::parse_name::<1>(field, OUTAGE, name).map(|[id]| id)
}

/// Reads a policy's name, with or without a version.
pub fn policy_name(field: &str, name: &str) -> Result<PolicyName, Status> {
    if name.contains("/versions/") {
        let [policy, version] = edge::parse_name(field, POLICY_VERSION, name)?;
        return Ok(PolicyName { policy, version: Some(version) });
    }
    let [policy] = edge::parse_name(field, POLICY, name)?;
    Ok(PolicyName { policy, version: None })
}

/// Reads what a caller states of a case.
pub fn stated(known_at: Option<&Timestamp>, payment_day: &str) -> Result<Stated, Status> {
    Ok(Stated {
        known_at: edge::optional_instant("known_at", known_at)?,
        payment_day: edge::optional_date("payment_day", payment_day)?,
    })
}

/// Writes an assessment.
#[must_use]
pub fn assessment_message(row: &AssessmentRow, decided: u64) -> api::Assessment {
    let proposal = &row.proposal;
    let state = match row.status {
        Stage::Proposed => api::AssessmentState::Proposed,
        Stage::Deciding => api::AssessmentState::Deciding,
        Stage::Completed => api::AssessmentState::Completed,
        Stage::Rejected => api::AssessmentState::Rejected,
        Stage::Cancelled => api::AssessmentState::Cancelled,
        Stage::Stopped => api::AssessmentState::Stopped,
    };
    let name = |id: &String| edge::format_name(ASSESSMENT, &[id]);
    api::Assessment {
        name: name(&row.assessment),
        outage: edge::format_name(OUTAGE, &[&proposal.outage]),
        policy: policy_text(&proposal.pins),
        state: state.into(),
        etag: row.version.to_string(),
        totals: Some(totals_out(&proposal.totals)),
        digest: edge::hex(&proposal.digest()),
        pins: Some(pins_message(&proposal.pins)),
        decided,
        proposed_by: proposal.proposed_by.clone(),
        approved_by: row.approved_by.clone(),
        cap: row.cap.map(edge::money_message),
        note: row.note.clone(),
        proposed_at: Some(timestamp(row.proposed_at)),
        after_assessments: proposal.after_assessments.iter().map(name).collect(),
    }
}

/// Names the policy of pins in its version.
#[must_use]
pub fn policy_text(pins: &Pins) -> String {
    edge::format_name(POLICY_VERSION, &[&pins.policy, &pins.policy_version])
}

fn pins_message(pins: &Pins) -> api::Pins {
    api::Pins {
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

/// Says why nothing can be assessed.
#[must_use]
pub fn assess_status(error: &AssessError) -> Status {
    let refused = |reason| refuse(Code::FailedPrecondition, reason, error.to_string(), &[]);
    match error {
        AssessError::UnknownOutage(outage) => {
            status::not_found("Outage", &edge::format_name(OUTAGE, &[outage]))
        }
        AssessError::UnknownPolicy(policy) => {
            status::not_found("Policy", &edge::format_name(POLICY, &[policy]))
        }
        AssessError::NothingToAssess(_) => refused(ErrorReason::NothingToAssess),
        AssessError::PaymentDay { .. } => status::invalid("payment_day", error.to_string()),
        AssessError::Refused(PolicyRefusal::OutageStillOpen { .. }) => {
            refused(ErrorReason::OutageStillOpen)
        }
        AssessError::Refused(_) | AssessError::Money(_) => refused(ErrorReason::PolicyRefuses),
        AssessError::UnreadablePolicy { .. } | AssessError::Order(_) | AssessError::Worker => {
            status::internal(error)
        }
        AssessError::Database(error) => status::database(error),
    }
}

/// Says what a settlement's refusal is on the wire.
#[must_use]
pub fn refused(rejection: &Rejection) -> Refused {
    use ErrorReason as Reason;
    match rejection {
        Rejection::UnknownAssessment { assessment } => {
            Refused::new(Code::NotFound, Reason::ResourceNotFound).with("assessment", assessment)
        }
        Rejection::AssessmentExists { assessment } => {
            Refused::new(Code::AlreadyExists, Reason::ResourceExists).with("assessment", assessment)
        }
        Rejection::WrongStatus { status, .. } => {
            Refused::precondition(Reason::WrongState).with("state", status)
        }
        Rejection::SelfApproval { actor } => {
            Refused::new(Code::PermissionDenied, Reason::SamePerson).with("proposed_by", actor)
        }
        Rejection::DigestDiffers { expected } => {
            Refused::new(Code::Aborted, Reason::DigestMismatch).with("digest", edge::hex(expected))
        }
        Rejection::CapBelowTotal { cap, total } => {
            Refused::precondition(Reason::CapBelowTotal).with("cap", cap).with("total", total)
        }
        Rejection::SettlementInProgress { open } => {
            Refused::precondition(Reason::SettlementInProgress).with("assessment", open)
        }
        Rejection::ProposalOutdated { seen_version, granted_version } => {
            Refused::precondition(Reason::ProposalOutdated)
                .with("seen_version", seen_version)
                .with("granted_version", granted_version)
        }
        Rejection::OutOfRange { .. } => Refused::precondition(Reason::PolicyRefuses),
    }
}
