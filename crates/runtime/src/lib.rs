//! The IO toolbox of all services: loops over the log, commands, and the edge that callers see.

pub mod accepted;
pub mod command;
pub mod config;
mod consumer;
pub mod edge;
pub mod grpc;
pub mod heavy;
pub mod journal;
pub mod lease;
pub mod metrics;
pub mod outbox;
pub mod packed;
pub mod page;
pub mod poison;
pub mod position;
pub mod projection;
pub mod rebuild;
pub mod refused;
pub mod schema;
pub mod service;
pub mod shutdown;
pub mod stage;
pub mod status;
pub mod stored;
pub mod telemetry;
pub mod views;
