//! Makes a data directory with `initdb`, and knows the password that belongs to it.

use std::path::Path;
use std::time::Duration;

use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::programs::Programs;
use crate::account::Account;
use crate::cache::discard;
use crate::error::{Error, Result, at};
use crate::home::Home;
use crate::programs::run;

/// The superuser of every local Postgres.
pub(super) const USER: &str = "ristoro";
const INITDB_LIMIT: Duration = Duration::from_secs(120);

/// Makes the data directory `data` in a home, or checks the one that is there. Gives the password.
pub(super) async fn prepare(
    programs: &Programs,
    home: &Home,
    account: Option<Account>,
) -> Result<String> {
    let data = home.path().join("data");
    let password_file = home.path().join("password");
    if data.is_dir() {
        check_version(programs, &data).await?;
        return fs::read_to_string(&password_file).await.map_err(at(&password_file));
    }
    let password = format!("{}", uuid::Uuid::new_v4().simple());
    write_password(&password_file, &password, account).await?;
    initialise(programs, home, &data, account).await?;
    Ok(password)
}

/// Builds the data under another name, so that an interrupted `initdb` leaves no half cluster.
async fn initialise(
    programs: &Programs,
    home: &Home,
    data: &Path,
    account: Option<Account>,
) -> Result<()> {
    let staged = home.path().join("data.partial");
    discard(&staged).await?;
    let mut command = Command::new(programs.path("initdb"));
    command.args(["--no-sync", "--no-instructions", "--auth=scram-sha-256", "--encoding=UTF8"]);
    command.args(["--locale=C", "--username", USER, "--pgdata"]).arg(&staged);
    command.arg("--pwfile").arg(home.path().join("password"));
    command.current_dir(home.path()).env("HOME", home.path());
    if let Some(account) = account {
        account.applies_to(&mut command);
    }
    run(&mut command, INITDB_LIMIT).await?;
    fs::rename(&staged, data).await.map_err(at(data))
}

async fn write_password(file: &Path, password: &str, account: Option<Account>) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut opened = options.open(file).await.map_err(at(file))?;
    opened.write_all(password.as_bytes()).await.map_err(at(file))?;
    opened.flush().await.map_err(at(file))?;
    match account {
        Some(account) => account.owns(file),
        None => Ok(()),
    }
}

async fn check_version(programs: &Programs, data: &Path) -> Result<()> {
    let file = data.join("PG_VERSION");
    let made_by = fs::read_to_string(&file).await.map_err(at(&file))?;
    if made_by.trim() == programs.version.to_string() {
        return Ok(());
    }
    Err(Error::Data {
        directory: data.to_path_buf(),
        reason: format!(
            "made by Postgres {}, but Postgres {} was found: use another directory, or remove \
             this one if its contents may go",
            made_by.trim(),
            programs.version
        ),
    })
}
