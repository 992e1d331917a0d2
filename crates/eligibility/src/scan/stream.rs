//! The stream of a scan's partition: where its next record goes, and whether the tables show what stands before it.

use ristoro_domain::decided::Event;
use ristoro_domain::time::Instant;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::{Cause, Envelope, NewRecord, Position, StreamHead, Topic};
use ristoro_proto::wire::Wire;
use uuid::Uuid;

use crate::projections::decision::ScanRow;

/// Where the next record goes, and what it carries of its cause.
#[derive(Debug)]
pub struct ScanStream {
    id: String,
    partition: u32,
    version: u64,
    previous: Uuid,
    cause: Cause,
    occurred_at: Instant,
    traceparent: String,
}

/// What a record of a scan follows from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanCause {
    /// The record of the settlement.
    pub position: Position,
    /// Its business time.
    pub occurred_at: Instant,
    /// Its trace context; may be empty.
    pub traceparent: String,
}

/// How far the tables show a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// They are not where the stream is: ahead of what was seen of it, or behind.
    Elsewhere,
    /// They show all of it, and more chunks may follow.
    Open,
    /// They show all of it, and it has ended.
    Ended {
        /// Whether by being called off.
        voided: bool,
    },
}

impl ScanStream {
    /// Goes on behind the head of an assessment's partition.
    #[must_use]
    pub fn behind(
        head: Option<StreamHead>,
        assessment: &str,
        partition: u32,
        cause: ScanCause,
    ) -> Self {
        Self {
            id: format!("scan/{assessment}/{partition}"),
            partition,
            version: head.map_or(0, |head| head.version),
            previous: head.map_or(Uuid::nil(), |head| head.event_id),
            cause: Cause::Log(cause.position),
            occurred_at: cause.occurred_at,
            traceparent: cause.traceparent,
        }
    }

    /// Tells whether the tables show exactly what stands before the next record.
    ///
    /// Head and tables are read from two consumers. A record whose content comes from tables that are further than the
    /// head it goes behind would have another chunk's version and id, and with it the records behind it would count.
    #[must_use]
    pub fn shown(&self, known: Option<&ScanRow>) -> Shown {
        let Some(known) = known else {
            return if self.version == 0 { Shown::Open } else { Shown::Elsewhere };
        };
        let ends = u64::from(known.result.is_some()) + u64::from(known.voided);
        match known.chunks + ends == self.version {
            false => Shown::Elsewhere,
            true if ends == 0 => Shown::Open,
            true => Shown::Ended { voided: known.voided },
        }
    }

    /// Gives the version of the last record.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Makes the next record, and counts it as written.
    pub fn record(&mut self, event: &Event) -> NewRecord {
        let version = self.version + 1;
        let event_id = derived_event_id(&self.id, version, &self.cause);
        let envelope = Envelope {
            event_id,
            stream: self.id.clone(),
            version,
            previous: self.previous,
            kind: event.kind().to_owned(),
            occurred_at: self.occurred_at,
            cause: self.cause,
            command_id: None,
            actor: String::new(),
            traceparent: self.traceparent.clone(),
            payload: event.encode(),
        };
        self.version = version;
        self.previous = event_id;
        NewRecord { topic: Topic::Entitlement, partition: self.partition, envelope }
    }
}
