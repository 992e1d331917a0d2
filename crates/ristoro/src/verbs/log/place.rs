//! Where the log is that a verb works on, and what is said where it cannot be reached.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ristoro_log::{EventLog, LogConfig, LogError};
use ristoro_runtime::config::{ConfigError, Sources, load};

/// Where the log is.
#[derive(Clone, Debug, Args)]
pub struct LogPlace {
    /// The log: kafka://HOST:PORT[,HOST:PORT] or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, env = "RISTORO_LOG", hide_env_values = true)]
    log: Option<String>,
    /// A service's configuration file, whose log is taken where --log is not given
    #[arg(long, value_name = "FILE", env = "RISTORO_CONFIG")]
    config: Option<PathBuf>,
}

/// What keeps an operator's verb from its work.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The log does not answer.
    #[error("no log answers at {place} ({problem}): start it, or correct its address")]
    NoLog {
        /// Where it should be, without a password.
        place: String,
        /// What the adapter says.
        problem: String,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Usage(String),
}

impl LogPlace {
    /// Gives the log's address.
    pub fn address(&self) -> Result<LogConfig, ConfigError> {
        match (&self.log, &self.config) {
            (Some(text), _) => address("--log", text),
            (None, Some(file)) => {
                let sources = Sources::of_process(Some(file.clone()), Vec::new());
                load(&sources).map(|config| config.log)
            }
            (None, None) => Err(problem(
                "no log is named: write --log kafka://HOST:PORT or postgres://..., set RISTORO_LOG, or name a \
                 configuration file with --config",
            )),
        }
    }

    /// Opens the log.
    pub async fn open(&self) -> Result<EventLog> {
        let address = self.address()?;
        EventLog::open(&address).await.map_err(|error| unreachable(&address, error))
    }
}

/// Reads an address that was given as an argument. It may hold a password, so no problem repeats it.
pub fn address(argument: &str, text: &str) -> Result<LogConfig, ConfigError> {
    match text.parse() {
        Ok(LogConfig::Memory) => Err(problem(&format!(
            "{argument}: memory: is empty whenever it is opened: name another"
        ))),
        Ok(address @ (LogConfig::Postgres { .. } | LogConfig::Kafka { .. })) => Ok(address),
        Err(wrong) => Err(problem(&format!("{argument}: {wrong}"))),
    }
}

fn problem(text: &str) -> ConfigError {
    ConfigError { problems: vec![text.to_owned()] }
}

/// Says where the log is that does not answer; what the port says is for writers.
pub fn unreachable(address: &LogConfig, error: LogError) -> anyhow::Error {
    match error {
        LogError::Unavailable(problem) => {
            OperateError::NoLog { place: address.to_string(), problem }.into()
        }
        LogError::Missing { .. } | LogError::Foreign(_) | LogError::TooLarge { .. } => {
            anyhow::Error::new(error).context(address.to_string())
        }
    }
}
