//! Programs that are run, with a clear line where one is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

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
