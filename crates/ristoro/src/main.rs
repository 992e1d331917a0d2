//! The command line: services, the developers' stack, and the operators' and analysts' verbs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod client;
mod demo;
mod output;
mod verbs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use client::ClientError;

/// Turns a service outage into settled compensation.
#[derive(Debug, Parser)]
#[command(name = "ristoro", version, propagate_version = true)]
struct Arguments {
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
    /// Runs the payout service
    Payout(verbs::service::Run),
    /// Runs the notifier service
    Notifier(verbs::service::RunNotifier),
    /// Asks a running service whether it is ready; for container health checks
    Healthcheck(verbs::service::Healthcheck),
    /// Checks, lists and tries out policies; needs no server
    Policy(verbs::policy::Policy),
    /// Generates and imports subscriptions
    Subscriptions(verbs::subscriptions::Subscriptions),
    /// Simulates, proposes, approves and follows assessments
    Assessment(verbs::assessment::Assessment),
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
    let result = match Arguments::parse().verb {
        Verb::Dev(verb) => verb.run().await,
        Verb::Outage(verb) => verb.run().await,
        Verb::Eligibility(verb) => verb.run(verbs::service::eligibility).await,
        Verb::Payout(verb) => verb.run(verbs::service::payout).await,
        Verb::Notifier(verb) => verb.run().await,
        Verb::Healthcheck(verb) => verb.run().await,
        Verb::Policy(verb) => verb.run(),
        Verb::Subscriptions(verb) => verb.run().await,
        Verb::Assessment(verb) => verb.run().await,
        Verb::Explain(verb) => verb.run().await,
        Verb::Demo(verb) => verb.run().await,
    };
    match result {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => {
            eprintln!("ristoro: {}", told(&error));
            ExitCode::from(exit_code(&error))
        }
    }
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
        if cause.downcast_ref::<ristoro_runtime::config::ConfigError>().is_some() {
            return 78;
        }
    }
    let status = error.chain().find_map(|cause| cause.downcast_ref::<tonic::Status>());
    if status.is_some_and(|status| status.code() == tonic::Code::Unavailable) { 69 } else { 1 }
}
