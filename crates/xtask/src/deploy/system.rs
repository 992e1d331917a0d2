//! The whole system from the compose file that users get, as a project of its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::engine::Engine;
use super::images::{IMAGE, Images};
use crate::process::{output, root};

/// The compose project: another name than a user's, so that its volumes are others.
const PROJECT: &str = "ristoro-deploy-test";
/// How long everything may take to be healthy; official images are pulled in that time too.
const UP_BOUND: Duration = Duration::from_secs(600);
const HEALTHY_BOUND: &str = "240";
const DOWN_BOUND: Duration = Duration::from_secs(120);
const QUICK: Duration = Duration::from_secs(30);
/// The password of a database that lives as long as this.
const PASSWORD: &str = "deploytest";
/// After how many seconds a wave of notices is taken over; the user's default is longer.
const TAKEOVER: &str = "10";

/// The services and where the compose file publishes them.
const SERVICES: [(&str, u16); 4] =
    [("outage", 50051), ("eligibility", 50052), ("payout", 50053), ("notifier", 50054)];

/// Gives the services' addresses as `--endpoint` takes them.
pub fn endpoints() -> String {
    SERVICES.map(|(service, port)| format!("{service}=http://127.0.0.1:{port}")).join(",")
}

/// Gives a service's address.
pub fn address(service: &str) -> Result<String> {
    let found = SERVICES.iter().find(|(name, _)| *name == service);
    let (_, port) = found.with_context(|| format!("{service} is none of our services"))?;
    Ok(format!("127.0.0.1:{port}"))
}

/// The running system.
pub struct System<'a> {
    engine: &'a Engine,
    principals: String,
}

/// A container as the engine sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// The process that it runs, as the machine counts.
    pub process: String,
    /// What its health check says.
    pub health: String,
    /// How often the engine has started it again.
    pub restarts: String,
}

impl<'a> System<'a> {
    /// Brings everything up and waits until all of it is healthy.
    pub fn up(engine: &'a Engine, images: &Images, folder: &Path) -> Result<Self> {
        let principals = folder.join("principals.toml").display().to_string();
        let system = Self { engine, principals };
        system.check_programs(images)?;
        // What a run left that was cut off.
        system.down()?;
        let mut arguments = vec!["up", "--wait", "--wait-timeout", HEALTHY_BOUND];
        if engine.is_own() {
            arguments.extend(["--pull", "never"]);
        }
        if let Err(problem) = output(&mut system.compose(UP_BOUND, &arguments), "docker compose up")
        {
            system.print_logs();
            system.down()?;
            return Err(problem);
        }
        Ok(system)
    }

    /// Runs the image as a user that it does not know, to see that it runs as anybody.
    fn check_programs(&self, images: &Images) -> Result<()> {
        let arguments =
            ["run", "--rm", "--network", "none", "--read-only", "--user", "12345:6789", IMAGE];
        let mut command = self.engine.docker(QUICK, &arguments);
        let inside = output(command.arg("--version"), "docker run")?;
        let outside = output(Command::new(&images.binary).arg("--version"), "ristoro --version")?;
        anyhow::ensure!(inside == outside, "the image holds {inside}, not {outside}");
        Ok(())
    }

    /// Removes everything, volumes too.
    pub fn down(&self) -> Result<()> {
        let arguments = ["down", "--volumes", "--remove-orphans"];
        output(&mut self.compose(DOWN_BOUND, &arguments), "docker compose down").map(|_| ())
    }

    /// Shows a service's container.
    pub fn container(&self, service: &str) -> Result<Container> {
        let id = output(&mut self.compose(QUICK, &["ps", "--all", "--quiet", service]), service)?;
        let form = "{{.Id}} {{.State.Pid}} {{.State.Health.Status}} {{.RestartCount}}";
        let arguments = ["inspect", "--format", form, id.trim()];
        let text = output(&mut self.engine.docker(QUICK, &arguments), service)?;
        let mut words = text.split_whitespace().map(str::to_owned);
        let mut next = || words.next().with_context(|| format!("{service} is shown as {text:?}"));
        Ok(Container { id: next()?, process: next()?, health: next()?, restarts: next()? })
    }

    /// Prints what the containers said last.
    pub fn print_logs(&self) {
        for arguments in [&["ps", "--all"][..], &["logs", "--no-color", "--tail", "25"]] {
            match output(&mut self.compose(QUICK, arguments), "docker compose") {
                Ok(text) => eprintln!("{text}"),
                Err(problem) => eprintln!("{problem:#}"),
            }
        }
    }

    fn compose(&self, bound: Duration, arguments: &[&str]) -> Command {
        let file = root().join("docker-compose.yml").display().to_string();
        let mut command = self.engine.docker(bound, &["compose", "--file", &file]);
        command
            .args(["--project-name", PROJECT, "--progress", "quiet", "--ansi", "never"])
            .args(arguments);
        command.env("RISTORO_IMAGE", IMAGE).env("RISTORO_POSTGRES_PASSWORD", PASSWORD);
        command.env("RISTORO_PRINCIPALS", &self.principals);
        command.env("RISTORO_TAKEOVER_AFTER_SECONDS", TAKEOVER);
        command
    }
}
