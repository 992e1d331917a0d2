//! A payment file, from its creation to the bank's answers: the decider of `payment-file/{file}`.
//!
//! What is in it stands on its reservation streams; an approval is bound to their digests. Once submitted it can never
//! be cancelled, and only a cancelled file frees its payouts.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use crate::decider::Decider;
use crate::money::{Currency, Money, MoneyError};
use crate::reservation::Closing;
use crate::time::Instant;

/// The account that pays, as it will stand in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Debtor {
    /// The holder's name.
    pub name: String,
    /// The account.
    pub iban: String,
    /// The bank's identifier; may be empty.
    pub bic: String,
    /// The holder's town; empty where no address is given.
    pub town: String,
    /// The ISO 3166 code of the holder's country; empty where no address is given.
    pub country: String,
}

/// How a file begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Creation {
    /// The currency of every transfer.
    pub currency: Currency,
    /// The assessments that it pays; empty for all that are released.
    pub assessments: BTreeSet<String>,
    /// Per partition of the payouts, the next offset as of which it draws.
    pub payout_offsets: Vec<u64>,
    /// Per partition of the roster, the next offset as of which payees are read.
    pub roster_offsets: Vec<u64>,
    /// Per partition, transfers at most.
    pub partition_limits: Vec<u64>,
    /// When the bank is to execute it.
    pub execution_date: Date,
    /// Who pays.
    pub debtor: Debtor,
    /// Transfers at most, in all partitions.
    pub max_transfers: u64,
    /// Who created it; the same person cannot approve it.
    pub created_by: String,
}

/// What is in a file, over all partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileContent {
    /// SHA-256 over the partitions' digests in order.
    pub digest: [u8; 32],
    /// Transfers.
    pub count: u64,
    /// Their sum.
    pub total: Money,
}

/// What is submitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submission {
    /// The file's MsgId.
    pub message_id: String,
    /// When it was created, as it stands in the file.
    pub created_at: Instant,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// What the bank says of one transfer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TransferOutcome {
    /// The transfer's EndToEndId.
    pub end_to_end_id: String,
    /// The ISO 20022 status.
    pub status: String,
    /// The ISO 20022 reason code; may be empty.
    pub reason_code: String,
}

/// What somebody asks of a payment file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Begins it.
    Create(Box<Creation>),
    /// Approves what was reserved.
    Approve {
        /// The digest that the approver saw.
        digest: [u8; 32],
        /// Who approves.
        approver: String,
        /// What is in it; none while a partition is open.
        content: Option<FileContent>,
    },
    /// Calls it off.
    Cancel {
        /// Why.
        note: String,
    },
    /// Sends it to the bank.
    Submit {
        /// What is sent.
        submission: Submission,
        /// The digest of what the bytes were made from.
        digest: [u8; 32],
        /// Whether payouts are stopped.
        stopped: bool,
    },
    /// Records what the bank answered.
    Report {
        /// One for each transfer named.
        outcomes: BTreeSet<TransferOutcome>,
    },
}

/// What then has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It begins.
    PaymentFileCreated(Box<Creation>),
    /// Somebody else approved what was reserved.
    PaymentFileApproved(FileContent),
    /// It is not to be used.
    PaymentFileCancelled {
        /// Why.
        note: String,
    },
    /// It went to the bank.
    PaymentFileSubmitted(Submission),
    /// The bank answered.
    PaymentFileReported {
        /// One for each transfer named.
        outcomes: BTreeSet<TransferOutcome>,
    },
}

/// How far a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Being filled, or waiting for approval.
    Created,
    /// Approved, not yet at the bank.
    Approved,
    /// Called off.
    Cancelled,
    /// At the bank.
    Submitted,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// No such file.
    #[error("there is no such payment file")]
    Unknown,
    /// The id is taken by another file.
    #[error("a file with this id and other contents exists: use a new request_id")]
    Exists,
    /// It is not in the state that the command needs.
    #[error("the payment file is {status}, which does not allow this")]
    WrongStatus {
        /// Its status.
        status: Status,
    },
    /// The creator cannot approve.
    #[error("{actor} created this payment file: somebody else has to approve it")]
    SelfApproval {
        /// Who tried.
        actor: String,
    },
    /// It is still being filled.
    #[error("the payment file is still being filled: wait until every partition is closed")]
    StillFilling,
    /// There is nothing in it.
    #[error("the payment file has no transfer: cancel it")]
    Empty,
    /// Something else was seen.
    #[error("the digest is not that of what the file holds: look at the file again")]
    DigestDiffers {
        /// The digest of what it holds.
        expected: [u8; 32],
    },
    /// No money moves.
    #[error("payouts are stopped: resume them first")]
    PayoutsStopped,
}

/// What decisions depend on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// How far it is; none before it exists.
    pub status: Option<Status>,
    /// How it began.
    pub creation: Option<Box<Creation>>,
    /// What was approved.
    pub approved: Option<FileContent>,
    /// What was submitted.
    pub submission: Option<Submission>,
    /// What the bank answered so far.
    pub outcomes: BTreeSet<TransferOutcome>,
}

/// The decider of `payment-file/{file}`.
#[derive(Clone, Copy, Debug)]
pub struct PaymentFile;

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Status {
    /// Gives the status as it is written in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Approved => "approved",
            Status::Cancelled => "cancelled",
            Status::Submitted => "submitted",
        }
    }
}

impl FileContent {
    /// Puts together what the partitions hold, in their order.
    ///
    /// # Errors
    /// `OutOfRange`, `CurrencyMismatch`.
    pub fn of(partitions: &[Closing], currency: Currency) -> Result<Self, MoneyError> {
        let mut hasher = Sha256::new();
        let (mut count, mut total) = (0, Money::new(0, currency));
        for closing in partitions {
            hasher.update(closing.digest);
            count += closing.count;
            total = total.checked_add(closing.total)?;
        }
        Ok(Self { digest: hasher.finalize().into(), count, total })
    }
}

impl Decider for PaymentFile {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = State;

    fn decide(state: &State, command: &Command) -> Result<Option<Event>, Rejection> {
        if let Command::Create(creation) = command {
            return match &state.creation {
                None => Ok(Some(Event::PaymentFileCreated(creation.clone()))),
                Some(known) if known == creation => Ok(None),
                Some(_) => Err(Rejection::Exists),
            };
        }
        let (Some(status), Some(creation)) = (state.status, &state.creation) else {
            return Err(Rejection::Unknown);
        };
        match command {
            Command::Create(_) => Err(Rejection::Exists),
            Command::Approve { digest, approver, content } => {
                approve(state, (status, &creation.created_by), (digest, approver), content.as_ref())
            }
            Command::Cancel { note } => match status {
                Status::Cancelled => Ok(None),
                Status::Submitted => Err(Rejection::WrongStatus { status }),
                Status::Created | Status::Approved => {
                    Ok(Some(Event::PaymentFileCancelled { note: note.clone() }))
                }
            },
            Command::Submit { submission, digest, stopped } => {
                submit(state, status, (submission, digest), *stopped)
            }
            Command::Report { outcomes } => {
                if status != Status::Submitted {
                    return Err(Rejection::WrongStatus { status });
                }
                let new: BTreeSet<_> = outcomes.difference(&state.outcomes).cloned().collect();
                Ok((!new.is_empty()).then_some(Event::PaymentFileReported { outcomes: new }))
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::PaymentFileCreated(creation) => {
                state.status = Some(Status::Created);
                state.creation = Some(creation.clone());
            }
            Event::PaymentFileApproved(content) => {
                state.status = Some(Status::Approved);
                state.approved = Some(*content);
            }
            Event::PaymentFileCancelled { .. } => state.status = Some(Status::Cancelled),
            Event::PaymentFileSubmitted(submission) => {
                state.status = Some(Status::Submitted);
                state.submission = Some(submission.clone());
            }
            Event::PaymentFileReported { outcomes } => {
                state.outcomes.extend(outcomes.iter().cloned());
            }
        }
        state
    }
}

fn approve(
    state: &State,
    (status, created_by): (Status, &str),
    (digest, approver): (&[u8; 32], &str),
    content: Option<&FileContent>,
) -> Result<Option<Event>, Rejection> {
    if status == Status::Approved && state.approved.is_some_and(|known| known.digest == *digest) {
        return Ok(None);
    }
    if status != Status::Created {
        return Err(Rejection::WrongStatus { status });
    }
    if approver == created_by {
        return Err(Rejection::SelfApproval { actor: approver.to_owned() });
    }
    let content = content.ok_or(Rejection::StillFilling)?;
    if content.digest != *digest {
        return Err(Rejection::DigestDiffers { expected: content.digest });
    }
    if content.count == 0 {
        return Err(Rejection::Empty);
    }
    Ok(Some(Event::PaymentFileApproved(*content)))
}

fn submit(
    state: &State,
    status: Status,
    (submission, digest): (&Submission, &[u8; 32]),
    stopped: bool,
) -> Result<Option<Event>, Rejection> {
    if status == Status::Submitted {
        return Ok(None);
    }
    let (Status::Approved, Some(approved)) = (status, &state.approved) else {
        return Err(Rejection::WrongStatus { status });
    };
    if stopped {
        return Err(Rejection::PayoutsStopped);
    }
    if approved.digest != *digest {
        return Err(Rejection::DigestDiffers { expected: approved.digest });
    }
    Ok(Some(Event::PaymentFileSubmitted(submission.clone())))
}

#[cfg(test)]
mod tests;
