//! One service as a process of the real binary, and callers of it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ristoro_local::free_port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use super::Error;

/// How long a service may take to be ready.
const READY_BOUND: Duration = Duration::from_secs(60);
/// How long it may take to end: more than its own bound, which the tests look at.
const END_BOUND: Duration = Duration::from_secs(30);
/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(50);

/// A running service; killed when it is dropped.
#[derive(Debug)]
pub struct Service {
    name: String,
    process: Child,
    /// Where it is called.
    pub endpoint: String,
    /// Where its pages are, HOST:PORT.
    pub pages: String,
}

/// How a service ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// How long after it was asked to.
    pub took: Duration,
}

/// Somebody who calls a service.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The connection.
    pub channel: Channel,
    token: MetadataValue<Ascii>,
}

impl Service {
    /// Starts one on free ports.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(name: &str, settings: &[(String, String)]) -> Result<Self, Error> {
        let (calls, pages) = (free_port()?, free_port()?);
        let endpoint = format!("http://127.0.0.1:{calls}");
        Self::start_at(name, settings, (endpoint, format!("127.0.0.1:{pages}")))
    }

    /// Starts one where another was called and had its pages.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start_at(
        name: &str,
        settings: &[(String, String)],
        (endpoint, pages): (String, String),
    ) -> Result<Self, Error> {
        let mut command = Command::new(binary()?);
        command.arg(name).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command.envs(settings.iter().map(|(key, value)| (key, value)));
        command.env("RISTORO_LISTEN", endpoint.trim_start_matches("http://"));
        command.env("RISTORO_METRICS_LISTEN", &pages);
        Ok(Self { name: name.to_owned(), process: command.spawn()?, endpoint, pages })
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// Where it ends, or takes too long.
    pub async fn ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + READY_BOUND;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("{} ended: {status}", self.name).into());
            }
            if self.page("/readyz").await.is_ok_and(|page| page.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{} is not ready", self.name).into());
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Gives its process's id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Gives one of its pages with the headers.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn page(&self, path: &str) -> Result<String, Error> {
        let mut stream = TcpStream::connect(&self.pages).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    /// Sends SIGTERM and waits.
    ///
    /// # Errors
    /// Where it does not end.
    pub async fn end(mut self) -> Result<Ended, Error> {
        let id = self.process.id().ok_or("it has ended already")?;
        let asked = Instant::now();
        Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        let status = tokio::time::timeout(END_BOUND, self.process.wait()).await;
        let status = status.map_err(|_| format!("{} does not end", self.name))??;
        Ok(Ended { status, took: asked.elapsed() })
    }

    /// Sends SIGKILL and waits.
    ///
    /// # Errors
    /// Where it has ended already.
    pub async fn kill(mut self) -> Result<(), Error> {
        Ok(self.process.kill().await?)
    }
}

impl Caller {
    /// Connects to an address as the owner of a token.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn connect(endpoint: &str, token: &str) -> Result<Self, Error> {
        let channel = Endpoint::from_shared(endpoint.to_owned())?.connect().await?;
        Ok(Self { channel, token: format!("Bearer {token}").parse()? })
    }

    /// Makes a request as this caller.
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }

    /// Makes a request as a part of a trace.
    ///
    /// # Panics
    /// For a `traceparent` that cannot stand in a header.
    pub fn traced<T>(&self, message: T, traceparent: &str) -> tonic::Request<T> {
        let mut request = self.request(message);
        let value = traceparent.parse().expect("a traceparent is plain text");
        request.metadata_mut().insert("traceparent", value);
        request
    }
}

/// The variable that names a binary which is built already.
const PROGRAM: &str = "BUILT_RISTORO";

/// Finds the binary: the one that `BUILT_RISTORO` names, else the one beside this test's own executable, as built
/// from the code that is there now.
///
/// # Errors
/// Where it does not build.
pub fn binary() -> Result<PathBuf, Error> {
    static BUILT: std::sync::OnceLock<Result<PathBuf, String>> = std::sync::OnceLock::new();
    BUILT.get_or_init(|| build().map_err(|error| error.to_string())).clone().map_err(Error::from)
}

fn build() -> Result<PathBuf, Error> {
    if let Some(program) = std::env::var_os(PROGRAM) {
        return Ok(program.into());
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("a test lies in the target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = std::process::Command::new(cargo);
    build.args(["build", "--quiet", "--package", "ristoro", "--bin", "ristoro"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let program = folder.join("ristoro");
    match build.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success() && program.is_file() {
        true => Ok(program),
        false => Err("ristoro does not build".into()),
    }
}
