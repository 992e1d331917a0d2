//! Runs other programs to their end, and finds them on the PATH.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{Error, Result, last_lines};

/// So much of a failed program's output goes into the error.
const LINES_IN_ERROR: usize = 3;

/// Finds a program on the PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// Runs a program to its end without input. If it takes longer than `limit`, or the caller stops
/// waiting, it is killed.
///
/// # Errors
/// If it cannot be run, takes too long, or ends with a status other than 0.
pub(crate) async fn run(command: &mut Command, limit: Duration) -> Result<Output> {
    let program = PathBuf::from(command.as_std().get_program());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(limit, command.output())
        .await
        .map_err(|_| Error::Time {
            what: format!("the end of {}", program.display()),
            limit,
            hint: String::new(),
        })?
        .map_err(|source| Error::Spawn { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Failed { program, status: output.status.to_string(), output: told(&output) })
}

/// The end of what a program printed: errors, or else its output (Maven's errors stand there).
fn told(output: &Output) -> String {
    let errors = last_lines(&String::from_utf8_lossy(&output.stderr), LINES_IN_ERROR);
    if errors.is_empty() {
        return last_lines(&String::from_utf8_lossy(&output.stdout), LINES_IN_ERROR);
    }
    errors
}

/// Runs a program and gives what it printed, errors included (`java -version` prints there).
pub(crate) async fn output_of(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = run(Command::new(program).args(arguments), Duration::from_secs(30)).await?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_program_is_told_with_its_last_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo no space left >&2; exit 3"]);
        let error = run(&mut command, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "sh failed (exit status: 3): no space left");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended() {
        let mut command = Command::new("sleep");
        let error = run(command.arg("30"), Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.to_string(), "the end of sleep did not happen within 0.05 s");
    }
}
