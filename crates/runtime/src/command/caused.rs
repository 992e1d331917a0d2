//! Commands that an accepted record causes, and claims.

use ristoro_domain::decider::Decider;
use ristoro_domain::time::Instant;
use ristoro_log::{Cause, Position};
use ristoro_proto::wire::Wire;
use tracing::Instrument;
use uuid::Uuid;

use super::step::{Claiming, Step};
use super::{Claimed, CommandError, CommandFailure, CommandRequest, Commands, Done, StreamRef};
use crate::accepted::Accepted;
use crate::journal::Part;
use crate::telemetry::traced;

/// The namespace of system commands' request ids.
const SYSTEM_COMMANDS: Uuid = Uuid::from_u128(0x2b6c_01f4_8a3d_4c0b_9e7e_55aa_70c9_1d38);

/// Gives the request id of a system command: the same record causes the same command again.
#[must_use]
pub(super) fn caused_request_id(stream: &StreamRef, name: &str, cause: Position) -> Uuid {
    let text = format!("{}\n{}\n{name}\n{cause}", stream.topic, stream.id);
    Uuid::new_v5(&SYSTEM_COMMANDS, text.as_bytes())
}

impl Commands {
    /// Executes the command that an accepted record causes, under `system:<name>`.
    ///
    /// # Errors
    /// As `execute`.
    pub async fn execute_caused<D>(
        &self,
        stream: &StreamRef,
        cause: &Accepted,
        name: &str,
        command: &D::Command,
    ) -> Result<Done<D::State>, CommandError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        let request = CommandRequest {
            request_id: caused_request_id(stream, name, cause.position),
            actor: format!("system:{name}"),
            traceparent: cause.envelope.traceparent.clone(),
            occurred_at: cause.envelope.occurred_at,
            expected_version: None,
            validate_only: false,
            content: None,
        };
        self.decide::<D>(stream, &request, command, Cause::Log(cause.position)).await
    }

    /// Tries once to own an effect: decides and appends under a fresh claim id.
    ///
    /// Only with `owned` may the caller act. Without it somebody else was first, or there is nothing to do.
    ///
    /// # Errors
    /// As `execute`; after `Unknown` the caller looks at the stream before it claims again.
    pub async fn claim<D>(
        &self,
        stream: &StreamRef,
        traceparent: &str,
        occurred_at: Instant,
        command: &D::Command,
    ) -> Result<Claimed<D::State>, CommandError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        let span = traced("claim", &stream.id, traceparent);
        let claiming = Claiming::new(stream.clone(), Uuid::new_v4(), traceparent, occurred_at);
        self.run_claim::<D>(stream, command, claiming).instrument(span).await
    }

    async fn run_claim<D>(
        &self,
        stream: &StreamRef,
        command: &D::Command,
        mut claiming: Claiming<D>,
    ) -> Result<Claimed<D::State>, CommandError<D::Rejection>>
    where
        D: Decider,
        D::Event: Wire,
    {
        let (topic, part) = (stream.topic, Part::of::<D>());
        let mut step = Step::Look;
        loop {
            step = match step {
                Step::Look => {
                    let history = self.journal.history(topic, &stream.id, None, part).await;
                    let history = history.map_err(CommandFailure::Journal)?;
                    claiming.look(command, &history)?
                }
                Step::Append(envelope) => {
                    let (_, verdict) = self.submit(stream, envelope).await?;
                    claiming.judged(verdict)
                }
                Step::Done(claimed) => return Ok(claimed),
            }
        }
    }
}
