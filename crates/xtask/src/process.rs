//! Programs that are run, with a clear line where one is missing.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Gives the project's root: that of the checkout that cargo runs this program from, which need not be the one that it
/// was built in.
pub fn root() -> PathBuf {
    let running = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = running.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.ancestors().nth(2).unwrap_or(&here).to_path_buf()
}

/// Gives the folder that cargo builds into.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into)
}

/// Makes a command that runs in the project's root.
pub fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Makes a command of the cargo that runs this program.
pub fn cargo(arguments: &[&str]) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// Runs a command to its end; tells whether it succeeded.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| missing(&program))?;
    Ok(status.success())
}

/// Says what to do about a program that cannot be started.
pub fn missing(program: &str) -> String {
    format!("{program} cannot be started: install it, and see that it is on PATH")
}

/// Makes a command that is ended when it takes longer than a bound.
pub fn bounded(
    bound: Duration,
    program: impl AsRef<std::ffi::OsStr>,
    arguments: &[&str],
) -> Command {
    let seconds = bound.as_secs().to_string();
    // In the foreground, so that an interrupt at the terminal reaches the program too.
    let mut command = command("timeout", &["--foreground", "--kill-after=5", &seconds]);
    command.arg(program).args(arguments);
    command
}

/// Runs a bounded command to its end without input; gives what it printed.
///
/// # Errors
/// If it fails or takes too long: with what was done, and the last line that it printed to say why.
pub fn output(command: &mut Command, what: &str) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| missing(&command.get_program().to_string_lossy()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => Ok(text),
        Some(124) => bail!("{what}: it did not end in time"),
        _ => {
            let errors = String::from_utf8_lossy(&output.stderr);
            let said = told(&errors).or_else(|| told(&text)).unwrap_or_default();
            bail!("{what}: {}", said.trim())
        }
    }
}

/// How apt and grpcurl begin the line that matters.
const MARKS: [&str; 2] = ["E: ", "Message: "];

/// Gives the line that says why a program failed: the one that it marks, or its last.
fn told(text: &str) -> Option<&str> {
    let marked = |line: &&str| MARKS.iter().any(|mark| line.trim_start().starts_with(mark));
    text.lines().find(marked).or_else(|| text.lines().rfind(|line| !line.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn the_line_that_matters_is_told() {
        assert_eq!(told("reading\nE: no such package\nW: old\n"), Some("E: no such package"));
        assert_eq!(told("one\ntwo\n\n"), Some("two"));
        assert_eq!(told(""), None);
    }
}
