//! `cargo xtask laws`: the policies' laws over at least a million generated cases.

use anyhow::Result;
use clap::Args;

use crate::process::{cargo, succeeds};

/// Tries the policies' laws with many generated cases.
#[derive(Debug, Args)]
pub struct Laws {
    /// How many outages each law is tried with; each is decided under every shipped policy
    #[arg(long, default_value_t = 12_000)]
    outages: u32,
}

impl Laws {
    /// Runs them in a release build; true where all of them hold.
    pub fn run(self) -> Result<bool> {
        let arguments = ["test", "--release", "-p", "ristoro-domain", "--lib", "policy::laws"];
        eprintln!("each law with {} outages under every shipped policy", self.outages);
        succeeds(cargo(&arguments).env("RISTORO_LAWS_CASES", self.outages.to_string()))
    }
}
