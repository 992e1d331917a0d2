//! Commands and claims without IO: what each needs next, and its answer.
//!
//! The paths that serve callers and the tests that run every interleaving both go by these, so that
//! what is tested is what runs.

use ristoro_domain::decider::Decider;
use ristoro_domain::time::Instant;
use ristoro_log::{Cause, Envelope, Position, Verdict};
use ristoro_proto::wire::Wire;
use uuid::Uuid;

use super::submit::{Authorship, envelope_of};
use super::{Claimed, CommandError, CommandFailure, CommandRequest, Done, StreamRef};
use crate::journal::{History, JournalError, Outcome, fold, head_of};

/// How often a command decides again after it lost a race.
const ATTEMPTS: usize = 5;

/// What a command or claim needs next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a step is moved once and never kept")]
pub enum Step<T> {
    /// To look at the stream's history, and at what became of the command, in one snapshot.
    Look,
    /// This record on the log, and then its verdict.
    Append(Envelope),
    /// Nothing: this is the answer.
    Done(T),
}

/// A command on its way: known outcome, state, decision, record, verdict.
pub struct Execution<D: Decider> {
    stream: StreamRef,
    request: CommandRequest,
    cause: Cause,
    attempts: usize,
    /// The last record of this command that was void.
    void_at: Option<Position>,
    /// The state and version that the record leads to, if it counts.
    then: Option<(D::State, u64)>,
}

/// A claim on its way: state, decision, record, verdict, and no second try.
pub struct Claiming<D: Decider> {
    stream: StreamRef,
    claim_id: Uuid,
    traceparent: String,
    occurred_at: Instant,
    lost: bool,
    /// The state and version that the record leads to, if it counts.
    then: Option<(D::State, u64)>,
}

impl<D> Execution<D>
where
    D: Decider,
    D::Event: Wire,
{
    /// Begins a command whose record names `cause` as what led to it; it has to look first.
    #[must_use]
    pub fn new(stream: StreamRef, request: CommandRequest, cause: Cause) -> Self {
        Self { stream, request, cause, attempts: 0, void_at: None, then: None }
    }

    /// Goes on with what was found.
    ///
    /// # Errors
    /// See `CommandError`; never `Unknown`.
    pub fn look(
        &mut self,
        command: &D::Command,
        history: &History,
    ) -> Result<Step<Done<D::State>>, CommandError<D::Rejection>> {
        let History { events, outcome } = history;
        // One snapshot held the events and no outcome of this request_id, so a refusal below is not its own echo.
        if let Some(outcome) = outcome {
            return self.answered(history, outcome).map(Step::Done);
        }
        let head = events.last().map(head_of);
        let version = head.map_or(0, |head| head.version);
        let lost = self.void_at.is_some() && self.request.expected_version.is_some();
        let unexpected = self.request.expected_version.is_some_and(|expected| expected != version);
        if lost || unexpected || self.attempts == ATTEMPTS {
            return Err(CommandError::Conflict { version });
        }
        self.attempts += 1;
        let state = fold::<D>(events).map_err(CommandFailure::Journal)?;
        let Some(event) = D::decide(&state, command).map_err(CommandError::Rejected)? else {
            let token = events.last().map(|event| event.position).into_iter().collect();
            return Ok(Step::Done(Done { state, version, token, changed: false }));
        };
        let by = Authorship {
            identity: Cause::Command(self.request.request_id),
            cause: self.cause,
            command_id: Some(self.request.request_id),
            actor: &self.request.actor,
            traceparent: &self.request.traceparent,
            occurred_at: self.request.occurred_at,
        };
        let envelope = envelope_of(&self.stream, head, &event, &by);
        let state = D::evolve(state, &event);
        if self.request.validate_only {
            return Ok(Step::Done(Done { state, version, token: Vec::new(), changed: true }));
        }
        self.then = Some((state, version + 1));
        Ok(Step::Append(envelope))
    }

    /// Goes on with the verdict on the record that was asked for.
    pub fn judged(&mut self, position: Position, verdict: Verdict) -> Step<Done<D::State>> {
        match (verdict, self.then.take()) {
            (Verdict::Accepted, Some((state, version))) => {
                Step::Done(Done { state, version, token: vec![position], changed: true })
            }
            // An earlier attempt of the same command won, or somebody else did.
            _ => {
                self.void_at = Some(position);
                Step::Look
            }
        }
    }

    /// Says what it means that the history could not be read.
    #[must_use]
    pub fn unread(&self, error: JournalError) -> CommandError<D::Rejection> {
        match self.void_at {
            None => CommandFailure::Journal(error).into(),
            // The record is void, and yet an earlier one of this command may count: only a successful
            // look tells, so a failure here is no answer.
            Some(position) => {
                CommandError::Unknown(format!("the record {position} is void, and {error}"))
            }
        }
    }

    /// Answers a command that was accepted before, with the state that it led to.
    fn answered(
        &self,
        History { events, .. }: &History,
        outcome: &Outcome,
    ) -> Result<Done<D::State>, CommandError<D::Rejection>> {
        if outcome.position.topic != self.stream.topic || outcome.stream != self.stream.id {
            return Err(CommandError::RequestIdReused);
        }
        let then = events.partition_point(|event| event.envelope.version <= outcome.version);
        let state = fold::<D>(&events[..then]).map_err(CommandFailure::Journal)?;
        let (version, token) = (outcome.version, vec![outcome.position]);
        Ok(Done { state, version, token, changed: true })
    }
}

impl<D> Claiming<D>
where
    D: Decider,
    D::Event: Wire,
{
    /// Begins a claim under a fresh id; it has to look first.
    #[must_use]
    pub fn new(stream: StreamRef, claim_id: Uuid, traceparent: &str, occurred_at: Instant) -> Self {
        let traceparent = traceparent.to_owned();
        Self { stream, claim_id, traceparent, occurred_at, lost: false, then: None }
    }

    /// Goes on with what was found.
    ///
    /// # Errors
    /// `Rejected`, `Failure`.
    pub fn look(
        &mut self,
        command: &D::Command,
        History { events, .. }: &History,
    ) -> Result<Step<Claimed<D::State>>, CommandError<D::Rejection>> {
        let head = events.last().map(head_of);
        let (version, claim_id) = (head.map_or(0, |head| head.version), self.claim_id);
        let state = fold::<D>(events).map_err(CommandFailure::Journal)?;
        let event = match self.lost {
            true => None,
            false => D::decide(&state, command).map_err(CommandError::Rejected)?,
        };
        let Some(event) = event else {
            return Ok(Step::Done(Claimed { state, owned: false, version, claim_id }));
        };
        let by = Authorship {
            identity: Cause::Claim(claim_id),
            cause: Cause::Claim(claim_id),
            command_id: None,
            actor: "",
            traceparent: &self.traceparent,
            occurred_at: self.occurred_at,
        };
        let envelope = envelope_of(&self.stream, head, &event, &by);
        self.then = Some((D::evolve(state, &event), version + 1));
        Ok(Step::Append(envelope))
    }

    /// Goes on with the verdict on the record that was asked for.
    pub fn judged(&mut self, verdict: Verdict) -> Step<Claimed<D::State>> {
        let claim_id = self.claim_id;
        match (verdict, self.then.take()) {
            (Verdict::Accepted, Some((state, version))) => {
                Step::Done(Claimed { state, owned: true, version, claim_id })
            }
            _ => {
                self.lost = true;
                Step::Look
            }
        }
    }
}
