//! The command line: services, the developers' stack, and the operators' and analysts' verbs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod call;
mod client;
mod demo;
mod output;
mod progress;
mod rate;
mod simulation;
mod values;
mod verbs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use client::ClientError;
use output::Output;

/// Chunks and pages come and go by the megabyte on every thread: the allocators of glibc and musl take a tenth of a settlement.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns a service outage into settled compensation.
#[derive(Debug, Parser)]
#[command(name = "ristoro", version, propagate_version = true)]
#[command(after_help = "Begin with: ristoro dev --demo libero-2023
It plays a case and prints how to call what it started; the verbs find it by RISTORO_ENDPOINT and RISTORO_TOKEN.

Exit codes: 0 done, 1 the answer is no or the call was refused, 2 usage, 69 a service does not answer, 78 configuration")]
struct Arguments {
    /// The form of the result: a table on a terminal and JSON elsewhere unless given
    #[arg(
        long,
        global = true,
        value_name = "table|json|ndjson",
        hide_possible_values = true,
        display_order = 1000
    )]
    output: Option<Output>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs all services in one process on throw-away local servers
    Dev(verbs::dev::Dev),
    /// Runs the outage service
    Outage(verbs::outage::Outage),
    /// Runs the eligibility service
    Eligibility(verbs::service::Run),
    /// Runs the payout service; shows, holds, retries and stops payouts
    Payout(verbs::payout::Payout),
    /// Runs the notifier service
    Notifier(verbs::service::RunNotifier),
    /// Asks a running service whether it is ready; for container health checks
    #[command(after_help = "Example: ristoro healthcheck --endpoint http://127.0.0.1:50051")]
    Healthcheck(verbs::service::Healthcheck),
    /// Makes and updates the tables of all services without starting any
    Migrate(verbs::migrate::Migrate),
    /// Looks at everything that a service needs, and says what to do about what is wrong
    Doctor(verbs::doctor::Doctor),
    /// Checks and shows a service's configuration
    Config(verbs::config::Config),
    /// Plans and makes the topics of a log
    Topics(verbs::topics::Topics),
    /// Copies, verifies and shows a log
    Log(verbs::log::Log),
    /// Checks, lists and tries out policies; needs no server
    Policy(verbs::policy::Policy),
    /// Generates and imports subscriptions
    Subscriptions(verbs::subscriptions::Subscriptions),
    /// Simulates, proposes, approves and follows assessments
    Assessment(verbs::assessment::Assessment),
    /// Takes in what feeds report
    Signals(verbs::signals::Signals),
    /// Creates, approves, submits and downloads payment files
    PaymentFile(verbs::payment_file::PaymentFiles),
    /// Lends grants to provisioning, and takes what became of them
    Grants(verbs::grants::Grants),
    /// Shows and checks the general ledger
    Ledger(verbs::ledger::Ledger),
    /// Shows notices, sends them again, and keeps people from being written to
    Notice(verbs::notice::Notices),
    /// Lists, rebuilds, switches and drops the tables that services fold from the log
    Projection(verbs::projection::Projections),
    /// Shows records at which consumers stand still, and skips one where two people agree
    Poison(verbs::poison::PoisonRecords),
    /// Says why a subscription gets what it gets, or nothing
    Explain(verbs::explain::Explain),
    /// Plays a case through the public API
    Demo(verbs::play::Demo),
}

/// How a verb ended when nothing failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Yes,
    No,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { output: wish, verb } = Arguments::parse();
    let output = Output::or_default(wish);
    let result = match verb {
        Verb::Dev(verb) => verb.run().await,
        Verb::Outage(verb) => verb.run(wish).await,
        Verb::Eligibility(verb) => verb.run(verbs::service::eligibility).await,
        Verb::Payout(verb) => verb.run(output).await,
        Verb::Notifier(verb) => verb.run().await,
        Verb::Healthcheck(verb) => verb.run().await,
        Verb::Migrate(verb) => verb.run(output).await,
        Verb::Doctor(verb) => verb.run(output).await,
        Verb::Config(verb) => verb.run(output),
        Verb::Topics(verb) => verb.run(output).await,
        Verb::Log(verb) => verb.run(wish).await,
        Verb::Policy(verb) => verb.run(output),
        Verb::Subscriptions(verb) => verb.run(output).await,
        Verb::Assessment(verb) => verb.run(output).await,
        Verb::Signals(verb) => verb.run(output).await,
        Verb::PaymentFile(verb) => verb.run(output).await,
        Verb::Grants(verb) => verb.run(wish).await,
        Verb::Ledger(verb) => verb.run(output).await,
        Verb::Notice(verb) => verb.run(output).await,
        Verb::Projection(verb) => verb.run(output).await,
        Verb::Poison(verb) => verb.run(output).await,
        Verb::Explain(verb) => verb.run(output).await,
        Verb::Demo(verb) => verb.run().await,
    };
    match result {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        // Whoever reads what is printed has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ristoro: {}", told(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Says what failed, and where: contexts from the outside in, and of a refused call its reason.
fn told(error: &anyhow::Error) -> String {
    let mut parts = Vec::new();
    for cause in error.chain() {
        match cause.downcast_ref::<tonic::Status>() {
            Some(status) => {
                parts.push(client::refusal(status));
                break;
            }
            None => parts.push(cause.to_string()),
        }
    }
    parts.dedup();
    parts.join(": ")
}

/// 2 where what was given does not suffice, 69 where a service cannot be reached, 78 for the configuration, 1 otherwise.
fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        match cause.downcast_ref::<ClientError>() {
            Some(ClientError::NoToken | ClientError::Missing(_)) => return 2,
            Some(ClientError::Unreachable { .. }) => return 69,
            None => {}
        }
        if let Some(code) = verbs::exit::code(cause) {
            return code;
        }
    }
    let status = error.chain().find_map(|cause| cause.downcast_ref::<tonic::Status>());
    if status.is_some_and(|status| status.code() == tonic::Code::Unavailable) { 69 } else { 1 }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Gives all verbs that do something, with their full names.
    fn leaves(command: &clap::Command, name: &str, found: &mut Vec<(String, bool)>) {
        let mut verbs = command.get_subcommands().filter(|one| one.get_name() != "help").peekable();
        if verbs.peek().is_none() {
            found.push((name.to_owned(), command.get_after_help().is_some()));
        }
        for verb in verbs {
            leaves(verb, &format!("{name} {}", verb.get_name()), found);
        }
    }

    #[test]
    fn every_verb_has_an_example() {
        let command = Arguments::command();
        command.clone().debug_assert();
        let mut found = Vec::new();
        leaves(&command, "ristoro", &mut found);
        assert!(found.len() > 40, "only {} verbs are looked at", found.len());
        let without: Vec<_> =
            found.iter().filter(|(_, has)| !has).map(|(name, _)| name.as_str()).collect();
        assert_eq!(without, Vec::<&str>::new());
    }
}
