//! Projections: the tables that a service folds from one topic, in the transaction that moves its position.

use futures::future::BoxFuture;
use ristoro_log::{Position, Topic};
use ristoro_proto::wire::Wire;
use sqlx::PgConnection;

use crate::accepted::Accepted;

/// Folds one topic into all tables that a service keeps of it. Each service has at most one per topic.
pub trait Projection: Send + Sync + 'static {
    /// Gives the consumer's name, such as `eligibility.roster`; positions are kept under it.
    fn name(&self) -> &'static str;

    /// Gives the topic that it folds.
    fn topic(&self) -> Topic;

    /// Folds accepted records of one partition, in offset order, into the tables of the schema that
    /// the connection's search path names.
    ///
    /// It runs inside the transaction that moves the position and may run again after a rollback, so
    /// it touches nothing but these tables.
    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>>;
}

/// Why records could not be folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// A payload cannot be read or folded: that consumer's partition stops there until a newer program
    /// or a `RecordSkipped` helps.
    #[error("the record {position} cannot be folded: {problem}")]
    Payload {
        /// The record.
        position: Position,
        /// What is wrong with it.
        problem: String,
    },
    /// The database failed: the batch is rolled back and folded again.
    #[error("the database failed while folding: {0}")]
    Database(#[from] sqlx::Error),
}

/// Decodes an accepted record's payload.
///
/// # Errors
/// `Payload`, which stops the partition: the record counts and cannot be read.
pub fn decode<E: Wire>(record: &Accepted) -> Result<E, FoldError> {
    E::decode(&record.envelope.kind, &record.envelope.payload).map_err(|error| FoldError::Payload {
        position: record.position,
        problem: error.to_string(),
    })
}
