//! One process of a service: started, killed, frozen, and never left behind.
//!
//! A shell stands above each process and kills it as soon as whoever started it lets go of the shell's input, by
//! dropping it or by ending in any way at all; so even a killed test leaves no process behind.

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// Starts the process, tells its id, and kills it once the input ends or the process has ended.
const SHELL: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- & child=$!
echo "$child"
exec >/dev/null
(read -r _ <&3; kill -KILL "$child") 2>/dev/null & reader=$!
wait "$child" 2>/dev/null; status=$?
kill "$reader" 2>/dev/null
exit "$status"
"#;
/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// What a process is started with.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its argument: the service.
    pub service: &'static str,
    /// Its environment.
    pub variables: Vec<(String, String)>,
    /// Where its log lines go.
    pub log: PathBuf,
}

/// A running process under its shell.
#[derive(Debug)]
pub struct Process {
    shell: Child,
    input: Option<ChildStdin>,
    id: u32,
}

impl Process {
    /// Starts a process.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub async fn start(launch: &Launch) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(&launch.log)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SHELL, "sh"]).arg(&launch.program).arg(launch.service);
        // Whatever this test is told by the environment is not for the services.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RISTORO_") {
                command.env_remove(name);
            }
        }
        command.envs(launch.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        command.process_group(0);
        let mut shell = command.spawn()?;
        let input = shell.stdin.take();
        let output = shell.stdout.take().expect("it was piped above");
        let first = BufReader::new(output).lines().next_line().await?.unwrap_or_default();
        let id = first.parse().map_err(|_| io::Error::other("the shell told no process id"))?;
        Ok(Self { shell, input, id })
    }

    /// Tells how the process ended by itself; none while it runs.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.shell.try_wait().ok().flatten()?;
        Some(status.code().unwrap_or(-1))
    }

    /// Kills it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// If it does not go.
    pub async fn kill(mut self) -> io::Result<()> {
        // A process that is gone already needs no signal.
        signal(self.id, "KILL").await?;
        self.input = None;
        match tokio::time::timeout(GONE, self.shell.wait()).await {
            Ok(ended) => ended.map(|_| ()),
            Err(_) => Err(io::Error::other(format!("process {} does not go", self.id))),
        }
    }

    /// Gives the process's id, for signals that are sent while somebody else holds this.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }
}

/// Sends a signal; tells whether the process was there.
///
/// # Errors
/// Where `kill` cannot be run.
pub async fn signal(id: u32, name: &str) -> io::Result<bool> {
    let mut command = Command::new("kill");
    command.args(["-s", name, &id.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.status().await?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn start(script: &str) -> Process {
        let log = std::env::temp_dir().join(format!("ristoro-chaos-{}", uuid::Uuid::new_v4()));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SHELL, "sh", "/bin/sh", "-c", script]).stdin(Stdio::piped());
        command.stdout(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let input = shell.stdin.take();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        let id = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        assert!(!log.exists());
        Process { shell, input, id }
    }

    #[tokio::test]
    async fn a_process_goes_with_whoever_started_it() {
        let process = start("exec sleep 1000").await;
        let id = process.id();
        assert!(signal(id, "0").await.unwrap());
        assert!(signal(id, "STOP").await.unwrap(), "a frozen one goes too");
        drop(process);
        for _ in 0..500 {
            if !signal(id, "0").await.unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("process {id} stayed");
    }

    #[tokio::test]
    async fn an_end_of_its_own_is_told() {
        let mut process = start("exit 7").await;
        for _ in 0..500 {
            if let Some(status) = process.ended() {
                assert_eq!(status, 7);
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("its end was not told");
    }
}
