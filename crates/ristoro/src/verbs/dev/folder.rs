//! The folder of `ristoro dev`: gone at the end, or kept from run to run where `--data-dir` names it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ristoro_local::DataDirectory;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Log;
use crate::verbs::log::OperateError;

/// The file that says that a folder is ours, and what was begun in it. It is locked while it is in use.
const MARKER: &str = "ristoro-dev.toml";
/// What else we make in a folder; nothing else is ever removed.
const PARTS: [&str; 3] = ["postgres", "kafka", "people"];

/// A folder that this process alone uses.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    throw_away: bool,
    log: Log,
    /// Holds the lock as long as the folder is in use.
    _marker: Option<File>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    log: Log,
    process: u32,
}

impl Folder {
    /// Makes a folder that is gone at the end.
    pub fn throw_away(log: Log) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("ristoro-dev-{}", Uuid::new_v4()));
        std::fs::create_dir_all(&path).with_context(|| format!("{}", path.display()))?;
        Ok(Self { path, throw_away: true, log, _marker: None })
    }

    /// Opens a folder that stays, and makes it where it is missing; `log` is the wish, if there is one.
    pub fn kept(path: &Path, log: Option<Log>, reset: bool) -> Result<Self> {
        let path = std::path::absolute(path).with_context(|| format!("{}", path.display()))?;
        let shown = path.display().to_string();
        std::fs::create_dir_all(&path).with_context(|| shown.clone())?;
        let marker = path.join(MARKER);
        let others = std::fs::read_dir(&path).with_context(|| shown.clone())?.next().is_some();
        if others && !marker.is_file() {
            return Err(refused(format!(
                "{shown} holds other things and no {MARKER}: name an empty folder, or one that `ristoro dev` made"
            )));
        }
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&marker);
        let mut marker = options.with_context(|| shown.clone())?;
        let known = read(&mut marker).with_context(|| format!("{shown}/{MARKER}"))?;
        match marker.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let by =
                    known.map_or_else(String::new, |known| format!(", process {}", known.process));
                return Err(refused(format!(
                    "{shown} is in use by a `ristoro dev` that runs{by}: end that first, or name another folder"
                )));
            }
            Err(TryLockError::Error(problem)) => {
                return Err(problem).with_context(|| format!("{shown}/{MARKER} cannot be locked"));
            }
        }
        let known = if reset {
            empty(&path)?;
            None
        } else {
            known.map(|known| known.log)
        };
        if let (Some(known), Some(wish)) = (known, log)
            && known != wish
        {
            return Err(refused(format!(
                "the log of {shown} is in {known}: leave --log out, name another folder, or begin anew with --reset"
            )));
        }
        let log = known.or(log).unwrap_or(Log::Postgres);
        write(&mut marker, &Marker { log, process: std::process::id() })
            .with_context(|| format!("{shown}/{MARKER}"))?;
        Ok(Self { path, throw_away: false, log, _marker: Some(marker) })
    }

    /// Gives where the log is.
    pub fn log(&self) -> Log {
        self.log
    }

    /// Tells whether it is kept.
    pub fn is_kept(&self) -> bool {
        !self.throw_away
    }

    /// Gives the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives where a server's data lives.
    pub fn data_of(&self, server: &str) -> DataDirectory {
        if self.throw_away {
            DataDirectory::ThrowAway
        } else {
            DataDirectory::Persistent(self.path.join(server))
        }
    }

    /// Gives the folder of who may call.
    pub fn people(&self) -> PathBuf {
        self.path.join("people")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.throw_away
            && let Err(problem) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("{} cannot be removed: {problem}", self.path.display());
        }
    }
}

fn refused(problem: String) -> anyhow::Error {
    OperateError::Usage(problem).into()
}

/// Reads what was begun; none in a folder that was made just now.
fn read(marker: &mut File) -> Result<Option<Marker>> {
    let mut text = String::new();
    marker.read_to_string(&mut text)?;
    if text.is_empty() { Ok(None) } else { Ok(Some(toml::from_str(&text)?)) }
}

fn write(marker: &mut File, content: &Marker) -> Result<()> {
    let text = toml::to_string(content)?;
    marker.set_len(0)?;
    marker.rewind()?;
    marker.write_all(text.as_bytes())?;
    Ok(())
}

fn empty(folder: &Path) -> Result<()> {
    for part in PARTS {
        let part = folder.join(part);
        if part.is_dir() {
            std::fs::remove_dir_all(&part).with_context(|| format!("{}", part.display()))?;
        }
    }
    Ok(())
}
