//! A server under the shell supervisor of `supervisor.sh`, which outlives its owner just as long
//! as it takes to stop the server. So no server stays behind, even if its owner is killed hard.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::account::Account;
use crate::error::{Error, Result, at, last_lines};

/// The shell's own work takes milliseconds; a busy machine may need some more.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Time for a killed process to go and for its files to be removed.
const REMOVAL_LIMIT: Duration = Duration::from_secs(20);
const LOG_LINES_IN_ERROR: usize = 5;

/// A signal, by what the servers here use it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT, with which Postgres stops in order and at once.
    Interrupt,
    /// SIGQUIT, with which Postgres ends as in a crash.
    Quit,
    /// SIGTERM, with which Kafka stops in order.
    Terminate,
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Freeze,
    /// SIGCONT.
    Thaw,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
            Self::Freeze => "STOP",
            Self::Thaw => "CONT",
        }
    }
}

/// A server to be started.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// Its name in errors.
    pub(crate) server: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Its working directory, which holds its log.
    pub(crate) home: &'a Path,
    /// What is removed at the end.
    pub(crate) throw_away: Option<&'a Path>,
    pub(crate) account: Option<Account>,
    pub(crate) stop_signal: Signal,
    /// After the stop signal it is killed when this has passed.
    pub(crate) grace: Duration,
}

/// A server that runs or has ended, with its supervisor. Dropped, it stops the server in the
/// background.
#[derive(Debug)]
pub(crate) struct Supervisor {
    server: &'static str,
    child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    pid: u32,
    order_count: u32,
    exit_status: Option<i32>,
    log: PathBuf,
    stop_signal: Signal,
    grace: Duration,
}

impl Supervisor {
    /// Starts a server. It has its own process group, so that ctrl-C in a terminal reaches only
    /// the owner, who then stops it in order.
    pub(crate) async fn start(launch: Launch<'_>) -> Result<Self> {
        let log = launch.home.join("server.log");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", include_str!("supervisor.sh"), "ristoro-supervisor"]);
        command.arg(launch.stop_signal.name()).arg(launch.grace.as_secs().to_string());
        command.arg(&log).arg(launch.throw_away.unwrap_or(Path::new("")));
        command.arg(&launch.program).args(&launch.arguments);
        command.current_dir(launch.home).env("HOME", launch.home).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.process_group(0);
        if let Some(account) = launch.account {
            account.applies_to(&mut command);
        }
        let mut child = command
            .spawn()
            .map_err(|problem| Error::Spawn { program: PathBuf::from("/bin/sh"), problem })?;
        let orders = child.stdin.take().expect("standard input was piped above");
        let output = child.stdout.take().expect("standard output was piped above");
        let reports = tokio::io::AsyncBufReadExt::lines(BufReader::new(output));
        let mut supervisor = Self {
            server: launch.server,
            child,
            orders,
            reports,
            pid: 0,
            order_count: 0,
            exit_status: None,
            log,
            stop_signal: launch.stop_signal,
            grace: launch.grace,
        };
        supervisor.pid = supervisor.started().await?;
        Ok(supervisor)
    }

    async fn started(&mut self) -> Result<u32> {
        let line = self.report(ANSWER_LIMIT).await?;
        let pid = line.strip_prefix("started ").and_then(|number| number.parse().ok());
        pid.ok_or(Error::Supervisor { server: self.server })
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal and waits until it is sent. False if the server had ended.
    pub(crate) async fn signal(&mut self, signal: Signal) -> Result<bool> {
        self.order(signal.name()).await
    }

    /// The files shall stay, since another supervisor looks after them now.
    pub(crate) async fn keep_files(&mut self) -> Result<()> {
        self.until_exit(REMOVAL_LIMIT).await?;
        self.order("keep").await.map(|_| ())
    }

    async fn order(&mut self, word: &str) -> Result<bool> {
        let had_ended = self.exit_status.is_some();
        self.order_count += 1;
        let number = self.order_count.to_string();
        let line = format!("{number} {word}\n");
        let written = self.orders.write_all(line.as_bytes()).await;
        written.map_err(|_| Error::Supervisor { server: self.server })?;
        loop {
            let report = self.report(ANSWER_LIMIT).await?;
            match report.split_once(' ') {
                Some((answered, "sent")) if answered == number => return Ok(true),
                Some((answered, "gone")) if answered == number => return Ok(false),
                // Whoever would have answered may have ended with the server.
                Some(("exited", _)) if !had_ended => return Ok(false),
                Some(_) | None => {}
            }
        }
    }

    /// One line of the supervisor. A safe point to stop waiting at: nothing is lost.
    async fn report(&mut self, limit: Duration) -> Result<String> {
        let line = timeout(limit, self.reports.next_line()).await.map_err(|_| Error::Time {
            what: format!("an answer of the supervisor of {}", self.server),
            limit,
            hint: String::new(),
        })?;
        let line = line.ok().flatten().ok_or(Error::Supervisor { server: self.server })?;
        if let Some(status) = line.strip_prefix("exited ") {
            self.exit_status = Some(status.parse().unwrap_or(-1));
        }
        Ok(line)
    }

    /// Waits until the server has ended, and gives its status as the shell counts it.
    pub(crate) async fn until_exit(&mut self, limit: Duration) -> Result<i32> {
        let server = self.server;
        let waited = timeout(limit, async {
            loop {
                if let Some(status) = self.exit_status {
                    return Ok(status);
                }
                self.report(Duration::MAX).await?;
            }
        });
        waited.await.unwrap_or_else(|_| {
            let what = format!("the end of {server}");
            Err(Error::Time { what, limit, hint: String::new() })
        })
    }

    /// Waits until `ready` is done. If the server ends before, or the time is over, the server is
    /// stopped and its files are left to the caller, who may try again.
    pub(crate) async fn starts(
        mut self,
        limit: Duration,
        ready: impl Future<Output = ()>,
    ) -> Result<Self> {
        let Err(error) = self.until_ready(limit, ready).await else { return Ok(self) };
        self.stop().await?;
        self.keep_files().await?;
        Err(error)
    }

    async fn until_ready(
        &mut self,
        limit: Duration,
        ready: impl Future<Output = ()>,
    ) -> Result<()> {
        tokio::select! {
            () = ready => Ok(()),
            status = self.until_exit(limit) => match status {
                Ok(status) => Err(Error::EndedAtStart {
                    server: self.server,
                    status,
                    log: self.log_end().await,
                }),
                Err(Error::Time { limit, .. }) => Err(Error::Time {
                    what: format!("the start of {}", self.server),
                    limit,
                    hint: format!("; its last lines: {}", self.log_end().await),
                }),
                Err(error) => Err(error),
            },
        }
    }

    async fn log_end(&self) -> String {
        let log = tokio::fs::read(&self.log).await.map_err(at(&self.log));
        match log {
            Ok(bytes) => last_lines(&String::from_utf8_lossy(&bytes), LOG_LINES_IN_ERROR),
            Err(error) => error.to_string(),
        }
    }

    /// Stops the server in order, or kills it after its grace. Its files stay until [`Self::end`].
    pub(crate) async fn stop(&mut self) -> Result<()> {
        if self.exit_status.is_some() {
            return Ok(());
        }
        self.signal(Signal::Thaw).await?;
        self.signal(self.stop_signal).await?;
        match self.until_exit(self.grace).await {
            Ok(_) => return Ok(()),
            Err(Error::Time { .. }) => {}
            Err(error) => return Err(error),
        }
        tracing::warn!(server = self.server, "did not stop in time and is killed");
        self.signal(Signal::Kill).await?;
        self.until_exit(REMOVAL_LIMIT).await.map(|_| ())
    }

    /// Stops the server and waits until its throw-away files are gone too.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.stop().await?;
        drop(self.orders);
        let ended = timeout(REMOVAL_LIMIT, self.child.wait()).await;
        match ended {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Time {
                what: format!("the removal of the files of {}", self.server),
                limit: REMOVAL_LIMIT,
                hint: String::new(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch<'a>(home: &'a Path, script: &str, grace_seconds: u64) -> Launch<'a> {
        Launch {
            server: "the test's server",
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            home,
            throw_away: Some(home),
            account: None,
            stop_signal: Signal::Terminate,
            grace: Duration::from_secs(grace_seconds),
        }
    }

    fn home() -> PathBuf {
        let path = std::env::temp_dir().join(format!("ristoro-s-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        path
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_server_s_end_and_last_words_are_told() {
        let home = home();
        let supervisor = Supervisor::start(launch(&home, "echo no room >&2; exit 7", 1));
        let never = std::future::pending();
        let error = supervisor.await.unwrap().starts(10 * SECOND, never).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the test's server ended while it started (status 7); its last lines: no room"
        );
        assert!(home.is_dir(), "a failed start leaves the files to the caller");
        std::fs::remove_dir_all(home).unwrap();
    }

    #[tokio::test]
    async fn a_stopped_server_s_files_are_removed() {
        let home = home();
        let script = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
        let mut supervisor = Supervisor::start(launch(&home, script, 10)).await.unwrap();
        assert!(supervisor.signal(Signal::Freeze).await.unwrap());
        supervisor.end().await.unwrap();
        assert!(!home.exists());
    }

    #[tokio::test]
    async fn a_server_that_will_not_stop_is_killed() {
        let home = home();
        let script = "trap '' TERM; echo ready >ready; while :; do sleep 0.05; done";
        let mut supervisor = Supervisor::start(launch(&home, script, 1)).await.unwrap();
        while !home.join("ready").exists() {
            tokio::time::sleep(SECOND / 100).await;
        }
        supervisor.stop().await.unwrap();
        assert_eq!(supervisor.until_exit(SECOND).await.unwrap(), 128 + 9);
        assert!(!supervisor.signal(Signal::Kill).await.unwrap(), "nothing to send it to");
        supervisor.end().await.unwrap();
    }

    #[tokio::test]
    async fn files_that_are_kept_outlive_the_supervisor() {
        let home = home();
        let mut supervisor = Supervisor::start(launch(&home, "exit 0", 1)).await.unwrap();
        supervisor.keep_files().await.unwrap();
        supervisor.end().await.unwrap();
        assert!(home.is_dir());
        std::fs::remove_dir_all(home).unwrap();
    }
}
