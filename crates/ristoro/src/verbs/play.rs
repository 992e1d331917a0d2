//! `ristoro demo play`: a case through the public API, as a user's own script would.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};

use crate::Answer;
use crate::client::Endpoints;
use crate::demo::{People, elsewhere, libero};
use crate::verbs::dev::people::passes;

/// Plays cases.
#[derive(Debug, Args)]
pub struct Demo {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(after_help = "Example: ristoro demo people people/")]
    /// Writes the case's people: principals.toml for the services, tokens.toml for `play`
    People {
        /// The folder, which its owner alone may enter; tokens that are there stay
        folder: PathBuf,
    },
    /// Plays a case against running services
    #[command(after_help = "Example: ristoro demo play libero-2023 --tokens tokens.toml")]
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
        match self.verb {
            Verb::People { folder } => write_people(&folder)?,
            Verb::Play { case: Case::Libero2023, endpoint, tokens, subscribers } => {
                let text = std::fs::read_to_string(&tokens)
                    .with_context(|| format!("{} cannot be read", tokens.display()))?;
                let people = People::connect(&endpoint, &text).await?;
                libero::play(&people, subscribers).await?;
                elsewhere::play(&people).await?;
            }
        }
        Ok(Answer::Yes)
    }
}

/// Writes both files, and says where they are.
fn write_people(folder: &Path) -> Result<()> {
    let files = passes(folder)?;
    // A container reads it as another user; it holds hashes alone.
    std::fs::set_permissions(&files.principals, Permissions::from_mode(0o644))?;
    println!("principals {}", files.principals.display());
    println!("tokens     {}", files.tokens.display());
    Ok(())
}
