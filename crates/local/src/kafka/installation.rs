//! Kafka's jars in the cache, and what is made from them once: a formatted, empty data directory
//! and an archive of loaded classes that makes later starts twice as fast.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::fs;
use tokio::process::Command;

use super::java::Java;
use crate::cache::{discard, publish, staging};
use crate::error::{Error, Result, at};
use crate::programs::{on_path, run};

/// The number counts what else we change: jars left out, the format.
const NAME: &str = "kafka-4.4.0-1";
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(600);
const FORMAT_LIMIT: Duration = Duration::from_secs(60);
/// Any cluster id will do for the template: each copy gets its own.
const TEMPLATE_CLUSTER: &str = "cmlzdG9ybzAwMDAwMDAwMA";

/// Kafka on this machine, with the Java that runs it.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    directory: PathBuf,
    java: Java,
    class_path: OsString,
}

impl Installation {
    /// Takes it from the cache, or gets it from Maven Central through `mvn` at the first use.
    pub(crate) async fn find_or_install(cache: &Path) -> Result<Self> {
        let cache = std::path::absolute(cache).map_err(at(cache))?;
        let java = Java::find_or_install(&cache).await?;
        let directory = cache.join(NAME);
        if !directory.is_dir() {
            tracing::info!("getting Apache Kafka from Maven Central (35 MB), once");
            download(&directory, &java).await?;
        }
        let class_path = class_path(&directory.join("jars")).await?;
        Ok(Self { directory, java, class_path })
    }

    pub(crate) fn jars(&self) -> PathBuf {
        self.directory.join("jars")
    }

    pub(crate) fn java(&self) -> &Path {
        &self.java.program
    }

    /// Java's arguments up to and including the class to run. Serial collection and the first
    /// compiler alone start fastest and take the least memory.
    pub(crate) fn java_arguments(
        &self,
        heap_mebibytes: u32,
        log_settings: &Path,
        more: Vec<OsString>,
        class: &str,
    ) -> Vec<OsString> {
        let mut log = OsString::from("-Dlog4j2.configurationFile=");
        log.push(log_settings);
        let mut arguments: Vec<OsString> = vec![
            "-Xms32m".into(),
            format!("-Xmx{heap_mebibytes}m").into(),
            "-XX:+UseSerialGC".into(),
            "-XX:TieredStopAtLevel=1".into(),
            "-Xlog:cds=off".into(),
            "-Xlog:cds+dynamic=off".into(),
            log,
        ];
        arguments.extend(more);
        arguments.extend(["-cp".into(), self.class_path.clone(), class.into()]);
        arguments
    }

    /// The archive of classes that belongs to these jars and this Java.
    pub(crate) fn class_archive(&self) -> PathBuf {
        self.directory.join(format!("classes-{}.jsa", self.java.version))
    }

    /// Fills an empty data directory. The format takes half a second of Java, so it is done once
    /// and copied afterwards, with a cluster id of its own.
    pub(crate) async fn format(&self, data: &Path) -> Result<()> {
        let template = self.directory.join("formatted");
        if !template.is_dir() {
            self.make_template(&template).await?;
        }
        let staged = data.with_extension("partial");
        discard(&staged).await?;
        run(Command::new("cp").arg("-R").arg(&template).arg(&staged), FORMAT_LIMIT).await?;
        let properties = staged.join("meta.properties");
        let text = fs::read_to_string(&properties).await.map_err(at(&properties))?;
        let own = text.replace(TEMPLATE_CLUSTER, &cluster_id());
        fs::write(&properties, own).await.map_err(at(&properties))?;
        fs::rename(&staged, data).await.map_err(at(data))
    }

    async fn make_template(&self, template: &Path) -> Result<()> {
        let staged = staging(template).await?;
        fs::create_dir(&staged).await.map_err(at(&staged))?;
        let settings = staged.join("server.properties");
        let data = staged.join("data");
        // A fixed voter, unlike a dynamic one, leaves no port in the formatted directory.
        let text = super::settings::text(&data, 10_001, 10_002, &[]);
        fs::write(&settings, text).await.map_err(at(&settings))?;
        let log_settings = staged.join("log4j2.properties");
        fs::write(&log_settings, super::LOG_SETTINGS).await.map_err(at(&log_settings))?;
        let mut command = Command::new(self.java());
        let class = "kafka.tools.StorageTool";
        command.args(self.java_arguments(128, &log_settings, Vec::new(), class));
        command.args(["format", "-t", TEMPLATE_CLUSTER, "-c"]).arg(&settings);
        let formatted = run(&mut command, FORMAT_LIMIT).await;
        if formatted.is_ok() {
            // Kafka keeps a file from everybody else, but the cache may serve several users.
            run(Command::new("chmod").args(["-R", "a+rX"]).arg(&data), FORMAT_LIMIT).await?;
            publish(&data, template).await?;
        }
        discard(&staged).await?;
        formatted.map(|_| ())
    }
}

/// Gets the jars whole or not at all.
async fn download(directory: &Path, java: &Java) -> Result<()> {
    let maven = on_path("mvn").ok_or_else(|| missing("Maven's `mvn` is not on the PATH".into()))?;
    let staged = staging(directory).await?;
    fs::create_dir(&staged).await.map_err(at(&staged))?;
    let project = staged.join("pom.xml");
    fs::write(&project, include_str!("pom.xml")).await.map_err(at(&project))?;
    let mut command = Command::new(maven);
    command.args([
        "--quiet",
        "--batch-mode",
        "-Dstyle.color=never",
        "dependency:copy-dependencies",
    ]);
    command.args(["-DincludeScope=runtime", "-DoutputDirectory=jars"]).current_dir(&staged);
    if let Some(home) = &java.home {
        command.env("JAVA_HOME", home);
    }
    match run(&mut command, DOWNLOAD_LIMIT).await {
        Ok(_) => publish(&staged, directory).await,
        Err(error) => {
            discard(&staged).await?;
            Err(missing(format!("is Maven Central reached from here? {error}")))
        }
    }
}

fn missing(reason: String) -> Error {
    Error::Missing {
        part: "Apache Kafka 4.4.0",
        reason,
        remedy: "install Maven with `apt-get install maven` and run this once with a network, or \
                 use the log in Postgres, which needs no broker",
    }
}

/// All jars in a fixed order, since the archive of classes is bound to it.
async fn class_path(jars: &Path) -> Result<OsString> {
    let mut entries = fs::read_dir(jars).await.map_err(at(jars))?;
    let mut paths = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(at(jars))? {
        paths.push(entry.path());
    }
    paths.sort();
    let joined = std::env::join_paths(&paths);
    joined.map_err(|_| Error::Data {
        directory: jars.to_path_buf(),
        reason: "a path with a colon cannot be given to Java: choose another cache directory"
            .into(),
    })
}

/// Sixteen random bytes as Kafka writes them: 22 characters, the last of which carries two bits.
fn cluster_id() -> String {
    let digits = uuid::Uuid::new_v4().simple().to_string();
    format!("{}A", &digits[..21])
}
