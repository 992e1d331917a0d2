//! Faults: the process of a container dies at once, and the engine has to start it again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::system::{Container, System};
use crate::process::{command, succeeds};

/// How long a container may take to be healthy again.
const BOUND: Duration = Duration::from_secs(180);
const INTERVAL: Duration = Duration::from_millis(300);

/// A process that was killed.
pub struct Fault {
    service: &'static str,
    before: Container,
    at: Instant,
}

impl Fault {
    /// Kills a service's process. The engine's own kill would be no fault: after it, nothing starts again.
    pub fn strike(system: &System<'_>, service: &'static str) -> Result<Self> {
        let before = system.container(service)?;
        ensure!(before.process != "0", "{service} runs no process that could be killed");
        ensure!(succeeds(&mut command("kill", &["-KILL", &before.process]))?, "kill failed");
        println!("  killed {service}, process {}", before.process);
        Ok(Self { service, before, at: Instant::now() })
    }

    /// Waits until another process of the same container is healthy.
    pub fn healed(self, system: &System<'_>) -> Result<()> {
        loop {
            let now = system.container(self.service)?;
            ensure!(now.id == self.before.id, "{} is another container now", self.service);
            let other = now.process != "0" && now.process != self.before.process;
            if other && now.restarts != self.before.restarts && now.health == "healthy" {
                let seconds = self.at.elapsed().as_secs_f32();
                println!(
                    "  {} is healthy again as process {}, {seconds:.1} s after",
                    self.service, now.process
                );
                return Ok(());
            }
            if self.at.elapsed() > BOUND {
                bail!("{} is {} {BOUND:?} after its process was killed", self.service, now.health);
            }
            std::thread::sleep(INTERVAL);
        }
    }
}
