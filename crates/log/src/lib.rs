//! The event log: the port that everything else sees, the envelope, and the fold that says which record counts.

pub mod acceptance;
pub mod envelope;
pub mod memory;
pub mod port;
pub mod position;
pub mod topic;

pub use acceptance::{Heads, StreamHead, Verdict};
pub use envelope::{Cause, Envelope};
pub use port::{EventLog, Limits, LogError, NewRecord, Reader, Record};
pub use position::Position;
pub use topic::Topic;
