//! Appends one record and waits until its verdict is known.

use ristoro_domain::time::Instant;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::{Cause, Envelope, LogError, NewRecord, Position, StreamHead, Verdict};
use ristoro_proto::wire::Wire;
use uuid::Uuid;

use super::{CommandError, CommandFailure, Commands, StreamRef};

/// What a decision's record says besides its event.
pub(super) struct Authorship<'a> {
    /// What the event's id is derived from: the command or the claim.
    pub identity: Cause,
    /// What led to it.
    pub cause: Cause,
    /// The command, where it is one.
    pub command_id: Option<Uuid>,
    /// Who asks.
    pub actor: &'a str,
    /// W3C trace context.
    pub traceparent: &'a str,
    /// Business time.
    pub occurred_at: Instant,
}

/// Writes the record that follows a head.
pub(super) fn envelope_of<E: Wire>(
    stream: &StreamRef,
    head: Option<StreamHead>,
    event: &E,
    by: &Authorship<'_>,
) -> Envelope {
    let head = head.unwrap_or(StreamHead { version: 0, event_id: Uuid::nil() });
    let version = head.version + 1;
    Envelope {
        event_id: derived_event_id(&stream.id, version, &by.identity),
        stream: stream.id.clone(),
        version,
        previous: head.event_id,
        kind: event.kind().to_owned(),
        occurred_at: by.occurred_at,
        cause: by.cause,
        command_id: by.command_id,
        actor: by.actor.to_owned(),
        traceparent: by.traceparent.to_owned(),
        payload: event.encode(),
    }
}

impl Commands {
    /// Appends a record and waits until the journal and the service's tables have passed it.
    pub(super) async fn submit<R>(
        &self,
        stream: &StreamRef,
        envelope: Envelope,
    ) -> Result<(Position, Verdict), CommandError<R>> {
        let record = NewRecord { topic: stream.topic, partition: stream.partition, envelope };
        let offsets = match self.core.log.append(&[record]).await {
            Ok(offsets) => offsets,
            Err(LogError::Unavailable(problem)) => return Err(CommandError::Unknown(problem)),
            Err(
                error @ (LogError::Missing { .. }
                | LogError::Foreign(_)
                | LogError::TooLarge { .. }),
            ) => return Err(CommandFailure::Log(error).into()),
        };
        let unknown = |problem: String| CommandError::Unknown(problem);
        let Some(offset) = offsets.first().copied() else {
            return Err(unknown("the log gave no offset".to_owned()));
        };
        let position = Position { topic: stream.topic, partition: stream.partition, offset };
        // From here on the record is on the log, so no failure can say that nothing happened.
        let deadline = tokio::time::Instant::now() + self.core.settings.command_wait;
        self.journal
            .wait_until(position, deadline)
            .await
            .map_err(|error| unknown(error.to_string()))?;
        self.core
            .wait_for_tables(position, deadline)
            .await
            .map_err(|error| unknown(error.to_string()))?;
        match self.journal.verdict_at(position).await {
            Ok(Some(verdict)) => Ok((position, verdict)),
            Ok(None) => Err(unknown(format!("the journal has no verdict on {position}"))),
            Err(error) => Err(unknown(error.to_string())),
        }
    }
}
