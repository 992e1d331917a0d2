//! What this service answers: one file per gRPC service, and the messages that they share.

pub mod assessment;
pub mod assessment_message;
pub mod entitlement;
mod explain;
mod leftovers;
pub mod policy;
mod simulation;
pub mod subscription;
mod subscription_message;
