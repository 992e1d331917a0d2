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
/// How pip and Maven begin the text that matters.
const MARKS: [&str; 2] = ["[ERROR] ", "ERROR: "];

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
        .map_err(|problem| Error::Spawn { program: program.clone(), problem })?;
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Failed { program, status: output.status.to_string(), output: told(&output) })
}

/// Why a program failed in its own words: the first line that it marks as an error (pip and Maven
/// print much more after it, Maven to its output), or else the end of what it printed.
fn told(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let normal = String::from_utf8_lossy(&output.stdout);
    for line in errors.lines().chain(normal.lines()) {
        // Maven may put a colour before it.
        if let Some(start) = MARKS.iter().find_map(|mark| line.find(mark)) {
            return line[start..].trim_end().to_owned();
        }
    }
    let errors = last_lines(&errors, LINES_IN_ERROR);
    if errors.is_empty() { last_lines(&normal, LINES_IN_ERROR) } else { errors }
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
    async fn the_line_that_is_marked_as_an_error_is_the_reason() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo '<0>[ERROR] no network'; echo '[ERROR] see the manual'; exit 1"]);
        let error = run(&mut command, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "sh failed (exit status: 1): [ERROR] no network");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended() {
        let mut command = Command::new("sleep");
        let error = run(command.arg("30"), Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.to_string(), "the end of sleep did not happen within 0.05 s");
    }
}
