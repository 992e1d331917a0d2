//! `dev`: data that stay from run to run, and an end in order.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::support::{Scratch, command, ristoro, signal, until};

/// A process that does not outlive a test that fails.
struct Guarded(Child);

impl Guarded {
    /// Sends a signal and waits for the end.
    fn end(mut self, name: &str) -> ExitStatus {
        signal(self.0.id(), name);
        self.0.wait().unwrap()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Killing what has ended is no error.
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it is ours");
    }
}

/// A stack that runs, with what it has printed in a file.
struct Running {
    child: Guarded,
    output: String,
}

impl Running {
    /// Starts a stack, and waits until it tells its addresses.
    fn start(scratch: &Scratch, arguments: &[&str]) -> Self {
        let output = scratch.path("output");
        let file = File::create(&output).unwrap();
        let mut dev = command(&[&["dev"], arguments].concat());
        let running = Self { child: Guarded(dev.stdout(file).spawn().unwrap()), output };
        until("the addresses", || running.text().contains("Ctrl-C ends everything."));
        running
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap()
    }

    /// Gives the commands to paste that begin so.
    fn command(&self, begin: &str) -> String {
        let text = self.text();
        let found = text.lines().map(str::trim).find(|line| line.contains(begin));
        found.unwrap_or_else(|| panic!("{begin:?} is not in\n{text}")).to_owned()
    }

    /// Ends it as Ctrl-C does, and checks that it ends well.
    fn end(self) {
        let Self { child, output } = self;
        let ended = child.end("INT");
        assert_eq!(ended.code(), Some(0), "{}", std::fs::read_to_string(output).unwrap());
    }
}

fn shell(script: &str) -> String {
    let output = Command::new("sh").args(["-e", "-c", script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}\n{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_stack_goes_on_with_what_it_knew_until_it_is_emptied() {
    let scratch = Scratch::new();
    let folder = scratch.path("stack");
    let play =
        ["dev", "--demo", "libero-2023", "--once", "--subscribers", "400", "--data-dir", &folder];
    let played = ristoro(&play).says(0, &["completed as simulated", &folder]);
    let told = played
        .out
        .lines()
        .find(|line| line.starts_with("  of "))
        .expect("what became of the notices");
    let states = told.split_once(" notices: ").expect("the states").1;
    assert!(states.contains(" sent"), "{told}");
    assert!(!["queued", "waiting", "going out"].iter().any(|open| states.contains(open)), "{told}");
    let tokens = || std::fs::read_to_string(scratch.path("stack/people/tokens.toml")).unwrap();
    let before = tokens();
    ristoro(&play)
        .says(0, &["The case libero-2023 was begun here before", "--reset plays it anew"]);
    assert_eq!(tokens(), before);

    let running = Running::start(&scratch, &["--data-dir", &folder]);
    let again = ristoro(&["dev", "--data-dir", &folder, "--reset"]);
    again.says(2, &["is in use by a `ristoro dev` that runs, process ", "end that first"]);
    // What it says to paste, pasted.
    let export = running.command("export RISTORO_ENDPOINT=");
    let simulate = running.command("assessment simulate");
    let simulated = shell(&format!("{export}\n{simulate}"));
    assert!(simulated.contains("\"policy\""), "{simulated}");
    let verified = shell(&running.command("log verify"));
    assert!(verified.contains("\"good\": true"), "{verified}");
    running.command("grpcurl -plaintext -H \"authorization: Bearer $RISTORO_TOKEN\" 127.0.0.1:");
    running.end();

    ristoro(&["dev", "--data-dir", &folder, "--log", "kafka"])
        .says(2, &["is in postgres", "--reset"]);
    std::fs::write(scratch.path("stack/notes"), "mine").unwrap();
    let running = Running::start(&scratch, &["--data-dir", &folder, "--reset"]);
    let play = running.command("demo play libero-2023");
    let export = running.command("export RISTORO_ENDPOINT=");
    shell(&format!("{export}\n{play}"));
    running.end();
    assert_eq!(std::fs::read_to_string(scratch.path("stack/notes")).unwrap(), "mine");
}

#[test]
fn a_stack_that_was_killed_starts_again_at_once_on_both_servers() {
    let scratch = Scratch::new();
    let folder = scratch.path("stack");
    let running = Running::start(&scratch, &["--log", "kafka", "--data-dir", &folder]);
    let log = running.command("log  ");
    assert!(log.contains("kafka://127.0.0.1:"), "{log}");
    running.child.end("KILL");
    let running = Running::start(&scratch, &["--data-dir", &folder]);
    assert!(running.command("log  ").contains("kafka://127.0.0.1:"));
    let verified = shell(&running.command("log verify"));
    assert!(verified.contains("\"good\": true"), "{verified}");
    running.end();
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let scratch = Scratch::new();
    scratch.file("precious", "mine");
    let folder = scratch.0.display().to_string();
    for more in [&[][..], &["--reset"]] {
        let refused = ristoro(&[&["dev", "--data-dir", &folder], more].concat());
        refused.says(2, &["holds other things and no ristoro-dev.toml: name an empty folder"]);
    }
    assert_eq!(std::fs::read_to_string(scratch.path("precious")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 1);
    ristoro(&["dev", "--reset"]).says(2, &["--data-dir <FOLDER>"]);
    ristoro(&["dev", "--once"]).says(2, &["--demo <DEMO>"]);
}

#[test]
fn a_start_that_is_interrupted_ends_at_once() {
    let scratch = Scratch::new();
    let said = scratch.path("said");
    // A Java that never answers, so that the start takes as long as this test likes.
    let java = scratch.0.join("java/bin");
    std::fs::create_dir_all(&java).unwrap();
    scratch.file("java/bin/java", "#!/bin/sh\nexec sleep 600\n");
    std::fs::set_permissions(java.join("java"), Permissions::from_mode(0o755)).unwrap();
    let mut dev = command(&["dev", "--log", "kafka", "--data-dir", &scratch.path("stack")]);
    dev.env("JAVA_HOME", scratch.path("java")).stderr(File::create(&said).unwrap());
    let child = Guarded(dev.spawn().unwrap());
    let text = || std::fs::read_to_string(&said).unwrap();
    until("the start of Kafka", || text().contains("starting a Kafka"));
    let begun = Instant::now();
    let ended = child.end("TERM");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(ended.code(), Some(1), "{}", text());
    assert!(text().contains("ended before everything was started"), "{}", text());
    // Its Postgres ends with it, and lets go of the folder.
    let pid = scratch.0.join("stack/postgres/data/postmaster.pid");
    until("the end of its Postgres", || !pid.exists());
}
