//! The event log: the port that everything else sees, the envelope, and the fold that says which record counts.

pub mod acceptance;
mod append;
pub mod config;
pub mod copy;
pub mod envelope;
pub mod genesis;
pub mod kafka;
pub mod memory;
pub mod plan;
pub mod port;
pub mod position;
pub mod postgres;
pub mod topic;
pub mod verify;

pub use acceptance::{Heads, StreamHead, Verdict};
pub use append::MAX_VALUE_BYTES;
pub use config::LogConfig;
pub use envelope::{Cause, Envelope};
pub use genesis::LogIdentity;
pub use plan::{PlannedTopic, TopicPlan};
pub use port::{EventLog, Limits, LogError, NewRecord, Reader, Record};
pub use position::Position;
pub use topic::Topic;
