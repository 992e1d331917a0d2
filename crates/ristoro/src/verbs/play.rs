//! `ristoro demo play`: a case through the public API, as a user's own script would.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};

use crate::Answer;
use crate::client::Endpoints;
use crate::demo::{People, libero};

/// Plays cases.
#[derive(Debug, Args)]
pub struct Demo {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Plays a case against running services
    Play {
        /// The case
        case: Case,
        /// One address of all services, or one of each: outage=http://A:1,eligibility=http://B:2,payout=...,notifier=...
        #[arg(long, env = "RISTORO_ENDPOINT", default_value = "http://127.0.0.1:50051")]
        endpoint: Endpoints,
        /// A TOML file that gives each of the case's people a token: ada, bruno, carla
        #[arg(long, env = "RISTORO_TOKENS")]
        tokens: PathBuf,
        /// How many subscriptions
        #[arg(long, default_value_t = 20_000)]
        subscribers: u64,
    },
}

/// The cases that can be played.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Case {
    /// Libero Mail and Virgilio Mail, January 2023
    #[value(name = "libero-2023")]
    Libero2023,
}

impl Demo {
    /// Plays.
    pub async fn run(self) -> Result<Answer> {
        let Verb::Play { case: Case::Libero2023, endpoint, tokens, subscribers } = self.verb;
        let text = std::fs::read_to_string(&tokens)
            .with_context(|| format!("{} cannot be read", tokens.display()))?;
        let people = People::connect(&endpoint, &text).await?;
        libero::play(&people, subscribers).await?;
        Ok(Answer::Yes)
    }
}
