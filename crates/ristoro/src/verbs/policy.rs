//! `ristoro policy`: check, assess and list policies, without any server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use ristoro_domain::policy::{self, case, shipped};
use serde_json::json;

use crate::Answer;
use crate::output::{Columns, Output, line, print_list, print_one};

const CASES: Columns<'static> =
    &[("case", "name"), ("remedies", "remedies"), ("refused", "refused")];

/// Works on policy files and on the policies that are shipped.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro policy check my-policy.toml
  ristoro policy assess --policy libero-2023,agcom-347-18 --case case.json
  ristoro policy list")]
pub struct Policy {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says what is wrong with policy files, with line, column and cure; and whether versions overlap
    #[command(after_help = "Example: ristoro policy check my-policy.toml")]
    Check {
        /// The policy files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Applies policies to a case or a list of cases
    #[command(
        after_help = "Example: ristoro policy assess --policy libero-2023,agcom-347-18 --case case.json"
    )]
    Assess {
        /// Policies by id or file, separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        policy: Vec<String>,
        /// The case file
        #[arg(long)]
        case: PathBuf,
    },
    /// Lists the policies that are shipped
    #[command(after_help = "Example: ristoro policy list --output table")]
    List,
}

impl Policy {
    /// Runs the verb.
    pub fn run(self, output: Output) -> Result<Answer> {
        match self.verb {
            Verb::Check { files } => check_all(&files, output),
            Verb::Assess { policy, case } => assess(&policy, &case, output),
            Verb::List => list(output),
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn check_all(files: &[PathBuf], output: Output) -> Result<Answer> {
    let (mut found, mut good) = (Vec::new(), true);
    for file in files {
        let (shown, text) = (file.display().to_string(), read(file)?);
        match check(&shown, &text, output)? {
            Some(policy) => found.push((shown, text, policy)),
            None => good = false,
        }
    }
    for (place, (file, text, policy)) in found.iter().enumerate() {
        let beside = found[..place].iter().map(|(other, _, before)| (other.as_str(), before));
        for fault in beside.filter_map(|other| policy.overlap_fault((file, text), other)) {
            good = false;
            eprintln!("{fault}");
        }
    }
    Ok(if good { Answer::Yes } else { Answer::No })
}

/// Checks one file; gives the policy where nothing is wrong.
fn check(shown: &str, text: &str, output: Output) -> Result<Option<policy::Policy>> {
    match policy::Policy::parse(shown, text) {
        Ok(found) => {
            let (id, version) = (found.id(), found.version());
            if output == Output::Table {
                line(&format!("{shown}: {id} version {version} is complete"))?;
            } else {
                let value = json!({"file": shown, "id": id, "version": version, "complete": true});
                print_one(output, &value)?;
            }
            Ok(Some(found))
        }
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            Ok(None)
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

fn assess(names: &[String], file: &Path, output: Output) -> Result<Answer> {
    let policies = names.iter().map(|name| load(name)).collect::<Result<Vec<_>>>()?;
    let text = read(file)?;
    let cases = case::parse_cases(&text).with_context(|| format!("{}", file.display()))?;
    let outcomes: Vec<_> = cases.iter().map(|input| case::run(&policies, input)).collect();
    let values = outcomes.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    if output == Output::Json && !case::is_list(&text) {
        values.iter().try_for_each(|value| print_one(output, value))?;
    } else {
        print_list(output, &values, CASES)?;
    }
    for outcome in &outcomes {
        if let Some(difference) = &outcome.difference {
            eprintln!("{}: {difference}", outcome.name);
        }
    }
    let good = outcomes.iter().all(case::CaseOutcome::is_good);
    Ok(if good { Answer::Yes } else { Answer::No })
}

fn list(output: Output) -> Result<Answer> {
    let policies = shipped().iter().map(|one| load(one.id)).collect::<Result<Vec<_>>>()?;
    let value = |policy: &policy::Policy| json!({"id": policy.id(), "version": policy.version(), "title": policy.title(), "source": policy.source()});
    let values: Vec<_> = policies.iter().map(value).collect();
    let columns =
        [("policy", "id"), ("version", "version"), ("title", "title"), ("source", "source")];
    print_list(output, &values, &columns)?;
    Ok(Answer::Yes)
}
