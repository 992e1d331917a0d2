//! The table of settings: each with its meaning, its default, how it is read and how it is shown.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{LeaseMode, ServiceConfig};
use crate::telemetry::LogFormat;

/// One setting.
pub struct Setting {
    /// The key in the file; the variable is `RISTORO_` and the key in capitals, the flag `--set KEY=VALUE`.
    pub key: &'static str,
    /// What it is for, in one sentence.
    pub meaning: &'static str,
    /// What stands where nothing is set; none where it must be set, empty where it may be left out.
    pub default: Option<&'static str>,
    /// Reads a value into the configuration.
    pub(super) read: fn(&mut ServiceConfig, &str) -> Result<(), String>,
    /// Writes the value without secrets.
    pub(super) show: fn(&ServiceConfig) -> String,
}

impl Setting {
    /// Gives the value that is in force, without secrets.
    #[must_use]
    pub fn shown(&self, config: &ServiceConfig) -> String {
        (self.show)(config)
    }
}

/// Lists all settings in the order in which `config show` prints them.
#[must_use]
pub fn settings() -> &'static [Setting] {
    &SETTINGS
}

const SETTINGS: [Setting; 14] = [
    Setting {
        key: "database_url",
        meaning: "The Postgres of the projections: postgres://USER:PASSWORD@HOST:PORT/DATABASE.",
        default: None,
        read: |config, text| set(&mut config.database_url, database_url(text)),
        show: |config| redacted(&config.database_url),
    },
    Setting {
        key: "log",
        meaning: "The log: kafka://HOST:PORT[,HOST:PORT] or postgres://USER:PASSWORD@HOST:PORT/DATABASE.",
        default: None,
        read: |config, text| set(&mut config.log, text.parse()),
        show: |config| config.log.to_string(),
    },
    Setting {
        key: "listen",
        meaning: "Where the gRPC server listens: ADDRESS:PORT; port 0 takes a free one.",
        default: Some("127.0.0.1:50051"),
        read: |config, text| set(&mut config.listen, address(text)),
        show: |config| config.listen.to_string(),
    },
    Setting {
        key: "metrics_listen",
        meaning: "Where /metrics, /healthz and /readyz are: ADDRESS:PORT.",
        default: Some("127.0.0.1:9464"),
        read: |config, text| set(&mut config.metrics_listen, address(text)),
        show: |config| config.metrics_listen.to_string(),
    },
    Setting {
        key: "principals_file",
        meaning: "The TOML file that says who may call; without it nobody may.",
        default: Some(""),
        read: |config, text| {
            set(&mut config.principals_file, Ok(optional(text).map(PathBuf::from)))
        },
        show: |config| {
            config
                .principals_file
                .as_ref()
                .map_or_else(String::new, |path| path.display().to_string())
        },
    },
    Setting {
        key: "otlp_endpoint",
        meaning: "Where spans go, over gRPC: http://HOST:4317; without it they stay in the process.",
        default: Some(""),
        read: |config, text| set(&mut config.otlp_endpoint, endpoint(text)),
        show: |config| redacted(config.otlp_endpoint.as_deref().unwrap_or_default()),
    },
    Setting {
        key: "log_filter",
        meaning: "Which log lines are written: a level, or LEVEL,TARGET=LEVEL.",
        default: Some("info,sqlx::postgres::notice=warn"),
        read: |config, text| set(&mut config.log_filter, log_filter(text)),
        show: |config| config.log_filter.clone(),
    },
    Setting {
        key: "log_format",
        meaning: "How log lines are written: text, json, or auto for text on a terminal.",
        default: Some("auto"),
        read: |config, text| set(&mut config.log_format, text.parse()),
        show: |config| match config.log_format {
            LogFormat::Auto => "auto".to_owned(),
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        },
    },
    Setting {
        key: "partitions",
        meaning: "How many partitions a topic gets when it is created: 1 to 256. An existing log keeps its own.",
        default: Some("8"),
        read: |config, text| set(&mut config.partitions, number(text, 1..=256)),
        show: |config| config.partitions.to_string(),
    },
    Setting {
        key: "lease",
        meaning: "Which partitions this process works on: shared with the others of its kind, or all.",
        default: Some("shared"),
        read: |config, text| set(&mut config.lease, lease(text)),
        show: |config| match config.lease {
            LeaseMode::Shared => "shared".to_owned(),
            LeaseMode::All => "all".to_owned(),
        },
    },
    Setting {
        key: "pool_size",
        meaning: "How many connections to Postgres the process opens at most: 4 to 200.",
        default: Some("16"),
        read: |config, text| set(&mut config.pool_size, number(text, 4..=200)),
        show: |config| config.pool_size.to_string(),
    },
    Setting {
        key: "call_deadline_seconds",
        meaning: "How long a call that does not stream may take at most: 1 to 600.",
        default: Some("30"),
        read: |config, text| set(&mut config.call_deadline, seconds(text, 1..=600)),
        show: |config| config.call_deadline.as_secs().to_string(),
    },
    Setting {
        key: "calls_at_once",
        meaning: "How many calls may be in work at once, open streams too: 1 to 100000.",
        default: Some("1024"),
        read: |config, text| {
            let calls = number(text, 1..=100_000);
            set(&mut config.calls_at_once, calls.map(|calls| calls as usize))
        },
        show: |config| config.calls_at_once.to_string(),
    },
    Setting {
        key: "shutdown_bound_seconds",
        meaning: "How long the end of the process may take once it is asked for: 1 to 300.",
        default: Some("10"),
        read: |config, text| set(&mut config.shutdown_bound, seconds(text, 1..=300)),
        show: |config| config.shutdown_bound.as_secs().to_string(),
    },
];

fn set<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn optional(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The text may hold a password, so no problem repeats it.
fn database_url(text: &str) -> Result<String, String> {
    let wanted = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(format!("is no address of a Postgres: {wanted}"));
    }
    match text.parse::<sqlx::postgres::PgConnectOptions>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("is malformed: {wanted}, special characters percent-encoded")),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "is {text:?}, no address to listen on: write one such as 127.0.0.1:50051 or [::]:50051"
        )
    })
}

fn endpoint(text: &str) -> Result<Option<String>, String> {
    let Some(text) = optional(text) else { return Ok(None) };
    match text.parse::<tonic::transport::Uri>() {
        Ok(uri) if uri.scheme_str() == Some("http") && uri.host().is_some() => {
            Ok(Some(text.to_owned()))
        }
        Ok(_) | Err(_) => Err("is no endpoint: write http://HOST:PORT (spans go in the clear, so \
                               keep the collector beside the process)"
            .to_owned()),
    }
}

fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        Ok(_) | Err(_) => {
            Err(format!("is {text:?}, no filter: write one such as info or info,ristoro=debug"))
        }
    }
}

fn lease(text: &str) -> Result<LeaseMode, String> {
    match text {
        "shared" => Ok(LeaseMode::Shared),
        "all" => Ok(LeaseMode::All),
        _ => Err(format!("is {text:?}: write shared or all")),
    }
}

fn number(text: &str, allowed: RangeInclusive<u32>) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if allowed.contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!(
            "is {text:?}: write a whole number, {} to {}",
            allowed.start(),
            allowed.end()
        )),
    }
}

fn seconds(text: &str, allowed: RangeInclusive<u32>) -> Result<Duration, String> {
    number(text, allowed).map(|seconds| Duration::from_secs(u64::from(seconds)))
}

/// Hides the password of a URL, wherever it stands: before the host or among the parameters.
fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, parameters) =
        rest.split_once('?').map_or((rest, ""), |(place, after)| (place, after));
    let place = match place.rsplit_once('@') {
        Some((user, host)) => {
            let user =
                user.split_once(':').map_or(user.to_owned(), |(name, _)| format!("{name}:***"));
            format!("{user}@{host}")
        }
        None => place.to_owned(),
    };
    let hidden: Vec<String> = parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| match parameter.split_once('=') {
            Some((key, _)) if key.contains("pass") => format!("{key}=***"),
            Some(_) | None => parameter.to_owned(),
        })
        .collect();
    let question = if hidden.is_empty() { "" } else { "?" };
    format!("{scheme}://{place}{question}{}", hidden.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("postgres://me:s3c@ret@h:5432/d", "postgres://me:***@h:5432/d"),
            ("postgres://me@h/d", "postgres://me@h/d"),
            ("postgres://h/d?user=me&password=secret", "postgres://h/d?user=me&password=***"),
            ("http://h:4317", "http://h:4317"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn every_setting_is_described_for_operators() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");
        let document = std::fs::read_to_string(path).unwrap();
        for setting in settings() {
            let default = match setting.default {
                None => "required".to_owned(),
                Some("") => "-".to_owned(),
                Some(default) => format!("`{default}`"),
            };
            let line = format!("| `{}` | {default} | {} |", setting.key, setting.meaning);
            assert!(document.contains(&line), "docs/operating.md lacks the line\n{line}");
        }
    }
}
