//! A Postgres server of one's own: found or installed, never as root, with a random password.

mod cluster;
mod programs;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::fs;
use tokio::process::Command;
use tokio::time::sleep;

use crate::account::Account;
use crate::error::{Error, Result};
use crate::home::{DataDirectory, Home};
use crate::ports::free_port;
use crate::programs::run;
use crate::supervisor::{Launch, Signal, Supervisor};
use cluster::USER;
use programs::Programs;

const SERVER: &str = "Postgres";
/// Recovery after a crash is the slowest start.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_GRACE: Duration = Duration::from_secs(10);
const QUERY_LIMIT: Duration = Duration::from_secs(60);
/// Another process may take a port between our look and the server's.
const PORT_ATTEMPTS: u32 = 3;
/// The server of an owner that was killed may be ending on the same data: its grace, and some more.
const ENDING_LIMIT: Duration = Duration::from_secs(15);
const ENDING_PAUSE: Duration = Duration::from_millis(200);

/// Whether commits survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As Postgres comes.
    Durable,
    /// Nothing is flushed to the disk. A killed server still keeps its commits, a machine without
    /// power does not.
    ThrowAway,
}

/// How a Postgres is to be started.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Where programs are installed if the machine has none.
    pub cache_dir: PathBuf,
    /// Where the data lives, and how long.
    pub data: DataDirectory,
    /// Whether commits survive a loss of power.
    pub durability: Durability,
    /// Further settings of `postgresql.conf`, which win over ours.
    pub settings: Vec<(String, String)>,
}

impl PostgresOptions {
    /// For tests: everything goes at the end.
    pub fn throw_away(cache_dir: PathBuf) -> Self {
        let data = DataDirectory::ThrowAway;
        Self { cache_dir, data, durability: Durability::ThrowAway, settings: Vec::new() }
    }

    /// For a system that is started again with what it knew.
    pub fn persistent(cache_dir: PathBuf, directory: PathBuf) -> Self {
        let data = DataDirectory::Persistent(directory);
        Self { cache_dir, data, durability: Durability::Durable, settings: Vec::new() }
    }
}

/// A running Postgres. Dropped, or when this process ends in any way, it is stopped and its
/// throw-away data removed; [`Postgres::stop`] does so too and waits for it.
#[derive(Debug)]
pub struct Postgres {
    programs: Programs,
    account: Option<Account>,
    home: Home,
    options: PostgresOptions,
    password: String,
    port: u16,
    supervisor: Supervisor,
}

impl Postgres {
    /// Finds or installs Postgres 15 or later, makes a data directory at need, and starts a server
    /// on a free loopback port. Returns when it takes connections.
    ///
    /// # Errors
    /// If Postgres cannot be found or installed, or does not start.
    pub async fn start(options: PostgresOptions) -> Result<Self> {
        let begun = Instant::now();
        let programs = Programs::find_or_install(&options.cache_dir).await?;
        let account = Account::unless_caller_will_do().await?;
        let mut home = Home::create("postgres", &options.data, account).await?;
        let programs = programs.reachable_by(account, &home).await?;
        let password = cluster::prepare(&programs, &home, account).await?;
        let mut attempt = 1;
        let (port, supervisor) = loop {
            let port = free_port()?;
            let launch = launch(&programs, account, &home, arguments(&options, port));
            match start_once(launch).await {
                Ok(supervisor) => break (port, supervisor),
                Err(error) if is_data_in_use(&error) && begun.elapsed() < ENDING_LIMIT => {
                    sleep(ENDING_PAUSE).await;
                }
                Err(error) if attempt == PORT_ATTEMPTS || !is_port_taken(&error) => {
                    return Err(error);
                }
                Err(_) => attempt += 1,
            }
        };
        home.is_removed_by_supervisor();
        let elapsed_ms = begun.elapsed().as_millis();
        tracing::info!(port, version = programs.version, elapsed_ms, "Postgres is ready");
        Ok(Self { programs, account, home, options, password, port, supervisor })
    }

    /// The address of a database for clients, password included. `postgres` always exists.
    pub fn url(&self, database: &str) -> String {
        let Self { password, port, .. } = self;
        format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}")
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id.
    pub fn process_id(&self) -> u32 {
        self.supervisor.pid()
    }

    /// The directory of data, log and password.
    pub fn directory(&self) -> &Path {
        self.home.path()
    }

    /// Makes a database unless it exists, and gives its address.
    ///
    /// # Errors
    /// If the server refuses, or `psql` cannot be run.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        let literal = format!("'{}'", name.replace('\'', "''"));
        let known = format!("SELECT count(*) FROM pg_database WHERE datname = {literal}");
        if self.execute("postgres", &known).await? == "0" {
            let identifier = format!("\"{}\"", name.replace('"', "\"\""));
            self.execute("postgres", &format!("CREATE DATABASE {identifier}")).await?;
        }
        Ok(self.url(name))
    }

    /// Runs SQL through `psql` and gives its output: columns separated by `|`, no headings.
    ///
    /// # Errors
    /// If the server refuses, or `psql` cannot be run.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = Command::new(self.programs.path("psql"));
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        command.args(["--set", "ON_ERROR_STOP=1", "--host", "127.0.0.1", "--username", USER]);
        command.args(["--port", &self.port.to_string(), "--dbname", database, "--command", sql]);
        command.env("PGPASSWORD", &self.password).env("LC_ALL", "C");
        let output = run(&mut command, QUERY_LIMIT).await?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Ends the server as a crash does: connections break, and the next start recovers.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(&mut self) -> Result<()> {
        // Killed with SIGKILL it would leave connections that keep the next server from starting.
        self.supervisor.signal(Signal::Quit).await?;
        self.supervisor.until_exit(STOP_GRACE).await.map(|_| ())
    }

    /// Starts the server again on the same port and data, after stopping it if it still runs.
    ///
    /// # Errors
    /// If it does not start, for example because another process took its port meanwhile.
    pub async fn restart(&mut self) -> Result<()> {
        self.supervisor.stop().await?;
        let arguments = arguments(&self.options, self.port);
        let launch = launch(&self.programs, self.account, &self.home, arguments);
        let restarted = start_once(launch).await?;
        let mut ended = std::mem::replace(&mut self.supervisor, restarted);
        ended.keep_files().await
    }

    /// Stops the server in order and removes throw-away data. Bounded: it is killed after 10 s.
    ///
    /// # Errors
    /// If even that does not end it.
    pub async fn stop(self) -> Result<()> {
        self.supervisor.end().await
    }
}

fn launch<'a>(
    programs: &Programs,
    account: Option<Account>,
    home: &'a Home,
    arguments: Vec<OsString>,
) -> Launch<'a> {
    Launch {
        server: SERVER,
        program: programs.path("postgres"),
        arguments,
        home: home.path(),
        throw_away: home.throw_away(),
        account,
        stop_signal: Signal::Interrupt,
        grace: STOP_GRACE,
    }
}

fn arguments(options: &PostgresOptions, port: u16) -> Vec<OsString> {
    let port = port.to_string();
    let mut settings = vec![
        ("listen_addresses", "127.0.0.1"),
        ("port", port.as_str()),
        // Clients come through the port; a socket's path would have to be short.
        ("unix_socket_directories", ""),
        ("max_connections", "200"),
        ("logging_collector", "off"),
    ];
    match options.durability {
        Durability::Durable => {}
        Durability::ThrowAway => settings.extend([("fsync", "off"), ("full_page_writes", "off")]),
    }
    let own = options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut arguments: Vec<OsString> = vec!["-D".into(), "data".into()];
    for (name, value) in settings.into_iter().chain(own) {
        arguments.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    arguments
}

async fn start_once(launch: Launch<'_>) -> Result<Supervisor> {
    let pid_file = launch.home.join("data/postmaster.pid");
    let supervisor = Supervisor::start(launch).await?;
    let ready = until_status_is_ready(pid_file, supervisor.pid());
    supervisor.starts(START_LIMIT, ready).await
}

/// Postgres writes its state into the eighth line of `postmaster.pid`, which `pg_ctl` reads too.
/// The first line tells whether the file is this server's or that of a crashed one before it.
async fn until_status_is_ready(file: PathBuf, pid: u32) {
    loop {
        let text = fs::read_to_string(&file).await.unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        if lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready") {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

fn is_port_taken(error: &Error) -> bool {
    error.to_string().contains("could not bind")
}

fn is_data_in_use(error: &Error) -> bool {
    error.to_string().contains("lock file \"postmaster.pid\" already exists")
}
