//! A service's configuration: a TOML file, then `RISTORO_*` variables, then flags; the later wins.
//!
//! Every setting is one line of the table in `settings.rs`; whatever is wrong is told all at once, each with its place.

mod connect;
mod settings;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ristoro_log::LogConfig;

use crate::telemetry::LogFormat;

pub use connect::{ConnectError, connect};
pub use settings::{Setting, settings};
pub use source::{ConfigError, Sources, line_and_column, load, load_placed, show};

/// Which partitions a process works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LeaseMode {
    /// Those that it holds the leases of, shared with the other processes of the service.
    #[default]
    Shared,
    /// All of them, without asking: for one process alone, and for tests. Safe in any case, but wasteful when shared.
    All,
}

/// What a service needs to run.
#[derive(Clone)]
pub struct ServiceConfig {
    /// The Postgres of the projections, password included.
    pub database_url: String,
    /// The log.
    pub log: LogConfig,
    /// Where the gRPC server listens.
    pub listen: SocketAddr,
    /// Where `/metrics`, `/healthz` and `/readyz` are.
    pub metrics_listen: SocketAddr,
    /// The file that says who may call; without one, nobody may.
    pub principals_file: Option<PathBuf>,
    /// Where spans go; without one they stay in the process.
    pub otlp_endpoint: Option<String>,
    /// Which log lines are written.
    pub log_filter: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// How many partitions a topic has when this process creates it; an existing log keeps its own count.
    pub partitions: u32,
    /// Which partitions this process works on.
    pub lease: LeaseMode,
    /// How many connections to Postgres the process opens at most.
    pub pool_size: u32,
    /// How long a call that does not stream may take at most.
    pub call_deadline: Duration,
    /// How many calls may be in work at once.
    pub calls_at_once: usize,
    /// How long the end of the process may take once it is asked for.
    pub shutdown_bound: Duration,
}

impl std::fmt::Debug for ServiceConfig {
    /// As `config show` writes it: without passwords.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&show(self))
    }
}
