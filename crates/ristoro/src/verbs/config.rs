//! `ristoro config`: whether a service's configuration is complete, and what is in force.

use anyhow::Result;
use clap::{Args, Subcommand};
use ristoro_runtime::config::{ConfigError, Setting, Sources, load_placed, settings};
use ristoro_runtime::grpc::Principals;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{Columns, Output, line, print_list};
use crate::verbs::service::Given;

const COLUMNS: Columns<'static> = &[("setting", "key"), ("value", "value"), ("from", "source")];

/// Checks and shows a service's configuration.
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tells all problems at once, each with its place; exits with 78 where there are any
    #[command(after_help = "Example:
  ristoro config check --config ristoro.toml")]
    Check {
        #[command(flatten)]
        given: Given,
    },
    /// Shows every setting with its value and where that comes from; passwords are hidden
    #[command(after_help = "Example:
  RISTORO_POOL_SIZE=20 ristoro config show --config ristoro.toml --set lease=all")]
    Show {
        #[command(flatten)]
        given: Given,
    },
}

impl Config {
    /// Runs the verb.
    pub fn run(self, output: Output) -> Result<Answer> {
        match self.verb {
            Verb::Check { given } => check(&given.sources()),
            Verb::Show { given } => show(&given.sources(), output),
        }
    }
}

fn check(sources: &Sources) -> Result<Answer> {
    let (config, places) = load_placed(sources)?;
    let callers = match &config.principals_file {
        None => "nobody may call: principals_file is not set".to_owned(),
        Some(file) => {
            let read = Principals::load(file);
            let read = read.map_err(|error| ConfigError { problems: error.problems })?;
            format!("{} callers in {}", read.count(), file.display())
        }
    };
    let (set, all) = (places.len(), settings().len());
    line(&format!("the configuration is complete: {set} of {all} settings are set, {callers}"))?;
    Ok(Answer::Yes)
}

fn show(sources: &Sources, output: Output) -> Result<Answer> {
    let (config, places) = load_placed(sources)?;
    let value = |setting: &Setting| -> Value {
        let place = places.get(setting.key).map_or("default", String::as_str);
        json!({"key": setting.key, "value": setting.shown(&config), "source": place})
    };
    let values: Vec<Value> = settings().iter().map(value).collect();
    print_list(output, &values, COLUMNS)?;
    Ok(Answer::Yes)
}
