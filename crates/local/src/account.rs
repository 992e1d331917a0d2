//! The account that a server runs under where the caller is root and the server refuses that.

use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::{Error, Result, at};
use crate::programs::{output_of, run};

/// Accounts to run a server under, the better first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// A user without rights, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// None if the caller is not root, for then a server simply runs as the caller.
    pub(crate) async fn unless_caller_will_do() -> Result<Option<Self>> {
        if id(&["-u"]).await? != 0 {
            return Ok(None);
        }
        for name in CANDIDATES {
            if let (Ok(user), Ok(group)) = (id(&["-u", name]).await, id(&["-g", name]).await) {
                return Ok(Some(Self { user, group }));
            }
        }
        Err(Error::Missing {
            part: "a user without rights for Postgres, which refuses to run as root",
            reason: format!("no user is called {}", CANDIDATES.join(" or ")),
            remedy: "run as a normal user, or add one with `useradd --system postgres`",
        })
    }

    /// Lets a command run under this account, without any further group.
    pub(crate) fn applies_to(self, command: &mut Command) {
        command.uid(self.user).gid(self.group);
    }

    /// Makes this account the owner of a file or directory.
    pub(crate) fn owns(self, path: &Path) -> Result<()> {
        chown(path, Some(self.user), Some(self.group)).map_err(at(path))
    }

    /// Makes this account the owner of a directory and of all that is in it.
    pub(crate) async fn owns_all(self, directory: &Path) -> Result<()> {
        let mut command = Command::new("chown");
        command.arg("-R").arg(format!("{}:{}", self.user, self.group)).arg(directory);
        run(&mut command, Duration::from_secs(60)).await.map(|_| ())
    }

    /// Whether this account can enter and list a directory, and enter every one above it.
    pub(crate) async fn enters(self, directory: &Path) -> bool {
        self.finds(directory, "test -r . && test -x .").await
    }

    /// Whether this account can make and remove entries of a directory.
    pub(crate) async fn writes(self, directory: &Path) -> bool {
        self.finds(directory, "test -w . && test -x .").await
    }

    /// Lets the account itself try, since rights may come from more than the mode.
    async fn finds(self, directory: &Path, condition: &str) -> bool {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("cd \"$1\" && {condition}")).arg("sh").arg(directory);
        command.current_dir("/").stderr(Stdio::null());
        self.applies_to(&mut command);
        command.status().await.is_ok_and(|status| status.success())
    }
}

/// Asks `id`, since the numbers are otherwise to be had through unsafe code only.
async fn id(arguments: &[&str]) -> Result<u32> {
    let text = output_of(Path::new("id"), arguments).await?;
    text.trim().parse().map_err(|_| Error::Failed {
        program: "id".into(),
        status: "no number".into(),
        output: text.trim().into(),
    })
}
