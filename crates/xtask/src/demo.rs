//! `cargo xtask demo`: builds the binary and plays the case.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::process::{cargo, command, succeeds, target};

/// Plays the case libero-2023.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where the log is: postgres or kafka
    #[arg(long, default_value = "postgres")]
    log: String,
    /// How many subscriptions
    #[arg(long, default_value_t = 20_000)]
    subscribers: u64,
    /// Ends after the case
    #[arg(long)]
    once: bool,
}

impl Demo {
    /// Builds and plays; true where both went well.
    pub fn run(self) -> Result<bool> {
        eprintln!("building ristoro");
        if !succeeds(&mut cargo(&["build", "--package", "ristoro"]))? {
            return Ok(false);
        }
        let subscribers = self.subscribers.to_string();
        let mut arguments =
            vec!["dev", "--demo", "libero-2023", "--log", &self.log, "--subscribers", &subscribers];
        if self.once {
            arguments.push("--once");
        }
        // In place of this process, so that whoever ends it ends the servers in order.
        let binary = target().join("debug/ristoro");
        Err(command(&binary, &arguments).exec()).with_context(|| format!("{}", binary.display()))
    }
}
