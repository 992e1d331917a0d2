//! `cargo xtask chaos`: the chaos test at its full size, with a seed that can be given again.

use anyhow::Result;
use clap::Args;

use crate::process::{cargo, succeeds};

/// Runs the chaos test.
#[derive(Debug, Args)]
pub struct Chaos {
    /// Records on the log at least
    #[arg(long, default_value_t = 200_000)]
    records: u64,
    /// The seed of the faults and of the callers' choices; a new one unless given
    #[arg(long)]
    seed: Option<u64>,
}

impl Chaos {
    /// Builds and runs; true where everything agrees.
    pub fn run(self) -> Result<bool> {
        if !succeeds(&mut cargo(&["build", "--package", "ristoro"]))? {
            return Ok(false);
        }
        let mut test = cargo(&["test", "--package", "ristoro-tests", "--test", "chaos"]);
        test.args(["--", "--ignored", "--nocapture"]);
        test.env("RISTORO_CHAOS_RECORDS", self.records.to_string());
        if let Some(seed) = self.seed {
            test.env("RISTORO_CHAOS_SEED", seed.to_string());
        }
        succeeds(&mut test)
    }
}
