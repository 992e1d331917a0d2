//! Where the log is: one URL.

use std::fmt;
use std::str::FromStr;

/// Where the log is. Written `postgres://...`, `kafka://HOST:PORT[,HOST:PORT]` or `memory:`.
#[derive(Clone, PartialEq, Eq)]
pub enum LogConfig {
    /// In this process, empty whenever it is opened; for tests.
    Memory,
    /// In a Postgres database.
    Postgres {
        /// The database's URL, password included.
        url: String,
    },
    /// On a Kafka.
    Kafka {
        /// Brokers to ask first, `HOST:PORT[,HOST:PORT]`.
        bootstrap: String,
    },
}

impl FromStr for LogConfig {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: text.to_owned() });
        }
        let Some(bootstrap) = text.strip_prefix("kafka://") else {
            // The text may hold a password, so it is not repeated.
            return Err(
                "the log's address has to be postgres://..., kafka://HOST:PORT[,HOST:PORT] \
                        or memory:"
                    .to_owned(),
            );
        };
        let bootstrap = bootstrap.trim_end_matches('/');
        for broker in bootstrap.split(',') {
            let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none() {
                return Err(format!("{broker:?} is no broker's address: write HOST:PORT"));
            }
        }
        Ok(Self::Kafka { bootstrap: bootstrap.to_owned() })
    }
}

impl fmt::Display for LogConfig {
    /// Without user and password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => formatter.write_str("memory:"),
            Self::Postgres { url } => {
                let place = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                let place = place.split_once('?').map_or(place, |(place, _)| place);
                write!(formatter, "postgres://{place}")
            }
            Self::Kafka { bootstrap } => write!(formatter, "kafka://{bootstrap}"),
        }
    }
}

impl fmt::Debug for LogConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_log_it_is() {
        let check = |text: &str, expected| assert_eq!(text.parse(), Ok(expected));
        check("memory:", LogConfig::Memory);
        check("kafka://a:9092", LogConfig::Kafka { bootstrap: "a:9092".into() });
        check("kafka://a:1,b:2/", LogConfig::Kafka { bootstrap: "a:1,b:2".into() });
        let url = "postgres://u:p@h:5432/d";
        check(url, LogConfig::Postgres { url: url.into() });
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for text in ["", "memory", "kafka://", "kafka://a", "kafka://:9", "kafka://a:x", "http://a"]
        {
            assert!(text.parse::<LogConfig>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let config: LogConfig =
            "postgres://user:s3c@ret@host/base?password=s3cret".parse().unwrap();
        assert_eq!(config.to_string(), "postgres://host/base");
        assert_eq!(format!("{config:?}"), "postgres://host/base");
    }
}
