//! How the loops of a service behave; the defaults are what production uses.

use std::time::Duration;

use crate::config::LeaseMode;

/// Limits and intervals of a service's loops.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether partitions are shared between processes, or every process works on all.
    pub lease: LeaseMode,
    /// Records of one batch at most.
    pub batch_records: usize,
    /// Bytes of one batch at most, and of what a stage emits in answer to it.
    pub batch_bytes: usize,
    /// How long a batch that is not full waits for more. It adds to the time that a command takes.
    pub linger: Duration,
    /// How long a command waits for its outcome.
    pub command_wait: Duration,
    /// How often a process renews its leases and looks for schemas to feed.
    pub heartbeat: Duration,
    /// How long a lease outlives its last renewal. With `heartbeat` it bounds how long a dead
    /// process's partitions stand still: at most 12 s with the defaults.
    pub lease_time: Duration,
    /// The first pause after a failure; it doubles up to `backoff_limit`.
    pub backoff: Duration,
    /// The longest pause after failures.
    pub backoff_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: LeaseMode::Shared,
            batch_records: 10_000,
            batch_bytes: 8 << 20,
            linger: Duration::from_millis(5),
            command_wait: Duration::from_secs(10),
            heartbeat: Duration::from_secs(2),
            lease_time: Duration::from_secs(10),
            backoff: Duration::from_millis(50),
            backoff_limit: Duration::from_secs(5),
        }
    }
}
