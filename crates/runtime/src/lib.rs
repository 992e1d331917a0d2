//! The IO toolbox of all services: loops over the log, commands, and the edge that callers see.

pub mod config;
pub mod edge;
pub mod grpc;
pub mod metrics;
pub mod page;
pub mod shutdown;
pub mod status;
pub mod telemetry;
