//! Commands for developers: `cargo xtask demo`, `cargo xtask test`, `... laws`, `... bench`, `... chaos`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod bench;
mod buf;
mod chaos;
mod demo;
mod deploy;
mod laws;
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
    /// Tries the policies' laws with a million generated cases
    Laws(laws::Laws),
    /// Measures speed
    Bench(bench::Bench),
    /// Hurts the whole system at seeded random points and accounts for every record
    Chaos(chaos::Chaos),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Demo(demo) => demo.run(),
        Verb::Test(test) => test.run(),
        Verb::Laws(laws) => laws.run(),
        Verb::Bench(bench) => bench.run(),
        Verb::Chaos(chaos) => chaos.run(),
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
