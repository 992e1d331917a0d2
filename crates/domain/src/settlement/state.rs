//! What a settlement knows, and why it refuses.

use std::collections::BTreeMap;

use super::model::Proposal;
use crate::money::Money;

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// No such assessment on this outage.
    #[error("assessment {assessment} is not known for this outage")]
    UnknownAssessment {
        /// The id.
        assessment: String,
    },
    /// The id is taken by another proposal.
    #[error(
        "assessment {assessment} was already proposed with other contents: use a new request_id"
    )]
    AssessmentExists {
        /// The id.
        assessment: String,
    },
    /// It is not in the state that the command needs.
    #[error("assessment {assessment} is {status}, which does not allow this")]
    WrongStatus {
        /// The id.
        assessment: String,
        /// Its status.
        status: Status,
    },
    /// The proposer cannot approve.
    #[error("{actor} proposed this assessment: somebody else has to approve it")]
    SelfApproval {
        /// Who tried.
        actor: String,
    },
    /// Another proposal was seen.
    #[error("the approval names another digest than the proposal's: look at the proposal again")]
    DigestDiffers {
        /// The proposal's digest.
        expected: [u8; 32],
    },
    /// The cap does not cover the proposal.
    #[error(
        "the cap of {cap} is below the proposal's total of {total}: raise the cap or reject the proposal"
    )]
    CapBelowTotal {
        /// The cap.
        cap: Money,
        /// The total in the cap's currency, or the first amount in another.
        total: Money,
    },
    /// A scan of this outage is open.
    #[error("assessment {open} is being decided for this outage: wait until it is completed")]
    SettlementInProgress {
        /// The assessment that is open.
        open: String,
    },
    /// Something was granted after the proposal was made.
    #[error(
        "something was granted at version {granted_version}, after this proposal saw version {seen_version}: propose again"
    )]
    ProposalOutdated {
        /// The version that the proposal saw.
        seen_version: u64,
        /// The version of the last grant.
        granted_version: u64,
    },
    /// The totals do not fit in 64 bits.
    #[error("the totals of assessment {assessment} leave the range of 64-bit minor units")]
    OutOfRange {
        /// The id.
        assessment: String,
    },
}

/// How far an assessment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Waiting for somebody else's approval.
    Proposed,
    /// Being decided.
    Deciding,
    /// Done; everything that follows may be paid.
    Completed,
    /// Turned down.
    Rejected,
    /// Called off.
    Cancelled,
    /// It gave something other than what was approved.
    Stopped,
}

impl std::fmt::Display for Status {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Status::Proposed => "proposed",
            Status::Deciding => "deciding",
            Status::Completed => "completed",
            Status::Rejected => "rejected",
            Status::Cancelled => "cancelled",
            Status::Stopped => "stopped",
        })
    }
}

/// One assessment of this outage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assessment {
    /// How far it is.
    pub status: Status,
    /// What was proposed.
    pub proposal: Proposal,
    /// The version of the proposal on this stream.
    pub proposal_version: u64,
    /// The version of its completion on this stream.
    pub completed_version: Option<u64>,
}

/// All that is decided about an outage so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// The version of the last event.
    pub version: u64,
    /// Every assessment by its id.
    pub assessments: BTreeMap<String, Assessment>,
    /// The assessment whose scan is open.
    pub open: Option<String>,
    /// The version of the last event that granted something.
    pub granted_version: u64,
}

impl State {
    pub(super) fn get(&self, assessment: &str) -> Result<&Assessment, Rejection> {
        let unknown = || Rejection::UnknownAssessment { assessment: assessment.to_owned() };
        self.assessments.get(assessment).ok_or_else(unknown)
    }

    pub(super) fn set(&mut self, assessment: &str, status: Status) {
        if let Some(found) = self.assessments.get_mut(assessment) {
            found.status = status;
        }
        if status != Status::Deciding && self.open.as_deref() == Some(assessment) {
            self.open = None;
        }
    }
}
