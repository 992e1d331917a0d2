//! The directory in which a server keeps its data, log and settings.

use std::env;
use std::fs as blocking;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::fs;

use crate::account::Account;
use crate::error::{Error, Result, at};

/// Where a server's data lives, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDirectory {
    /// A fresh directory among the machine's temporary files, removed when the server ends.
    ThrowAway,
    /// This directory, made if it is missing, which stays. Only one server at a time may use it.
    Persistent(PathBuf),
}

/// A server's directory. A throw-away one is removed with this value, unless a supervisor has
/// taken over that duty.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    throw_away: bool,
    removed_here: bool,
}

impl Home {
    /// Makes the directory, open to its owner alone: the account if there is one.
    pub(crate) async fn create(
        server: &str,
        data: &DataDirectory,
        account: Option<Account>,
    ) -> Result<Self> {
        let (path, throw_away) = match data {
            DataDirectory::ThrowAway => (throw_away_path(server, account).await?, true),
            DataDirectory::Persistent(path) => {
                (std::path::absolute(path).map_err(at(path))?, false)
            }
        };
        fs::create_dir_all(&path).await.map_err(at(&path))?;
        let home = Self { path, throw_away, removed_here: throw_away };
        if let Some(account) = account {
            account.owns(&home.path)?;
        }
        let private = blocking::Permissions::from_mode(0o700);
        fs::set_permissions(&home.path, private).await.map_err(at(&home.path))?;
        home.check_reachable(account).await?;
        Ok(home)
    }

    async fn check_reachable(&self, account: Option<Account>) -> Result<()> {
        match account {
            Some(account) if !account.enters(&self.path).await => Err(Error::Data {
                directory: self.path.clone(),
                reason: "the server's account, which is not root, cannot enter this directory: \
                         choose one outside of private directories, or run as a normal user"
                    .into(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What a supervisor has to remove at the end, if anything.
    pub(crate) fn throw_away(&self) -> Option<&Path> {
        self.throw_away.then_some(self.path.as_path())
    }

    /// A supervisor removes the directory from now on.
    pub(crate) fn is_removed_by_supervisor(&mut self) {
        self.removed_here = false;
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.removed_here {
            return;
        }
        if let Err(error) = blocking::remove_dir_all(&self.path) {
            tracing::warn!(directory = %self.path.display(), %error, "could not be removed");
        }
    }
}

/// A name among the temporary files; if the account could not remove it there, which happens where
/// `TMPDIR` is root's own, among the machine's common ones.
async fn throw_away_path(server: &str, account: Option<Account>) -> Result<PathBuf> {
    let mut base = std::path::absolute(env::temp_dir()).map_err(at(&env::temp_dir()))?;
    if let Some(account) = account
        && !account.writes(&base).await
    {
        base = PathBuf::from("/tmp");
    }
    Ok(base.join(format!("ristoro-{server}-{}", uuid::Uuid::new_v4().simple())))
}
