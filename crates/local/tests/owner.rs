//! What becomes of the servers when the process that started them ends, in order or not.

mod support;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use support::{is_running, until};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Starts `local-servers` with its temporary files in a directory of its own.
fn owner(files: &Path, servers: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    std::fs::create_dir(files).expect("a fresh name");
    // As for `/tmp`: the account of a server that refuses root has to remove its files there.
    std::fs::set_permissions(files, Permissions::from_mode(0o777)).expect("it is ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_local-servers"));
    command.args(servers).env("TMPDIR", files).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("it was built");
    let output = child.stdout.take().expect("it was piped");
    (child, BufReader::new(output).lines())
}

fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("ristoro-owner-{name}-{}", uuid::Uuid::new_v4().simple()))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    entries.map(|entry| entry.expect("it can be read").path()).collect()
}

/// How many processes name the directory in their command.
fn processes_in(directory: &Path) -> usize {
    let mut command = std::process::Command::new("ps");
    let output = command.args(["-e", "-o", "args="]).output().expect("every system has `ps`");
    let directory = directory.display().to_string();
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(&directory)).count()
}

async fn send(child: &Child, signal: &str) {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-s", signal, &pid]).status().await;
    assert!(sent.expect("every system has `kill`").success());
}

#[tokio::test]
async fn servers_whose_owner_is_killed_go_and_take_their_files_along() {
    let files = directory("killed");
    let (mut child, mut lines) = owner(&files, &["postgres", "kafka", "mail"]);
    for name in ["postgres", "kafka", "mail"] {
        let line = lines.next_line().await.unwrap().expect("the owner tells the address");
        assert!(line.starts_with(name), "{line}");
    }
    let homes = entries(&files);
    assert_eq!(homes.len(), 2);
    // Two supervisors with a reader each, and the Java; Postgres's command names no directory.
    assert!(processes_in(&files) >= 5);
    let pid_files = homes.iter().map(|home| home.join("data/postmaster.pid"));
    let pid_file = pid_files.filter_map(|file| std::fs::read_to_string(file).ok()).next().unwrap();
    let postmaster: u32 = pid_file.lines().next().unwrap().parse().unwrap();
    assert!(is_running(postmaster));

    send(&child, "KILL").await;
    child.wait().await.unwrap();
    let is_over = || !is_running(postmaster) && processes_in(&files) == 0;
    until("no process is left", is_over).await;
    until("no file is left", || entries(&files).is_empty()).await;
    std::fs::remove_dir(&files).unwrap();
}

#[tokio::test]
async fn a_signal_stops_the_servers_in_order() {
    for signal in ["INT", "TERM"] {
        let files = directory("signalled");
        let (mut child, mut lines) = owner(&files, &["postgres"]);
        lines.next_line().await.unwrap().expect("the owner tells the address");
        send(&child, signal).await;
        assert!(child.wait().await.unwrap().success(), "{signal}");
        assert_eq!(entries(&files), Vec::<PathBuf>::new(), "removed before the owner ended");
        std::fs::remove_dir(&files).unwrap();
    }
}

#[tokio::test]
async fn an_unknown_server_is_told_in_one_line() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local-servers"));
    let output = command.arg("oracle").env("RUST_BACKTRACE", "0").output().await.unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told.trim(), "Error: no server is called oracle: there are postgres, kafka, mail");
}
