//! `cargo xtask test`: every check, a line each, and the number of tests at the end.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::buf;
use crate::deploy;
use crate::manifests;
use crate::process::{self, cargo, command, missing, succeeds};
use crate::python;

/// Runs checks and tests.
#[derive(Debug, Args)]
pub struct Test {
    /// The steps; all of them but `deploy` where none is named
    steps: Vec<Step>,
}

/// What is checked, in this order: the quick ones first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Step {
    /// The form of the code
    Fmt,
    /// buf's rules for the protos
    BufLint,
    /// Whether the protos can still read what was written
    BufBreaking,
    /// The Kubernetes manifests against the API's schemas
    Manifests,
    /// The lints
    Clippy,
    /// The documentation
    Doc,
    /// All tests: unit, log conformance with a real Kafka, services with a real Postgres, end to end
    Test,
    /// An independent client in Python against a running stack
    Python,
    /// The compose file for real, each process killed once; needs a container engine, or root and Debian's packages
    Deploy,
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Test {
    /// Runs the steps; true where all went well.
    pub fn run(self) -> Result<bool> {
        let mut all = Step::value_variants().to_vec();
        all.retain(|step| *step != Step::Deploy);
        let steps = if self.steps.is_empty() { all } else { self.steps };
        let (mut counts, mut lines, mut good) = (Counts::default(), Vec::new(), true);
        for step in steps {
            let name =
                step.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
            println!("== {name}");
            let begun = Instant::now();
            let passed = step.run(&mut counts).unwrap_or_else(|error| {
                eprintln!("xtask: {error:#}");
                false
            });
            good &= passed;
            lines.push((name, passed, begun.elapsed()));
        }
        println!();
        for (name, passed, time) in &lines {
            println!("{name:<14} {:<7} {}", if *passed { "ok" } else { "FAILED" }, seconds(*time));
        }
        if counts.passed + counts.failed > 0 {
            println!("{} passed, {} failed", counts.passed, counts.failed);
        }
        Ok(good)
    }
}

impl Step {
    fn run(self, counts: &mut Counts) -> Result<bool> {
        match self {
            Step::Fmt => succeeds(&mut cargo(&["fmt", "--all", "--check"])),
            Step::BufLint => succeeds(&mut command(buf::program()?, &["lint", "proto"])),
            Step::BufBreaking => match buf::base() {
                None => {
                    println!("there is no earlier commit to compare with");
                    Ok(true)
                }
                Some(commit) => {
                    let against = format!(".git#subdir=proto,ref={commit}");
                    succeeds(&mut command(
                        buf::program()?,
                        &["breaking", "proto", "--against", &against],
                    ))
                }
            },
            Step::Manifests => manifests::validate(),
            Step::Clippy => {
                let arguments =
                    ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
                succeeds(&mut cargo(&arguments))
            }
            Step::Doc => {
                let mut command = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
                succeeds(command.env("RUSTDOCFLAGS", "-D warnings"))
            }
            Step::Test => tests(counts),
            Step::Python => {
                let python::Outcome { passed, failed } = python::test()?;
                counts.passed += passed;
                counts.failed += failed;
                Ok(failed == 0)
            }
            Step::Deploy => deploy::test(),
        }
    }
}

/// Runs all tests, shows what they print and counts them.
fn tests(counts: &mut Counts) -> Result<bool> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    // The tests' own build makes the binary as well; those that run it need not build it again in another way.
    command.env("BUILT_RISTORO", process::target().join("debug/ristoro"));
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| missing("cargo"))?;
    let output = child.stdout.take().context("the output was asked for")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        count(&line, counts);
        println!("{line}");
    }
    Ok(child.wait()?.success() && counts.failed == 0 && counts.passed > 0)
}

/// Adds up `test result: ok. 12 passed; 0 failed; ...`.
fn count(line: &str, counts: &mut Counts) {
    let Some(rest) = line.strip_prefix("test result: ") else { return };
    let number = |word: &str| {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let place = words.iter().position(|found| found.trim_end_matches(';') == word)?;
        words.get(place.checked_sub(1)?)?.parse::<u64>().ok()
    };
    counts.passed += number("passed").unwrap_or_default();
    counts.failed += number("failed").unwrap_or_default();
}

fn seconds(time: Duration) -> String {
    format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
}

#[cfg(test)]
mod tests {
    use super::{Counts, count};

    #[test]
    fn results_of_tests_are_added_up() {
        let mut counts = Counts::default();
        count("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured", &mut counts);
        count("test result: FAILED. 3 passed; 2 failed; 0 ignored", &mut counts);
        count("test something ... ok", &mut counts);
        assert_eq!((counts.passed, counts.failed), (15, 2));
    }
}
