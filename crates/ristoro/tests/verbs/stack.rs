//! A running stack, and the binary called against it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The last line that `ristoro dev` prints once the case is played and everything can be called.
const READY: &str = "Ctrl-C ends everything.";

/// `ristoro dev` after the case; ended when it is dropped.
pub struct Stack {
    child: Child,
    /// The address of all services.
    pub endpoint: String,
    /// The database.
    pub database: String,
    tokens: BTreeMap<String, String>,
}

/// What a call of the binary gave.
pub struct Called {
    /// The exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl Stack {
    /// Starts one, plays the case with 400 subscriptions, and waits until it is through.
    pub fn start() -> Stack {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ristoro"));
        command.args(["dev", "--demo", "libero-2023", "--subscribers", "400"]);
        command.current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut printed, mut values) = (String::new(), BTreeMap::new());
        loop {
            let line =
                lines.next().unwrap_or_else(|| panic!("dev ended early:\n{printed}")).unwrap();
            if let Some((key, value)) = line.split_once(' ') {
                values.insert(key.to_owned(), value.trim().to_owned());
            }
            printed = format!("{printed}{line}\n");
            if line == READY {
                break;
            }
        }
        // A pipe that nobody reads would stop the stack once it is full.
        std::thread::spawn(move || lines.for_each(drop));
        let tokens = std::fs::read_to_string(&values["tokens"]).unwrap();
        let (endpoint, database) = (values["gRPC"].clone(), values["Postgres"].clone());
        Stack { child, endpoint, database, tokens: toml::from_str(&tokens).unwrap() }
    }

    /// Gives somebody's token.
    pub fn token(&self, who: &str) -> &str {
        &self.tokens[who]
    }

    /// Calls the binary as somebody.
    pub fn call(&self, who: &str, arguments: &[&str]) -> Called {
        call(&[("RISTORO_ENDPOINT", &self.endpoint), ("RISTORO_TOKEN", self.token(who))], arguments)
    }

    /// Calls the binary, expects that it does what it is told, and gives what it printed.
    pub fn text(&self, who: &str, arguments: &[&str]) -> String {
        let called = self.call(who, arguments);
        assert_eq!(called.code, 0, "{arguments:?}: {}{}", called.stdout, called.stderr);
        called.stdout
    }

    /// As `text`, for an answer in JSON.
    pub fn json(&self, who: &str, arguments: &[&str]) -> Value {
        let text = self.text(who, &[arguments, &["--output", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|problem| panic!("{problem}: {text}"))
    }

    /// As `json`, for a list.
    pub fn list(&self, who: &str, arguments: &[&str]) -> Vec<Value> {
        let value = self.json(who, arguments);
        value.as_array().unwrap_or_else(|| panic!("{value} is no list")).clone()
    }

    /// Gives the completed assessment under a policy, with its short name.
    pub fn assessment(&self, policy: &str) -> String {
        let all = self.list("carla", &["assessment", "list"]);
        let policy = format!("policies/{policy}/versions/1");
        let found = all.iter().find(|one| one["policy"] == *policy && one["state"] == "COMPLETED");
        let name = found.unwrap_or_else(|| panic!("{policy} was not completed"))["name"].as_str();
        name.unwrap().trim_start_matches("assessments/").to_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap();
    }
}

/// Calls the binary with an environment.
pub fn call(environment: &[(&str, &str)], arguments: &[&str]) -> Called {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ristoro"));
    command.args(arguments).env_remove("RISTORO_ENDPOINT").env_remove("RISTORO_TOKEN");
    let Output { status, stdout, stderr } =
        command.envs(environment.iter().copied()).output().unwrap();
    Called {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// Gives an amount's minor units; it must have two decimals.
pub fn cents(amount: &Value) -> i64 {
    let text = amount["amount"].as_str().unwrap_or_else(|| panic!("{amount} is no amount"));
    let (_, decimals) = text.split_once('.').unwrap();
    assert_eq!((decimals.len(), amount["currency"].as_str()), (2, Some("EUR")), "{text}");
    text.replace('.', "").parse().unwrap()
}
