//! A Kafka broker of one's own: one node in KRaft mode, on free loopback ports.

mod installation;
mod java;
mod probe;
mod settings;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::fs;

use crate::error::{Error, Result, at};
use crate::home::{DataDirectory, Home};
use crate::ports::free_port;
use crate::supervisor::{Launch, Signal, Supervisor};
use installation::Installation;

const SERVER: &str = "Kafka";
/// A broker that recovers gigabytes on a busy machine takes tens of seconds.
const START_LIMIT: Duration = Duration::from_secs(90);
const STOP_GRACE: Duration = Duration::from_secs(15);
/// Another process may take a port between our look and the server's.
const PORT_ATTEMPTS: u32 = 3;
/// The broker of an owner that was killed may be ending on the same data: its grace, and some more.
const ENDING_LIMIT: Duration = Duration::from_secs(20);
const ENDING_PAUSE: Duration = Duration::from_millis(500);
const LOG_SETTINGS: &str = include_str!("log4j2.properties");

/// Gives the folder of Kafka's jars in the cache, for a Kafka that somebody else runs; gets them at the first use.
///
/// # Errors
/// If they, or the Java that gets them, can neither be found nor installed.
pub async fn kafka_jars(cache: &Path) -> Result<PathBuf> {
    Ok(Installation::find_or_install(cache).await?.jars())
}

/// How a Kafka is to be started.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Where Kafka, and Java if the machine has none, are installed.
    pub cache_dir: PathBuf,
    /// Where the data lives, and how long.
    pub data: DataDirectory,
    /// Java's heap at most. 256 is enough for tests and for a demo.
    pub heap_mebibytes: u32,
    /// Further settings of `server.properties`, which win over ours.
    pub settings: Vec<(String, String)>,
}

impl KafkaOptions {
    /// For tests: everything goes at the end.
    pub fn throw_away(cache_dir: PathBuf) -> Self {
        let data = DataDirectory::ThrowAway;
        Self { cache_dir, data, heap_mebibytes: 256, settings: Vec::new() }
    }

    /// For a system that is started again with what it knew.
    pub fn persistent(cache_dir: PathBuf, directory: PathBuf) -> Self {
        let data = DataDirectory::Persistent(directory);
        Self { cache_dir, data, heap_mebibytes: 256, settings: Vec::new() }
    }
}

/// A running Kafka. Dropped, or when this process ends in any way, it is stopped and its throw-away
/// data removed; [`Kafka::stop`] does so too and waits for it.
#[derive(Debug)]
pub struct Kafka {
    installation: Installation,
    home: Home,
    options: KafkaOptions,
    port: u16,
    supervisor: Supervisor,
}

impl Kafka {
    /// Finds or installs Java and Kafka, formats a data directory at need, and starts a broker on
    /// free loopback ports. Returns when it serves.
    ///
    /// # Errors
    /// If a part cannot be found or installed, or the broker does not start.
    pub async fn start(options: KafkaOptions) -> Result<Self> {
        let begun = Instant::now();
        let installation = Installation::find_or_install(&options.cache_dir).await?;
        let mut home = Home::create("kafka", &options.data, None).await?;
        let data = home.path().join("data");
        if !data.is_dir() {
            installation.format(&data).await?;
        }
        let mut attempt = 1;
        let (port, supervisor) = loop {
            let (port, control) = (free_port()?, free_port()?);
            write_settings(&home, &options, port, control).await?;
            match start_once(&installation, &home, &options, port).await {
                Ok(supervisor) => break (port, supervisor),
                Err(error) if is_data_in_use(&error) && begun.elapsed() < ENDING_LIMIT => {
                    tokio::time::sleep(ENDING_PAUSE).await;
                }
                Err(error) if attempt == PORT_ATTEMPTS || !is_port_taken(&error) => {
                    return Err(error);
                }
                Err(_) => attempt += 1,
            }
        };
        home.is_removed_by_supervisor();
        let elapsed_ms = begun.elapsed().as_millis();
        tracing::info!(port, elapsed_ms, "Kafka is ready");
        Ok(Self { installation, home, options, port, supervisor })
    }

    /// The address for clients' `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The server's process id.
    pub fn process_id(&self) -> u32 {
        self.supervisor.pid()
    }

    /// The directory of data, log and settings.
    pub fn directory(&self) -> &Path {
        self.home.path()
    }

    /// Kills the broker with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(&mut self) -> Result<()> {
        self.supervisor.signal(Signal::Kill).await?;
        self.supervisor.until_exit(STOP_GRACE).await.map(|_| ())
    }

    /// Stops the broker's every thread where it is, as an overloaded machine does.
    ///
    /// # Errors
    /// If the broker is not running.
    pub async fn freeze(&mut self) -> Result<()> {
        self.send(Signal::Freeze).await
    }

    /// Lets a frozen broker go on.
    ///
    /// # Errors
    /// If the broker is not running.
    pub async fn thaw(&mut self) -> Result<()> {
        self.send(Signal::Thaw).await
    }

    async fn send(&mut self, signal: Signal) -> Result<()> {
        match self.supervisor.signal(signal).await? {
            true => Ok(()),
            false => Err(Error::NotRunning { server: SERVER }),
        }
    }

    /// Starts the broker again on the same ports and data, after stopping it if it still runs.
    /// Returns when it serves.
    ///
    /// # Errors
    /// If it does not start, for example because another process took a port meanwhile.
    pub async fn restart(&mut self) -> Result<()> {
        self.supervisor.stop().await?;
        let restarted =
            start_once(&self.installation, &self.home, &self.options, self.port).await?;
        let mut ended = std::mem::replace(&mut self.supervisor, restarted);
        ended.keep_files().await
    }

    /// Stops the broker in order and removes throw-away data. Bounded: it is killed after 15 s.
    /// The first stop after the installation takes a second longer, which later starts win back.
    ///
    /// # Errors
    /// If even that does not end it.
    pub async fn stop(mut self) -> Result<()> {
        self.supervisor.stop().await?;
        self.keep_class_archive().await;
        self.supervisor.end().await
    }

    /// Moves the archive of classes that Java wrote at its exit, if it did, into the cache. Without
    /// it everything works, just slower: so a failure is told and no more.
    async fn keep_class_archive(&self) {
        let written = own_class_archive(&self.home);
        if !written.is_file() {
            return;
        }
        if let Err(error) = move_file(&written, &self.installation.class_archive()).await {
            tracing::warn!(%error, "the archive of Kafka's classes could not be kept");
        }
    }
}

/// Moves a file in a way that nobody sees half of it, from one file system to another too.
async fn move_file(from: &Path, to: &Path) -> Result<()> {
    let staged = crate::cache::staging(to).await?;
    fs::copy(from, &staged).await.map_err(at(&staged))?;
    fs::rename(&staged, to).await.map_err(at(to))?;
    fs::remove_file(from).await.map_err(at(from))
}

fn own_class_archive(home: &Home) -> PathBuf {
    home.path().join("classes.jsa")
}

async fn write_settings(
    home: &Home,
    options: &KafkaOptions,
    port: u16,
    control: u16,
) -> Result<()> {
    let settings = home.path().join("server.properties");
    let text = settings::text(&home.path().join("data"), port, control, &options.settings);
    fs::write(&settings, text).await.map_err(at(&settings))?;
    let log_settings = home.path().join("log4j2.properties");
    fs::write(&log_settings, LOG_SETTINGS).await.map_err(at(&log_settings))
}

async fn start_once(
    installation: &Installation,
    home: &Home,
    options: &KafkaOptions,
    port: u16,
) -> Result<Supervisor> {
    let log_settings = home.path().join("log4j2.properties");
    let classes = vec![class_archive_argument(installation, home)];
    let heap = options.heap_mebibytes;
    let mut arguments = installation.java_arguments(heap, &log_settings, classes, "kafka.Kafka");
    arguments.push("server.properties".into());
    let supervisor = Supervisor::start(Launch {
        server: SERVER,
        program: installation.java().to_path_buf(),
        arguments,
        home: home.path(),
        throw_away: home.throw_away(),
        account: None,
        stop_signal: Signal::Terminate,
        grace: STOP_GRACE,
    })
    .await?;
    supervisor.starts(START_LIMIT, probe::until_it_serves(port)).await
}

/// Uses the archive of classes, or has Java write one when it ends.
fn class_archive_argument(installation: &Installation, home: &Home) -> OsString {
    let kept = installation.class_archive();
    let (option, file) = match kept.is_file() {
        true => ("-XX:SharedArchiveFile=", kept),
        false => ("-XX:ArchiveClassesAtExit=", own_class_archive(home)),
    };
    let mut argument = OsString::from(option);
    argument.push(file);
    argument
}

fn is_port_taken(error: &Error) -> bool {
    error.to_string().contains("Address already in use")
}

fn is_data_in_use(error: &Error) -> bool {
    error.to_string().contains("Failed to acquire lock on file .lock")
}
