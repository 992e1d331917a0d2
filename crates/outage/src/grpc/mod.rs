//! What this service answers: one file per gRPC service, and how their messages are read and written.

pub mod input;
pub mod message;
pub mod outage;
pub mod refused;
pub mod signal;
