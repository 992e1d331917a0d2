//! What is asked of a settlement and what then has happened.

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use crate::money::Money;
use crate::time::Instant;
use crate::totals::Totals;

/// What a decision depends on, each as of log positions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pins {
    /// The policy's id.
    pub policy: String,
    /// Its version.
    pub policy_version: String,
    /// The position of its publication, as text.
    pub policy_position: String,
    /// The position of the outage's last event, as text.
    pub outage_position: String,
    /// Per partition of the roster, the next offset: everything below it counts.
    pub roster_offsets: Vec<u64>,
    /// The version of this stream that was seen.
    pub settlement_version: u64,
    /// The version of the bundled time-zone data.
    pub time_zone_data: String,
    /// When the outage became known, where that differs from its start.
    pub known_at: Option<Instant>,
    /// The day in the policy's zone on which what is owed is to be paid, to which interest runs.
    pub payment_day: Option<Date>,
    /// Whose leftovers are taken over; none where the policy carries nothing over.
    pub leftovers: Option<Leftovers>,
}

/// What an assessment takes over from before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leftovers {
    /// The completed assessment that was the end of the policy's chain; none where nobody left anything yet.
    pub from: Option<String>,
}

/// A proposal, as it was simulated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// The assessment's id.
    pub assessment: String,
    /// The outage.
    pub outage: String,
    /// What it depends on.
    pub pins: Pins,
    /// What it gives.
    pub totals: Totals,
    /// Per partition, the digest of the decisions.
    pub digests: Vec<[u8; 32]>,
    /// Subscriptions a chunk.
    pub chunk_size: u32,
    /// Assessments that already gave something and that this one takes into account.
    pub after_assessments: Vec<String>,
    /// Who proposed it.
    pub proposed_by: String,
}

/// What somebody asks of a settlement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Proposes an assessment.
    Propose(Box<Proposal>),
    /// Approves a proposal that was seen.
    Approve {
        /// The assessment.
        assessment: String,
        /// The digest that the approver saw.
        digest: [u8; 32],
        /// The most that may be given.
        cap: Money,
        /// Who approves.
        approver: String,
    },
    /// Turns a proposal down.
    Reject {
        /// The assessment.
        assessment: String,
        /// Why.
        note: String,
    },
    /// Calls an open scan off.
    Cancel {
        /// The assessment.
        assessment: String,
        /// Why.
        note: String,
    },
    /// States that every partition gave what was approved.
    Complete {
        /// The assessment.
        assessment: String,
        /// What was given.
        totals: Totals,
        /// Chunks per partition.
        chunks: Vec<u64>,
    },
    /// States that a partition gave something else.
    Stop {
        /// The assessment.
        assessment: String,
        /// The partition.
        partition: u32,
        /// The digest that came out.
        found: [u8; 32],
    },
}

/// What has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A proposal stands.
    AssessmentProposed(Box<Proposal>),
    /// It was approved and is being decided.
    AssessmentApproved {
        /// The assessment.
        assessment: String,
        /// The version of the proposal on this stream.
        proposal_version: u64,
        /// The digest that the approver saw.
        proposal_digest: [u8; 32],
        /// The most that may be given.
        cap: Money,
        /// Who approved.
        approved_by: String,
    },
    /// It was turned down.
    AssessmentRejected {
        /// The assessment.
        assessment: String,
        /// Why.
        note: String,
    },
    /// Everybody has got their decision, and all are as approved.
    AssessmentCompleted {
        /// The assessment.
        assessment: String,
        /// What was given.
        totals: Totals,
        /// Chunks per partition.
        chunks: Vec<u64>,
    },
    /// The scan was called off.
    AssessmentCancelled {
        /// The assessment.
        assessment: String,
        /// Why.
        note: String,
    },
    /// The scan gave something other than what was approved.
    AssessmentStopped {
        /// The assessment.
        assessment: String,
        /// The partition.
        partition: u32,
        /// The digest that was approved.
        expected: [u8; 32],
        /// The digest that came out.
        found: [u8; 32],
    },
}

impl Proposal {
    /// Gives the digest that an approval names: SHA-256 over the partitions' digests in order.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        self.digests.iter().for_each(|digest| hasher.update(digest));
        hasher.finalize().into()
    }
}
