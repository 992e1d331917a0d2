//! A container engine: the one that answers, or one of our own from Debian's packages for as long as this runs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::packages::{Tools, clear};
use crate::process::{bounded, command, missing, output, root, succeeds};

/// How long an engine may take to start and to end.
const START_BOUND: Duration = Duration::from_secs(60);
const STOP_BOUND: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(200);
const IMPORT_BOUND: Duration = Duration::from_secs(600);
/// The control group of our containers.
const GROUP: &str = "/ristoro-deploy";
/// The image under all stand-ins; the number counts what changes in its root filesystem.
const BASE: &str = "ristoro-stand-in:1";

/// An engine that can be told what to do.
pub struct Engine {
    client: PathBuf,
    own: Option<Own>,
}

/// An engine of ours.
struct Own {
    process: Child,
    socket: PathBuf,
    /// Where the client finds compose's plug-in.
    configuration: PathBuf,
}

impl Engine {
    /// Takes the engine that answers, else starts one that ends with this process.
    pub fn find_or_start(cache: &Path, folder: &Path) -> Result<Self> {
        let running = Self { client: "docker".into(), own: None };
        let quick = Duration::from_secs(10);
        if output(&mut running.docker(quick, &["version"]), "docker").is_ok() {
            println!("an engine runs already: it is used, with the official images");
            output(&mut running.docker(quick, &["compose", "version"]), "docker compose")
                .context("the engine's client has no compose: install docker-compose-v2")?;
            return Ok(running);
        }
        let home = cache.join("deploy");
        let tools = Tools::find_or_install(&home)?;
        let engine = Self::start(&tools, &home, folder)?;
        engine.make_base(&tools, &home)?;
        Ok(engine)
    }

    /// Starts an engine whose images are kept in the cache. Nothing of it touches the machine's firewall, its routes
    /// or its folders; ports are published by its own proxies.
    fn start(tools: &Tools, home: &Path, folder: &Path) -> Result<Self> {
        let (scratch, socket) = (folder.join("engine"), folder.join("socket"));
        let configuration = folder.join("client");
        std::fs::create_dir_all(&scratch)?;
        let plugins = configuration.join("cli-plugins");
        std::fs::create_dir_all(&plugins)?;
        std::os::unix::fs::symlink(tools.compose(), plugins.join("docker-compose"))?;
        let log_file = home.join("engine.log");
        let log = File::create(&log_file).with_context(|| log_file.display().to_string())?;
        // Were this process killed, the engine would be asked to end.
        let mut command = command("setpriv", &["--pdeathsig", "TERM", "unshare", "--mount", "--"]);
        command.arg(root().join("deploy/stand-ins/engine")).arg(&scratch);
        command.arg("--data-root").arg(home.join("images"));
        command.arg("--exec-root").arg(folder.join("run"));
        command.arg("--pidfile").arg(folder.join("engine.pid"));
        command.arg("--host").arg(format!("unix://{}", socket.display()));
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        command.args(["--ip-forward=false", "--ip-masq=false", "--cgroup-parent", GROUP]);
        command.envs(tools.environment()).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().with_context(|| missing("setpriv"))?;
        let own = Some(Own { process, socket, configuration });
        let mut engine = Self { client: tools.client(), own };
        engine.wait(&log_file)?;
        Ok(engine)
    }

    fn wait(&mut self, log_file: &Path) -> Result<()> {
        let begun = Instant::now();
        loop {
            let answer = output(&mut self.docker(Duration::from_secs(10), &["version"]), "docker");
            let Err(problem) = answer else { return Ok(()) };
            let ended = match &mut self.own {
                Some(own) => own.process.try_wait()?,
                None => None,
            };
            if ended.is_some() || begun.elapsed() > START_BOUND {
                let log = std::fs::read_to_string(log_file).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                bail!("the engine does not start ({problem}); its last line: {last}");
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// Imports the root filesystem of the stand-ins, where that was not done yet.
    fn make_base(&self, tools: &Tools, home: &Path) -> Result<()> {
        let there =
            output(&mut self.docker(START_BOUND, &["image", "inspect", BASE]), BASE).is_ok();
        if there && tools.compose().exists() {
            return Ok(());
        }
        let folder = home.join("root");
        tools.make_root(&folder)?;
        let package = folder.join("tmp/docker-compose.deb");
        tools.add(&package)?;
        std::fs::remove_file(&package)?;
        let archive = home.join("root.tar");
        let (from, to) = (folder.display().to_string(), archive.display().to_string());
        let arguments = ["--create", "--numeric-owner", "--file", &to, "--directory", &from, "."];
        output(&mut bounded(IMPORT_BOUND, "tar", &arguments), "tar")?;
        output(&mut self.docker(IMPORT_BOUND, &["import", &to, BASE]), "docker import")?;
        std::fs::remove_file(archive)?;
        clear(&folder)
    }

    /// Tells whether the engine is ours, so that its images may be too.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Makes a command of the engine's client.
    pub fn docker(&self, bound: Duration, arguments: &[&str]) -> Command {
        let mut command = bounded(bound, &self.client, arguments);
        if let Some(own) = &self.own {
            command.env("DOCKER_HOST", format!("unix://{}", own.socket.display()));
            command.env("DOCKER_CONFIG", &own.configuration);
        }
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(own) = &mut self.own else { return };
        if let Err(problem) = own.stop() {
            eprintln!("the engine, process {}, does not end: {problem:#}", own.process.id());
        }
    }
}

impl Own {
    fn stop(&mut self) -> Result<()> {
        succeeds(&mut command("kill", &["-TERM", &self.process.id().to_string()]))?;
        let begun = Instant::now();
        while self.process.try_wait()?.is_none() {
            if begun.elapsed() > STOP_BOUND {
                self.process.kill()?;
                bail!("it was killed after {STOP_BOUND:?}");
            }
            std::thread::sleep(INTERVAL);
        }
        forget_groups()
    }
}

/// Removes the empty control groups that an engine leaves, of the older kind one in each hierarchy.
fn forget_groups() -> Result<()> {
    let all = Path::new("/sys/fs/cgroup");
    let name = GROUP.trim_start_matches('/');
    let hierarchies = std::fs::read_dir(all)?.filter_map(|entry| Some(entry.ok()?.path()));
    for group in hierarchies.chain([all.to_path_buf()]).map(|hierarchy| hierarchy.join(name)) {
        if group.is_dir() {
            std::fs::remove_dir(&group).with_context(|| group.display().to_string())?;
        }
    }
    Ok(())
}
