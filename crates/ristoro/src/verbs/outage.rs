//! `ristoro outage`: the service, and `derive`, which reads a feed file without any server.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use ristoro_domain::signal::derive;
use ristoro_outage::feeds::{Format, Mapping, Parsed, parse, to_json};

use crate::Answer;
use crate::output::{Output, print_list};
use crate::verbs::service::{Run, outage};

/// Runs the service, or derives outages from a feed file.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a verb it runs the service: ristoro outage --config FILE
Example: ristoro outage derive --format google-cloud incidents.json")]
pub struct Outage {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Prints the outages that a feed file tells of, one JSON object a line
    #[command(after_help = "Example: ristoro outage derive --format google-cloud incidents.json")]
    Derive {
        #[command(flatten)]
        feed: FeedFile,
    },
}

/// A feed file, and how it is read.
#[derive(Debug, Args)]
pub struct FeedFile {
    /// The file's format
    #[arg(long)]
    format: FeedFormat,
    /// A TOML file that names provider and components
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// The feed file
    input: PathBuf,
}

/// The formats of feeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FeedFormat {
    GoogleCloud,
    Statuspage,
    Alertmanager,
    Gatus,
}

impl Outage {
    /// Runs the service, or the verb.
    pub async fn run(self, wish: Option<Output>) -> Result<Answer> {
        match self.verb {
            None => self.run.run(outage).await,
            Some(Verb::Derive { feed }) => derive_file(&feed, wish.unwrap_or(Output::Ndjson)),
        }
    }
}

impl From<FeedFormat> for Format {
    fn from(format: FeedFormat) -> Format {
        match format {
            FeedFormat::GoogleCloud => Format::GoogleCloud,
            FeedFormat::Statuspage => Format::Statuspage,
            FeedFormat::Alertmanager => Format::Alertmanager,
            FeedFormat::Gatus => Format::Gatus,
        }
    }
}

impl FeedFile {
    /// Gives the format's name.
    pub fn format(&self) -> Format {
        self.format.into()
    }

    /// Reads the file; says on stderr what in it cannot be read.
    pub fn read(&self) -> Result<Parsed> {
        let mapping = match &self.mapping {
            None => Mapping::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                Mapping::parse(&text).with_context(|| format!("{}", path.display()))?
            }
        };
        let input = self.input.display();
        let file = std::fs::read(&self.input).with_context(|| format!("{input} cannot be read"))?;
        let parsed = parse(self.format(), &file, &mapping).with_context(|| format!("{input}"))?;
        for problem in &parsed.problems {
            eprintln!("{input}: {problem}");
        }
        Ok(parsed)
    }
}

fn derive_file(feed: &FeedFile, output: Output) -> Result<Answer> {
    let parsed = feed.read()?;
    let outages: Vec<_> =
        derive(feed.format().name(), &parsed.signals).iter().map(to_json).collect();
    let columns = [
        ("id", "source_id"),
        ("title", "title"),
        ("state", "state"),
        ("from", "declared.from"),
        ("to", "declared.to"),
        ("warnings", "warnings"),
    ];
    print_list(output, &outages, &columns)?;
    Ok(if parsed.problems.is_empty() { Answer::Yes } else { Answer::No })
}
