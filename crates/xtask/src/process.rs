//! Programs that are run, with a clear line where one is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Gives the project's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
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
            let last =
                |text: &str| text.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned);
            let said = last(&errors).or_else(|| last(&text)).unwrap_or_default();
            bail!("{what}: {}", said.trim())
        }
    }
}
