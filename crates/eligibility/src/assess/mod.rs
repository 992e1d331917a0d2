//! From pins to decisions: what a simulation, a scan and a recomputation a year later have in common.

pub mod compare;
pub mod groups;
pub mod inputs;
pub mod simulate;
pub mod summary;
mod tally;
#[cfg(test)]
mod testing;
pub mod walk;

pub use inputs::{Inputs, Stated};
pub use walk::Walk;

use jiff::civil::Date;

/// Why an assessment could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// The outage is not known.
    #[error("outage {0} is not known")]
    UnknownOutage(String),
    /// The outage was withdrawn or has no impact yet.
    #[error("outage {0} has nothing to assess: it was withdrawn or has no impact")]
    NothingToAssess(String),
    /// The policy is not known, or not in this version.
    #[error("policy {0} is not known")]
    UnknownPolicy(String),
    /// A stored policy does not load in this program.
    #[error("policy {policy} does not load: {problem}")]
    UnreadablePolicy {
        /// Its id and version.
        policy: String,
        /// The first problem.
        problem: String,
    },
    /// The day of the payment is before the outage or too far ahead.
    #[error("{day} is {what}: write a day from {first} to {last}")]
    PaymentDay {
        /// The day that was given.
        day: Date,
        /// What is wrong with it.
        what: &'static str,
        /// The first day that can be.
        first: Date,
        /// The last one.
        last: Date,
    },
    /// The policy refuses the case of a subscription, such as an outage that is still open.
    #[error("the policy refuses: {0}")]
    Refused(#[from] ristoro_domain::policy::Refusal),
    /// A sum left 64 bits.
    #[error(transparent)]
    Money(#[from] ristoro_domain::money::MoneyError),
    /// The chunks of a scan are not in number order.
    #[error(transparent)]
    Order(#[from] ristoro_domain::policy::digest::OutOfOrder),
    /// A worker of a simulation ended without a result.
    #[error("a part of the simulation ended without a result: try it again")]
    Worker,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}
