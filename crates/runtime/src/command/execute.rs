//! The command path: known outcome, state, decision, record, verdict.

use ristoro_domain::decider::Decider;
use ristoro_log::Cause;
use ristoro_proto::wire::Wire;

use super::step::{Execution, Step};
use super::{CommandError, CommandRequest, Commands, Done, StreamRef};
use crate::journal::Part;
use crate::metrics::CommandOutcome;

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

    /// Executes a command whose record names `cause` as what led to it, and counts how it ended.
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
        let execution = Execution::<D>::new(stream.clone(), request.clone(), cause);
        let answer = self.run(stream, request, command, execution).await;
        let outcome = answer.as_ref().map_or_else(counted, |_| CommandOutcome::Done);
        self.core.telemetry.metrics.command(stream.topic, outcome);
        answer
    }

    async fn run<D>(
        &self,
        stream: &StreamRef,
        request: &CommandRequest,
        command: &D::Command,
        mut execution: Execution<D>,
    ) -> Result<Done<D::State>, CommandError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        self.check_content(request).await?;
        let (id, part) = (Some(request.request_id), Part::of::<D>());
        let mut step = Step::Look;
        loop {
            step = match step {
                Step::Look => {
                    let history = self.journal.history(stream.topic, &stream.id, id, part).await;
                    let history = history.map_err(|error| execution.unread(error))?;
                    execution.look(command, &history)?
                }
                Step::Append(envelope) => {
                    self.bind_content(request).await?;
                    let (position, verdict) = self.submit(stream, envelope).await?;
                    execution.judged(position, verdict)
                }
                Step::Done(done) => return Ok(done),
            }
        }
    }
}

fn counted<R>(error: &CommandError<R>) -> CommandOutcome {
    match error {
        CommandError::Rejected(_) | CommandError::RequestIdReused => CommandOutcome::Rejected,
        CommandError::Conflict { .. } => CommandOutcome::Conflict,
        CommandError::Unknown(_) => CommandOutcome::Unknown,
        CommandError::Failure(_) => CommandOutcome::Failed,
    }
}
