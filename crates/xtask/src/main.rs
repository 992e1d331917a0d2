//! Commands for developers: `cargo xtask demo`, `cargo xtask test`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod buf;
mod demo;
mod deploy;
mod manifests;
mod process;
mod python;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands for developers.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Builds everything and plays the case libero-2023 on throw-away local servers
    Demo(demo::Demo),
    /// Runs all checks and tests, or the steps that are named
    Test(test::Test),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Demo(demo) => demo.run(),
        Verb::Test(test) => test.run(),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
