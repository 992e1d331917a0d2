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
    /// Asks for a second opinion on a twelfth as many situations of every regime as well
    #[arg(long)]
    second_opinion: bool,
}

impl Laws {
    /// Runs them in a release build; true where all of them hold.
    pub fn run(self) -> Result<bool> {
        let arguments = ["test", "--release", "-p", "ristoro-domain", "--lib", "policy::laws"];
        eprintln!("each law with {} outages under every shipped policy", self.outages);
        let laws = succeeds(cargo(&arguments).env("RISTORO_LAWS_CASES", self.outages.to_string()))?;
        if !self.second_opinion {
            return Ok(laws);
        }
        let arguments = ["test", "--release", "-p", "ristoro-tests", "--test", "second_opinion"];
        let count = (self.outages / 12).max(1);
        eprintln!("a second opinion on {count} situations of every regime");
        let agreed = succeeds(cargo(&arguments).env("RISTORO_LAWS_CASES", count.to_string()))?;
        Ok(laws && agreed)
    }
}
