//! Where settings come from, and what is wrong with them, all at once.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ristoro_log::LogConfig;
use toml::de::{DeTable, DeValue};

use crate::config::settings::{Setting, settings};
use crate::config::{LeaseMode, ServiceConfig};
use crate::telemetry::LogFormat;

/// What variables of ours begin with.
const PREFIX: &str = "RISTORO_";
/// Variables of ours that are no settings of a service: the command line and the compose file read them.
const NO_SETTINGS: [&str; 11] = [
    "CACHE",
    "CONFIG",
    "ENDPOINT",
    "IMAGE",
    "NOTICE_FROM",
    "POSTGRES_PASSWORD",
    "PRINCIPALS",
    "SMTP_URL",
    "TAKEOVER_AFTER_SECONDS",
    "TOKEN",
    "TOKENS",
];

/// Where settings come from; the later wins.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The TOML file, if one is named.
    pub file: Option<PathBuf>,
    /// The environment, or any other pairs; only names that begin with `RISTORO_` count.
    pub environment: Vec<(String, String)>,
    /// The flags that were given, by key.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// Takes this process's environment; variables that are no text are left out.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        Self { file, environment: environment.collect(), flags }
    }
}

/// Everything that is wrong with the configuration, one problem a line.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    /// Each with its place: file, line and column, or the variable's or flag's name.
    pub problems: Vec<String>,
}

/// A value with the place that it comes from.
struct Given {
    place: String,
    text: String,
}

/// Reads the configuration from all its sources.
///
/// # Errors
/// All problems at once: unknown keys, malformed values, and what must be set and is not.
pub fn load(sources: &Sources) -> Result<ServiceConfig, ConfigError> {
    load_placed(sources).map(|(config, _)| config)
}

/// Reads the configuration as `load` does, and also gives the place of each value that is not the default.
///
/// # Errors
/// As `load`.
pub fn load_placed(
    sources: &Sources,
) -> Result<(ServiceConfig, BTreeMap<String, String>), ConfigError> {
    let (mut given, mut problems) = (BTreeMap::new(), Vec::new());
    if let Some(path) = &sources.file {
        read_file(path, &mut given, &mut problems);
    }
    for (name, value) in &sources.environment {
        let key = name.strip_prefix(PREFIX).filter(|key| !NO_SETTINGS.contains(key));
        let Some(key) = key else { continue };
        take(&key.to_lowercase(), name.clone(), value.clone(), &mut given, &mut problems);
    }
    for (key, value) in &sources.flags {
        let place = format!("--set {key}");
        take(&key.replace('-', "_"), place, value.clone(), &mut given, &mut problems);
    }
    let mut config = blank();
    for setting in settings() {
        let result = match (given.get(setting.key), setting.default) {
            (Some(found), _) => (setting.read)(&mut config, found.text.trim())
                .map_err(|problem| format!("{}: {} {problem}", found.place, setting.key)),
            (None, Some(default)) => (setting.read)(&mut config, default)
                .map_err(|problem| format!("the default of {}: {problem}", setting.key)),
            (None, None) => Err(missing(setting)),
        };
        problems.extend(result.err());
    }
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    Ok((config, given.into_iter().map(|(key, found)| (key, found.place)).collect()))
}

/// Writes the configuration as a file that could be loaded again, but without passwords.
#[must_use]
pub fn show(config: &ServiceConfig) -> String {
    let mut text = String::new();
    for setting in settings() {
        let value = toml::Value::String((setting.show)(config));
        text.push_str(&format!("{} = {value}\n", setting.key));
    }
    text
}

/// Gives line and column, both from 1, of a byte's place in a text.
#[must_use]
pub fn line_and_column(text: &str, place: usize) -> (usize, usize) {
    let before = text.get(..place).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

fn read_file(path: &Path, given: &mut BTreeMap<String, Given>, problems: &mut Vec<String>) {
    let file = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(problem) => {
            problems.push(format!("{file}: cannot be read: {problem}"));
            return;
        }
    };
    let at = |place: usize| {
        let (line, column) = line_and_column(&text, place);
        format!("{file}:{line}:{column}")
    };
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let place = error.span().map_or(0, |span| span.start);
        problems.push(format!("{}: {}", at(place), error.message()));
    }
    for (key, value) in table.get_ref() {
        let value_place = at(value.span().start);
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Boolean(_)
            | DeValue::Float(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                let kind = value.get_ref().type_str();
                problems.push(format!(
                    "{value_place}: {} is a {kind}: write a string or a whole number",
                    key.get_ref()
                ));
                continue;
            }
        };
        if settings().iter().any(|setting| setting.key == key.get_ref().as_ref()) {
            given.insert(key.get_ref().to_string(), Given { place: value_place, text });
        } else {
            problems.push(format!("{}: {}", at(key.span().start), unknown(key.get_ref())));
        }
    }
}

fn take(
    key: &str,
    place: String,
    text: String,
    given: &mut BTreeMap<String, Given>,
    problems: &mut Vec<String>,
) {
    if settings().iter().any(|setting| setting.key == key) {
        given.insert(key.to_owned(), Given { place, text });
    } else {
        problems.push(format!("{place}: {}", unknown(key)));
    }
}

fn missing(setting: &Setting) -> String {
    let (key, variable) = (setting.key, setting.key.to_uppercase());
    format!(
        "{key} is not set: put it into the file, or set {PREFIX}{variable}. {}",
        setting.meaning
    )
}

/// Names the setting that was most likely meant.
fn unknown(key: &str) -> String {
    let nearest = settings().iter().map(|setting| (distance(key, setting.key), setting.key)).min();
    match nearest {
        Some((distance, meant)) if distance <= 3 => {
            format!("unknown setting {key:?}: did you mean {meant}?")
        }
        Some(_) | None => {
            let all: Vec<&str> = settings().iter().map(|setting| setting.key).collect();
            format!("unknown setting {key:?}: there are {}", all.join(", "))
        }
    }
}

/// The edit distance of two words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

/// The configuration before any setting is read; `load` gives none out of which one is missing.
fn blank() -> ServiceConfig {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    ServiceConfig {
        database_url: String::new(),
        log: LogConfig::Memory,
        listen: nowhere,
        metrics_listen: nowhere,
        principals_file: None,
        otlp_endpoint: None,
        log_filter: String::new(),
        log_format: LogFormat::Auto,
        partitions: 1,
        lease: LeaseMode::Shared,
        pool_size: 1,
        call_deadline: Duration::ZERO,
        calls_at_once: 1,
        shutdown_bound: Duration::ZERO,
    }
}
