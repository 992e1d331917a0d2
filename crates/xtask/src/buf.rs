//! buf, from PyPI into the cache: the linter of `proto/`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{command, missing};

/// The version that is installed.
const BUF: &str = "buf-bin==1.75.0";

/// Gives the program, and installs it where it is not there yet.
pub fn program() -> Result<PathBuf> {
    let folder = ristoro_local::cache_directory().join("buf-1.75.0");
    let program = folder.join("bin/buf");
    if !program.exists() {
        eprintln!("installing buf from PyPI");
        let target = folder.display().to_string();
        let arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", &target, BUF];
        let output = command("python3", &arguments).output().with_context(|| missing("python3"))?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            let line = problem.lines().last().unwrap_or_default();
            bail!("buf is not there and pip could not install {BUF} ({line}): install buf 1.75");
        }
    }
    Ok(program)
}

/// Gives the commit that `proto/` must not break: the one before this, if it has files of buf's.
pub fn base() -> Option<String> {
    let output = command("git", &["rev-parse", "--verify", "--quiet", "HEAD~1"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    let there = command("git", &["cat-file", "-e", &format!("{commit}:proto/buf.yaml")]);
    let there = { there }.status().ok()?.success();
    (output.status.success() && there).then_some(commit)
}
