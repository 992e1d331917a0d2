//! `cargo xtask test deploy`: the compose file that users get, for real, while each process is killed once.

mod engine;
mod figures;
mod http;
mod images;
mod kills;
mod packages;
mod system;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::process::{bounded, missing, output};
use engine::Engine;
use figures::Figures;
use images::Images;
use kills::Fault;
use system::System;

/// How many subscriptions the case has.
const SUBSCRIBERS: &str = "400";
/// How long the case may take.
const CASE_BOUND: Duration = Duration::from_secs(300);
/// What the case prints first when a process of ours is to die, so that it dies at work: the roster is being folded at
/// one line, notices go out after the other.
const FAULTS_DURING: [(&str, &str); 2] =
    [("2. ", "payout"), ("  completed as simulated", "notifier")];
/// What dies when all is decided, paid and told. The mail catcher keeps its mails in memory: it is left alone.
const FAULTS_AFTER: [&str; 4] = ["outage", "eligibility", "postgres", "kafka"];

/// Brings everything up, plays the case, kills, compares and tidies up; true where nothing was lost.
pub fn test() -> Result<bool> {
    let clock = Clock(Instant::now());
    let cache = ristoro_local::cache_directory();
    std::fs::create_dir_all(cache.join("deploy"))?;
    let lock = std::fs::File::create(cache.join("deploy/lock"))?;
    lock.try_lock().context("another test of this kind runs here: wait until it has ended")?;
    let folder = Folder::make()?;
    let engine = Engine::find_or_start(&cache, &folder.0)?;
    clock.tell("the engine runs");
    let images = Images::make(&engine, &cache, &folder.0)?;
    clock.tell("the images are there");
    output(
        &mut bounded(
            CASE_BOUND,
            &images.binary,
            &["demo", "people", &folder.0.display().to_string()],
        ),
        "the people of the case",
    )?;
    let system = System::up(&engine, &images, &folder.0)?;
    clock.tell("everything is up and healthy");
    let result = play_and_compare(&system, &images, &cache, &folder.0, &clock);
    if result.is_err() {
        system.print_logs();
    }
    system.down()?;
    images::remove(&engine)?;
    clock.tell("everything is down again");
    result.map(|()| true)
}

/// Plays the case while processes die, kills the others, and compares what can be asked before and after.
fn play_and_compare(
    system: &System<'_>,
    images: &Images,
    cache: &Path,
    folder: &Path,
    clock: &Clock,
) -> Result<()> {
    let figures = Figures::new(cache, folder)?;
    let mut faults = play(system, &images.binary, folder)?;
    for fault in faults.drain(..) {
        fault.healed(system)?;
    }
    clock.tell("the case is played");
    let before = figures.settled()?;
    println!("  {}", before.summary());
    for service in FAULTS_AFTER {
        Fault::strike(system, service)?.healed(system)?;
    }
    clock.tell("every process has been killed once and came back");
    let after = figures.settled()?;
    before.compare(&after)?;
    println!("  nothing is lost: {}", after.summary());
    Ok(())
}

/// Plays the case and kills processes at their lines; gives the faults.
fn play(system: &System<'_>, binary: &Path, folder: &Path) -> Result<Vec<Fault>> {
    let tokens = folder.join("tokens.toml").display().to_string();
    let endpoints = system::endpoints();
    let arguments = ["demo", "play", "libero-2023", "--subscribers", SUBSCRIBERS, "--endpoint"];
    let mut command = bounded(CASE_BOUND, binary, &arguments);
    command.args([&endpoints, "--tokens", &tokens]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| missing("ristoro"))?;
    let lines = child.stdout.take().context("the output was asked for")?;
    let (mut faults, mut left) = (Vec::new(), FAULTS_DURING.to_vec());
    for line in BufReader::new(lines).lines() {
        let line = line?;
        println!("  | {line}");
        if let Some(place) = left.iter().position(|(start, _)| line.starts_with(start)) {
            let (_, service) = left.remove(place);
            faults.push(Fault::strike(system, service)?);
        }
    }
    ensure!(child.wait()?.success(), "the case did not play to its end");
    ensure!(left.is_empty(), "the case prints no line that begins as one of {left:?}");
    Ok(faults)
}

/// Says what is done, with the seconds since the begin.
struct Clock(Instant);

impl Clock {
    fn tell(&self, what: &str) {
        println!("[{:>5.1} s] {what}", self.0.elapsed().as_secs_f32());
    }
}

/// A folder for this run alone, with a short path: sockets lie in it.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self> {
        const NAME: &str = "ristoro-deploy-";
        let all = std::env::temp_dir();
        for entry in std::fs::read_dir(&all)? {
            let entry = entry?.file_name().to_string_lossy().into_owned();
            let Some(process) = entry.strip_prefix(NAME) else { continue };
            // A run that was killed left it.
            if !Path::new("/proc").join(process).exists() {
                packages::clear(&all.join(&entry))?;
            }
        }
        let path = all.join(format!("{NAME}{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(problem) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} cannot be removed: {problem}", self.0.display());
        }
    }
}
