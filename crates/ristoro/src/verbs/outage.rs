//! `ristoro outage`: the service, and `derive`, which reads a feed file without any server.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use ristoro_domain::signal::derive;
use ristoro_outage::feeds::{Format, Mapping, parse, to_json};

use crate::Answer;
use crate::verbs::service::{Run, outage};

/// Runs the service, or derives outages from a feed file.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Outage {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Prints the outages that a feed file tells of, one JSON object a line
    Derive {
        /// The file's format
        #[arg(long)]
        format: FeedFormat,
        /// A TOML file that names provider and components
        #[arg(long)]
        mapping: Option<PathBuf>,
        /// The feed file
        input: PathBuf,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FeedFormat {
    GoogleCloud,
    Statuspage,
    Alertmanager,
    Gatus,
}

impl Outage {
    /// Runs the service, or the verb.
    pub async fn run(self) -> Result<Answer> {
        match self.verb {
            None => self.run.run(outage).await,
            Some(Verb::Derive { format, mapping, input }) => derive_file(format, mapping, &input),
        }
    }
}

fn derive_file(
    format: FeedFormat,
    mapping: Option<PathBuf>,
    input: &std::path::Path,
) -> Result<Answer> {
    let format = match format {
        FeedFormat::GoogleCloud => Format::GoogleCloud,
        FeedFormat::Statuspage => Format::Statuspage,
        FeedFormat::Alertmanager => Format::Alertmanager,
        FeedFormat::Gatus => Format::Gatus,
    };
    let mapping = match mapping {
        None => Mapping::default(),
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            Mapping::parse(&text).with_context(|| format!("{}", path.display()))?
        }
    };
    let file =
        std::fs::read(input).with_context(|| format!("{} cannot be read", input.display()))?;
    let parsed = parse(format, &file, &mapping).with_context(|| format!("{}", input.display()))?;
    for problem in &parsed.problems {
        eprintln!("{}: {problem}", input.display());
    }
    for outage in derive(format.name(), &parsed.signals) {
        println!("{}", to_json(&outage));
    }
    Ok(if parsed.problems.is_empty() { Answer::Yes } else { Answer::No })
}
