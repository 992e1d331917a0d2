//! What can go wrong with a local server, each as one line that says what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of everything that touches a local server.
pub type Result<T> = std::result::Result<T, Error>;

/// A local server that could not be found, installed, started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part that is neither on the machine nor could be installed.
    #[error("{part} was not found and could not be installed ({reason}): {remedy}")]
    Missing {
        /// The part and the versions that would do.
        part: &'static str,
        /// Why the installation failed.
        reason: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// A program that could not be run at all.
    #[error("{} could not be run: {problem}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        problem: io::Error,
    },
    /// A program that ran and failed.
    #[error("{} failed ({status}): {output}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: String,
        /// The end of what it printed, on one line.
        output: String,
    },
    /// A file or directory that could not be read or written.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        problem: io::Error,
    },
    /// No loopback port could be had, or a socket failed.
    #[error("loopback network: {problem}")]
    Network {
        /// What the operating system said.
        problem: io::Error,
    },
    /// A server that ended before it was ready.
    #[error("{server} ended while it started (status {status}); its last lines: {log}")]
    EndedAtStart {
        /// The server.
        server: &'static str,
        /// Its exit status as the shell counts it.
        status: i32,
        /// The end of its log, on one line.
        log: String,
    },
    /// Something that did not happen in time.
    #[error("{what} did not happen within {} s{hint}", limit.as_secs_f32())]
    Time {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// More about it, or empty; begins with a separator.
        hint: String,
    },
    /// A data directory that these programs cannot use.
    #[error("{}: {reason}", directory.display())]
    Data {
        /// The directory.
        directory: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A server was asked for something that needs it running.
    #[error("{server} is not running: start it first")]
    NotRunning {
        /// The server.
        server: &'static str,
    },
    /// The shell supervisor broke its protocol, which a kill of it from outside does.
    #[error("the supervisor of {server} is gone: was it killed from outside?")]
    Supervisor {
        /// The server.
        server: &'static str,
    },
}

/// Adds the path to an IO error.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |problem| Error::File { path, problem }
}

/// Brings the last lines of a text onto one line, so that an error stays one line. The places that
/// Java lists below an exception are left out: they would hide the exception.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let told = text.lines().filter(|line| !line.starts_with("\tat "));
    let lines: Vec<&str> = told.map(str::trim).filter(|line| !line.is_empty()).collect();
    let start = lines.len().saturating_sub(count);
    lines[start..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_becomes_one_line() {
        assert_eq!(last_lines("a\n\n b \nc\n", 2), "b | c");
        assert_eq!(last_lines("", 2), "");
        assert_eq!(
            last_lines("BadException: no\n\tat x.Y(Y.java)\n\tat x.Z\n", 1),
            "BadException: no"
        );
    }

    #[test]
    fn a_missing_part_is_told_in_one_line() {
        let error = Error::Missing {
            part: "Postgres 15 or later",
            reason: "no pip".into(),
            remedy: "install it with `apt-get install postgresql`",
        };
        assert_eq!(
            error.to_string(),
            "Postgres 15 or later was not found and could not be installed (no pip): install it \
             with `apt-get install postgresql`"
        );
    }
}
