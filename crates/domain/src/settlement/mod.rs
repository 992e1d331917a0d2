//! The settlement of one outage: who proposed, approved and completed what, in one order.
//!
//! Whoever grants something for an outage does it on this stream, so that nobody decides on the belief that nothing
//! was granted yet.

mod model;
mod state;
#[cfg(test)]
mod tests;

pub use model::{Command, Event, Leftovers, Pins, Proposal};
pub use state::{Assessment, Rejection, State, Status};

use crate::decider::Decider;
use crate::money::Money;

/// The decider of `settlement/{outage}`.
#[derive(Debug)]
pub struct Settlement;

impl Decider for Settlement {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = State;

    fn decide(state: &State, command: &Command) -> Result<Option<Event>, Rejection> {
        match command {
            Command::Propose(proposal) => propose(state, proposal),
            Command::Approve { assessment, digest, cap, approver } => {
                approve(state, assessment, *digest, *cap, approver)
            }
            Command::Reject { assessment, note } => reject(state, assessment, note),
            Command::Cancel { assessment, note } => {
                let open = is_to_change(state, assessment, Status::Deciding, Status::Cancelled)?;
                let event = || Event::AssessmentCancelled {
                    assessment: assessment.clone(),
                    note: note.clone(),
                };
                Ok(open.then(event))
            }
            Command::Complete { assessment, totals, chunks } => {
                let open = is_to_change(state, assessment, Status::Deciding, Status::Completed)?;
                let event = || Event::AssessmentCompleted {
                    assessment: assessment.clone(),
                    totals: totals.clone(),
                    chunks: chunks.clone(),
                };
                Ok(open.then(event))
            }
            Command::Stop { assessment, partition, found } => {
                stop(state, assessment, *partition, *found)
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        state.version += 1;
        match event {
            Event::AssessmentProposed(proposal) => {
                let proposal_version = state.version;
                let status = Status::Proposed;
                let assessment = Assessment {
                    status,
                    proposal: (**proposal).clone(),
                    proposal_version,
                    completed_version: None,
                };
                state.assessments.insert(proposal.assessment.clone(), assessment);
            }
            Event::AssessmentApproved { assessment, .. } => {
                state.open = Some(assessment.clone());
                state.set(assessment, Status::Deciding);
            }
            Event::AssessmentRejected { assessment, .. } => state.set(assessment, Status::Rejected),
            Event::AssessmentCompleted { assessment, .. } => {
                state.granted_version = state.version;
                state.set(assessment, Status::Completed);
                if let Some(found) = state.assessments.get_mut(assessment) {
                    found.completed_version = Some(state.version);
                }
            }
            Event::AssessmentCancelled { assessment, .. } => {
                state.set(assessment, Status::Cancelled);
            }
            Event::AssessmentStopped { assessment, .. } => state.set(assessment, Status::Stopped),
        }
        state
    }
}

/// Tells whether an assessment is `from`, so that it can become `to`; not where it already is `to`.
fn is_to_change(
    state: &State,
    assessment: &str,
    from: Status,
    to: Status,
) -> Result<bool, Rejection> {
    let status = state.get(assessment)?.status;
    if status != from && status != to {
        return Err(wrong(assessment, status));
    }
    Ok(status == from)
}

fn wrong(assessment: &str, status: Status) -> Rejection {
    Rejection::WrongStatus { assessment: assessment.to_owned(), status }
}

fn propose(state: &State, proposal: &Proposal) -> Result<Option<Event>, Rejection> {
    match state.assessments.get(&proposal.assessment) {
        Some(found) if found.proposal == *proposal => Ok(None),
        Some(_) => Err(Rejection::AssessmentExists { assessment: proposal.assessment.clone() }),
        None => Ok(Some(Event::AssessmentProposed(Box::new(proposal.clone())))),
    }
}

fn approve(
    state: &State,
    assessment: &str,
    digest: [u8; 32],
    cap: Money,
    approver: &str,
) -> Result<Option<Event>, Rejection> {
    let found = state.get(assessment)?;
    let expected = found.proposal.digest();
    // Before anything else: who proposed it is not told that it is approved as if they had a part in that.
    if approver == found.proposal.proposed_by {
        return Err(Rejection::SelfApproval { actor: approver.to_owned() });
    }
    if found.status == Status::Deciding && digest == expected {
        return Ok(None);
    }
    if found.status != Status::Proposed {
        return Err(wrong(assessment, found.status));
    }
    if let Some(open) = &state.open {
        return Err(Rejection::SettlementInProgress { open: open.clone() });
    }
    let seen_version = found.proposal.pins.settlement_version;
    if state.granted_version > seen_version {
        let granted_version = state.granted_version;
        return Err(Rejection::ProposalOutdated { seen_version, granted_version });
    }
    if digest != expected {
        return Err(Rejection::DigestDiffers { expected });
    }
    let out_of_range = |_| Rejection::OutOfRange { assessment: assessment.to_owned() };
    for total in found.proposal.totals.amounts().map_err(out_of_range)? {
        if total.currency != cap.currency || total.minor > cap.minor {
            return Err(Rejection::CapBelowTotal { cap, total });
        }
    }
    Ok(Some(Event::AssessmentApproved {
        assessment: assessment.to_owned(),
        proposal_version: found.proposal_version,
        proposal_digest: digest,
        cap,
        approved_by: approver.to_owned(),
    }))
}

fn reject(state: &State, assessment: &str, note: &str) -> Result<Option<Event>, Rejection> {
    let open = is_to_change(state, assessment, Status::Proposed, Status::Rejected)?;
    let (assessment, note) = (assessment.to_owned(), note.to_owned());
    Ok(open.then_some(Event::AssessmentRejected { assessment, note }))
}

fn stop(
    state: &State,
    assessment: &str,
    partition: u32,
    found: [u8; 32],
) -> Result<Option<Event>, Rejection> {
    let open = is_to_change(state, assessment, Status::Deciding, Status::Stopped)?;
    let expected = state.get(assessment)?.proposal.digests.get(partition as usize);
    let expected = expected.copied().unwrap_or_default();
    let assessment = assessment.to_owned();
    Ok(open.then_some(Event::AssessmentStopped { assessment, partition, expected, found }))
}
