//! The command path: known outcome, state, decision, record, verdict.

use ristoro_domain::decider::Decider;
use ristoro_log::{Cause, Position, Verdict};
use ristoro_proto::wire::Wire;

use super::submit::{Authorship, envelope_of};
use super::{CommandError, CommandFailure, CommandRequest, Commands, Done, StreamRef};
use crate::journal::{History, Outcome, Part, StreamEvent, fold, head_of};
use crate::metrics::CommandOutcome;

/// How often a command decides again after it lost a race.
const ATTEMPTS: usize = 5;

impl Commands {
    /// Executes a command and answers when its event can be read, or says why it took no effect.
    ///
    /// A command that was accepted before under its `request_id` gets the same answer again.
    ///
    /// # Errors
    /// See `CommandError`; only `Unknown` leaves it open whether the command took effect.
    pub async fn execute<D>(
        &self,
        stream: &StreamRef,
        request: &CommandRequest,
        command: &D::Command,
    ) -> Result<Done<D::State>, CommandError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        let id = Cause::Command(request.request_id);
        self.decide::<D>(stream, request, command, id).await
    }

    /// Executes a command whose record names `cause` as what led to it.
    pub(super) async fn decide<D>(
        &self,
        stream: &StreamRef,
        request: &CommandRequest,
        command: &D::Command,
        cause: Cause,
    ) -> Result<Done<D::State>, CommandError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        let by = Authorship {
            identity: Cause::Command(request.request_id),
            cause,
            command_id: Some(request.request_id),
            actor: &request.actor,
            traceparent: &request.traceparent,
            occurred_at: request.occurred_at,
        };
        let mut version = 0;
        for _ in 0..ATTEMPTS {
            match self.attempt::<D>(stream, request, command, &by).await {
                Ok(Attempt::Done(done)) => {
                    self.core.telemetry.metrics.command(stream.topic, CommandOutcome::Done);
                    return Ok(done);
                }
                Ok(Attempt::Lost { version: now }) => version = now,
                Err(error) => {
                    self.core.telemetry.metrics.command(stream.topic, counted(&error));
                    return Err(error);
                }
            }
        }
        self.core.telemetry.metrics.command(stream.topic, CommandOutcome::Conflict);
        Err(CommandError::Conflict { version })
    }

    async fn attempt<D>(
        &self,
        stream: &StreamRef,
        request: &CommandRequest,
        command: &D::Command,
        by: &Authorship<'_>,
    ) -> Result<Attempt<D::State>, CommandError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        let (topic, id) = (stream.topic, request.request_id);
        let history = self.journal.history(topic, &stream.id, Some(id), Part::of::<D>()).await;
        let History { events, outcome } = history.map_err(CommandFailure::Journal)?;
        if let Some(outcome) = outcome {
            return answered::<D>(stream, &events, &outcome);
        }
        let head = events.last().map(head_of);
        let version = head.map_or(0, |head| head.version);
        if request.expected_version.is_some_and(|expected| expected != version) {
            return Err(CommandError::Conflict { version });
        }
        let state = fold::<D>(&events).map_err(CommandFailure::Journal)?;
        // The snapshot above held no outcome of this request_id, so a refusal is not its own echo.
        let Some(event) = D::decide(&state, command).map_err(CommandError::Rejected)? else {
            let token = events.last().map(|event| event.position).into_iter().collect();
            return Ok(Attempt::Done(Done { state, version, token, changed: false }));
        };
        if request.validate_only {
            let state = D::evolve(state, &event);
            return Ok(Attempt::Done(Done { state, version, token: Vec::new(), changed: true }));
        }
        let envelope = envelope_of(stream, head, &event, by);
        let (position, verdict) = self.submit(stream, envelope).await?;
        if verdict == Verdict::Accepted {
            let state = D::evolve(state, &event);
            let (version, token) = (version + 1, vec![position]);
            return Ok(Attempt::Done(Done { state, version, token, changed: true }));
        }
        self.after_a_loss::<D>(stream, request, position).await
    }

    /// Finds out whether an earlier attempt of the same command won, or somebody else did.
    async fn after_a_loss<D>(
        &self,
        stream: &StreamRef,
        request: &CommandRequest,
        position: Position,
    ) -> Result<Attempt<D::State>, CommandError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        // The record is void, and yet an earlier one of this command may count: only a successful
        // look tells, so a failure here is no answer.
        let unknown = |error: crate::journal::JournalError| {
            CommandError::Unknown(format!("the record {position} is void, and {error}"))
        };
        let (id, part) = (Some(request.request_id), Part::of::<D>());
        let history = self.journal.history(stream.topic, &stream.id, id, part);
        let History { events, outcome } = history.await.map_err(unknown)?;
        if let Some(outcome) = outcome {
            return answered::<D>(stream, &events, &outcome);
        }
        let version = events.last().map_or(0, |event| event.envelope.version);
        if request.expected_version.is_some() {
            return Err(CommandError::Conflict { version });
        }
        Ok(Attempt::Lost { version })
    }
}

enum Attempt<S> {
    Done(Done<S>),
    Lost { version: u64 },
}

/// Answers a command that was accepted before, with the state that it led to.
fn answered<D>(
    stream: &StreamRef,
    events: &[StreamEvent],
    outcome: &Outcome,
) -> Result<Attempt<D::State>, CommandError<D::Rejection>>
where
    D: Decider,
    D::Event: Wire,
{
    if outcome.position.topic != stream.topic || outcome.stream != stream.id {
        return Err(CommandError::RequestIdReused);
    }
    let then = events.partition_point(|event| event.envelope.version <= outcome.version);
    let state = fold::<D>(&events[..then]).map_err(CommandFailure::Journal)?;
    let (version, token) = (outcome.version, vec![outcome.position]);
    Ok(Attempt::Done(Done { state, version, token, changed: true }))
}

fn counted<R>(error: &CommandError<R>) -> CommandOutcome {
    match error {
        CommandError::Rejected(_) | CommandError::RequestIdReused => CommandOutcome::Rejected,
        CommandError::Conflict { .. } => CommandOutcome::Conflict,
        CommandError::Unknown(_) => CommandOutcome::Unknown,
        CommandError::Failure(_) => CommandOutcome::Failed,
    }
}
