//! What the tests of the servers share.

use std::time::{Duration, Instant};

/// Whether a process exists.
pub fn is_running(pid: u32) -> bool {
    let mut command = std::process::Command::new("kill");
    command.args(["-0", &pid.to_string()]).stderr(std::process::Stdio::null());
    command.status().expect("every system has `kill`").success()
}

/// Waits until something is so, at most 20 s.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
