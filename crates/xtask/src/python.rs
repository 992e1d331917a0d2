//! The Python client: its packages from PyPI into the cache, a stack that it calls, and its tests.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo, command, missing, root, succeeds};

/// What is installed; the rest follows from these.
const PACKAGES: [&str; 5] = [
    "grpcio==1.85.1",
    "grpcio-tools==1.85.1",
    "grpcio-reflection==1.85.1",
    "grpcio-health-checking==1.85.1",
    "grpcio-status==1.85.1",
];
/// Where they go, in the cache.
const FOLDER: &str = "python-grpc-1.85.1";
/// How long the stack may take to end once it is asked to.
const END_BOUND: Duration = Duration::from_secs(30);

/// How many tests passed and failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that did not.
    pub failed: u64,
}

/// Runs the client's tests against a stack of its own.
pub fn test() -> Result<Outcome> {
    let packages = packages()?;
    if !succeeds(&mut cargo(&["build", "--package", "ristoro"]))? {
        bail!("ristoro does not build");
    }
    let stack = Stack::start()?;
    let outcome = run(&packages, &stack);
    stack.end()?;
    outcome
}

/// Gives the folder of the packages, and installs them where they are not there yet.
fn packages() -> Result<PathBuf> {
    let target = ristoro_local::cache_directory().join(FOLDER);
    if target.is_dir() {
        return Ok(target);
    }
    eprintln!("installing grpcio from PyPI");
    // Under another name until all of it is there.
    let staged = target.with_extension(format!("{}.partial", std::process::id()));
    let folder = staged.display().to_string();
    let mut arguments = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    arguments.extend(["--only-binary", ":all:", "--target", &folder]);
    arguments.extend(PACKAGES);
    let output = command("python3", &arguments).output().with_context(|| missing("python3"))?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        let line = problem.lines().last().unwrap_or_default();
        bail!("pip could not install {PACKAGES:?} ({line}): is PyPI reached from here?");
    }
    std::fs::rename(&staged, &target).with_context(|| format!("{}", target.display()))?;
    Ok(target)
}

/// Runs the tests; their lines go to this program's errors as they come.
fn run(packages: &Path, stack: &Stack) -> Result<Outcome> {
    let mut tests = command("python3", &["-m", "unittest", "discover", "--verbose"]);
    tests.current_dir(root().join("tests/python"));
    tests.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    tests.env("RISTORO_ENDPOINT", &stack.endpoint).env("RISTORO_TOKENS", &stack.tokens);
    let mut child = tests.stderr(Stdio::piped()).spawn().with_context(|| missing("python3"))?;
    let lines = child.stderr.take().context("the errors were asked for")?;
    let mut outcome = Outcome::default();
    for line in BufReader::new(lines).lines() {
        let line = line?;
        eprintln!("{line}");
        count(&line, &mut outcome);
    }
    let passed = child.wait()?.success();
    if passed != (outcome.failed == 0) || outcome.passed + outcome.failed == 0 {
        bail!("the Python tests ended without saying what became of them");
    }
    Ok(outcome)
}

/// Reads `Ran 12 tests in 3.4s` and `FAILED (failures=1, errors=2)`.
fn count(line: &str, outcome: &mut Outcome) {
    let number = |text: &str| text.trim_end_matches(')').parse::<u64>().unwrap_or_default();
    if let Some(rest) = line.strip_prefix("Ran ") {
        outcome.passed = rest.split(' ').next().map(number).unwrap_or_default();
    }
    if let Some(rest) = line.strip_prefix("FAILED (") {
        let figures = rest.split(", ").filter_map(|part| part.split_once('='));
        let counted = figures.filter(|(what, _)| ["failures", "errors"].contains(what));
        outcome.failed = counted.map(|(_, figure)| number(figure)).sum();
        outcome.passed = outcome.passed.saturating_sub(outcome.failed);
    }
}

/// A `ristoro dev` that runs until it is ended.
struct Stack {
    process: Child,
    endpoint: String,
    tokens: String,
}

impl Stack {
    /// Starts one and waits for its addresses.
    fn start() -> Result<Self> {
        let mut dev = Command::new(process::target().join("debug/ristoro"));
        dev.arg("dev").current_dir(root()).stdout(Stdio::piped());
        let mut process = dev.spawn().context("the built ristoro cannot be started")?;
        let output = process.stdout.take().context("the output was asked for")?;
        let mut stack = Self { process, endpoint: String::new(), tokens: String::new() };
        let mut lines = BufReader::new(output).lines();
        while stack.endpoint.is_empty() || stack.tokens.is_empty() {
            let Some(line) = lines.next() else {
                bail!("`ristoro dev` ended before it told its address: {}", stack.process.wait()?);
            };
            let line = line?;
            match line.split_once(' ') {
                Some(("gRPC", address)) => address.trim().clone_into(&mut stack.endpoint),
                Some(("tokens", file)) => file.trim().clone_into(&mut stack.tokens),
                Some(_) | None => {}
            }
        }
        // Read on, so that it can go on printing.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(stack)
    }

    /// Asks it to end, as ctrl-C does, and waits.
    fn end(mut self) -> Result<()> {
        let id = self.process.id().to_string();
        succeeds(&mut command("kill", &["-TERM", &id]))?;
        let begun = Instant::now();
        while begun.elapsed() < END_BOUND {
            if let Some(status) = self.process.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("`ristoro dev` ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process.kill()?;
        bail!("`ristoro dev` did not end within {END_BOUND:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, count};

    fn counted(lines: &[&str]) -> (u64, u64) {
        let mut outcome = Outcome::default();
        lines.iter().for_each(|line| count(line, &mut outcome));
        (outcome.passed, outcome.failed)
    }

    #[test]
    fn the_closing_lines_of_unittest_are_read() {
        assert_eq!(counted(&["Ran 27 tests in 6.509s", "", "OK"]), (27, 0));
        assert_eq!(counted(&["Ran 27 tests in 6.5s", "FAILED (failures=1, errors=2)"]), (24, 3));
        assert_eq!(counted(&["Ran 3 tests in 1s", "FAILED (errors=3, skipped=1)"]), (0, 3));
    }
}
