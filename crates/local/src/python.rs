//! Installs packages that carry programs from PyPI into the cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::cache::{discard, publish, staging};
use crate::error::Result;
use crate::programs::{on_path, run};

const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Installs one package, pinned as `name==version`, into a directory of the cache, unless it is
/// there already. Only the files matter: nothing of it is run by Python.
///
/// # Errors
/// The reason in a few words, for [`Error::Missing`](crate::Error::Missing).
pub(crate) async fn install(pinned: &str, cache: &Path) -> std::result::Result<PathBuf, String> {
    let target = cache.join(pinned.replace("==", "-"));
    if target.is_dir() {
        return Ok(target);
    }
    tracing::info!(package = pinned, "installing from PyPI, once");
    let downloaded = match pip() {
        Some(pip) => download(pip, pinned, &target).await,
        None => return Err("neither pip nor python3 is on the PATH".to_owned()),
    };
    // What pip says without a network does not mention the network.
    downloaded.map_err(|error| format!("is PyPI reached from here? {error}"))?;
    Ok(target)
}

async fn download(mut command: Command, pinned: &str, target: &Path) -> Result<()> {
    let staged = staging(target).await?;
    command.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--retries",
        "1",
    ]);
    command.args(["--no-deps", "--no-compile", "--only-binary", ":all:", "--target"]);
    command.arg(&staged).arg(pinned);
    if let Err(error) = run(&mut command, INSTALL_LIMIT).await {
        discard(&staged).await?;
        return Err(error);
    }
    publish(&staged, target).await
}

/// `pip` itself where it is on the PATH, else as a module of Python; none without either.
fn pip() -> Option<Command> {
    for name in ["pip3", "pip"] {
        if let Some(program) = on_path(name) {
            return Some(Command::new(program));
        }
    }
    let mut command = Command::new(on_path("python3")?);
    command.args(["-m", "pip"]);
    Some(command)
}
