//! The core on a real Postgres: positions and rows, stages, commands, rebuilds, poison and leases.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod abandoned;
mod adapters;
mod commands;
mod counter;
mod leases;
mod operations;
mod poison;
mod projections;
mod rebuilds;
mod stages;
mod support;
