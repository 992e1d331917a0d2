//! `cargo xtask bench`: measurements, each a program of its own in a release build.

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};

use crate::process::{cargo, command, output, succeeds, target};

/// Measures.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How many subscriptions a second one core decides, remembered and not
    Policy {
        /// How many subscriptions
        #[arg(long, default_value_t = 1_000_000)]
        subscriptions: u64,
        /// The form of the result
        #[arg(long, default_value = "table")]
        output: Form,
    },
    /// From the approval of an assessment to its last row, against scripts of SQL
    #[command(disable_help_flag = true)]
    Settle(Passed),
    /// A roster from CSV, until every service knows everybody
    #[command(disable_help_flag = true)]
    Import(Passed),
    /// Questions about single people by gRPC
    #[command(disable_help_flag = true)]
    Query(Passed),
    /// All tables built again from the log, while people ask the old ones
    #[command(disable_help_flag = true)]
    Rebuild(Passed),
    /// A service that was away while an outage was settled, and answers all of it
    #[command(disable_help_flag = true)]
    CatchUp(Passed),
    /// A small outage that is settled in the middle of a large settlement
    #[command(disable_help_flag = true)]
    SecondOutage(Passed),
    /// Processes that end and are killed in the middle of settlements
    #[command(disable_help_flag = true)]
    HandOver(Passed),
}

/// What goes to the program that measures, `--help` too.
#[derive(Debug, Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// One JSON object a line
    Json,
}

impl Bench {
    /// Measures and prints.
    pub fn run(self) -> Result<bool> {
        match self.what {
            What::Policy { subscriptions, output } => policy(subscriptions, output),
            What::Settle(passed) => system("settle", &passed.arguments),
            What::Import(passed) => system("import", &passed.arguments),
            What::Query(passed) => system("query", &passed.arguments),
            What::Rebuild(passed) => system("rebuild", &passed.arguments),
            What::CatchUp(passed) => system("catch-up", &passed.arguments),
            What::SecondOutage(passed) => system("second-outage", &passed.arguments),
            What::HandOver(passed) => system("hand-over", &passed.arguments),
        }
    }
}

/// Builds the services and the program that measures them, and runs it.
fn system(what: &str, arguments: &[String]) -> Result<bool> {
    let build = ["build", "--release", "--package", "ristoro", "--package", "ristoro-tests"];
    let programs = ["--bin", "ristoro", "--bin", "bench"];
    if !succeeds(cargo(&build).args(programs))? {
        return Ok(false);
    }
    let built = target().join("release");
    let mut measure = command(built.join("bench"), &[what]);
    measure.args(arguments).env("BUILT_RISTORO", built.join("ristoro"));
    succeeds(&mut measure)
}

/// Decides with policies alone, in one process.
fn policy(subscriptions: u64, form: Form) -> Result<bool> {
    let count = subscriptions.to_string();
    let example = ["run", "--release", "-q", "-p", "ristoro-domain", "--example", "bench_policy"];
    let printed = output(cargo(&example).args(["--", &count]), "measuring the policies")?;
    if form == Form::Json {
        print!("{printed}");
        return Ok(true);
    }
    println!(
        "{:<14} {:>14} {:>12} {:>8} {:>14}",
        "policy", "a second", "remembered", "reasons", "unlike a second"
    );
    for line in printed.lines() {
        let measured: serde_json::Value =
            serde_json::from_str(line).with_context(|| format!("{line:?} is no measurement"))?;
        let text = |key: &str| {
            let value = &measured[key];
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        };
        println!(
            "{:<14} {:>14} {:>10} % {:>8} {:>14}",
            text("policy"),
            text("per_second"),
            text("remembered_percent"),
            text("reasons"),
            text("unlike_per_second")
        );
    }
    Ok(true)
}
