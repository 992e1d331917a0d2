//! `ristoro policy`: check, assess and list policies, without any server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use ristoro_domain::policy::{self, case, shipped};
use serde_json::json;

use crate::Answer;
use crate::output::{Output, print_list, table};

/// Works on policy files and on the policies that are shipped.
#[derive(Debug, Args)]
pub struct Policy {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says what is wrong with a policy file, with line, column and cure
    Check {
        /// The policy file
        file: PathBuf,
    },
    /// Applies policies to a case or a list of cases
    Assess {
        /// Policies by id or file, separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        policy: Vec<String>,
        /// The case file
        #[arg(long)]
        case: PathBuf,
        /// The form of the result
        #[arg(long)]
        output: Option<Output>,
    },
    /// Lists the policies that are shipped
    List {
        /// The form of the result
        #[arg(long)]
        output: Option<Output>,
    },
}

impl Policy {
    /// Runs the verb.
    pub fn run(self) -> Result<Answer> {
        match self.verb {
            Verb::Check { file } => check(&file),
            Verb::Assess { policy, case, output } => assess(&policy, &case, output),
            Verb::List { output } => list(Output::or_default(output)),
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn check(file: &Path) -> Result<Answer> {
    match policy::Policy::parse(&file.display().to_string(), &read(file)?) {
        Ok(found) => {
            println!("{}: {} version {} is complete", file.display(), found.id(), found.version());
            Ok(Answer::Yes)
        }
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            Ok(Answer::No)
        }
    }
}

/// Reads a policy by the id of a shipped one, or from a file.
fn load(name: &str) -> Result<policy::Policy> {
    let known = shipped().iter().find(|one| one.id == name);
    let (file, text) = match known {
        Some(known) => (known.file.to_owned(), known.text.to_owned()),
        None if Path::new(name).exists() => (name.to_owned(), read(Path::new(name))?),
        None => bail!("{name} is neither a shipped policy nor a file: see `ristoro policy list`"),
    };
    policy::Policy::parse(&file, &text).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    })
}

fn assess(names: &[String], file: &Path, output: Option<Output>) -> Result<Answer> {
    let policies = names.iter().map(|name| load(name)).collect::<Result<Vec<_>>>()?;
    let text = read(file)?;
    let cases = case::parse_cases(&text).with_context(|| format!("{}", file.display()))?;
    let outcomes: Vec<_> = cases.iter().map(|input| case::run(&policies, input)).collect();
    let values = outcomes.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    let output = Output::or_default(output);
    if output == Output::Json && !case::is_list(&text) {
        values.iter().for_each(|value| println!("{value:#}"));
    } else {
        print_list(output, &values, || cases_table(&values));
    }
    for outcome in &outcomes {
        if let Some(difference) = &outcome.difference {
            eprintln!("{}: {difference}", outcome.name);
        }
    }
    let good = outcomes.iter().all(case::CaseOutcome::is_good);
    Ok(if good { Answer::Yes } else { Answer::No })
}

fn cases_table(values: &[serde_json::Value]) -> comfy_table::Table {
    let mut table = table(&["case", "remedies", "refused"]);
    for value in values {
        let text = |key: &str| match value.get(key) {
            None => String::new(),
            Some(found) => found.as_str().map_or_else(|| found.to_string(), str::to_owned),
        };
        table.add_row([text("name"), text("remedies"), text("refused")]);
    }
    table
}

fn list(output: Output) -> Result<Answer> {
    let policies = shipped().iter().map(|one| load(one.id)).collect::<Result<Vec<_>>>()?;
    let value = |policy: &policy::Policy| json!({"id": policy.id(), "version": policy.version(), "title": policy.title(), "source": policy.source()});
    let values: Vec<_> = policies.iter().map(value).collect();
    print_list(output, &values, || {
        let mut table = table(&["policy", "version", "title", "source"]);
        for policy in &policies {
            table.add_row([policy.id(), policy.version(), policy.title(), policy.source()]);
        }
        table
    });
    Ok(Answer::Yes)
}
