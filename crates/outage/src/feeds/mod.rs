//! Feed files: each format turns a source's words into signals. Pure; one file for each format.

mod alertmanager;
mod gatus;
mod google_cloud;
mod mapping;
mod output;
mod statuspage;
#[cfg(test)]
mod tests;

pub use mapping::{Mapping, MappingError};
pub use output::to_json;

use std::fmt;
use std::str::FromStr;

use ristoro_domain::signal::Signal;
use ristoro_domain::time::Instant;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The formats that can be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Format {
    /// Alertmanager's webhook, version 4: alerts with their start and end.
    Alertmanager,
    /// Gatus' `/api/v1/endpoints/statuses`: endpoints with the times at which they turned unhealthy and healthy.
    Gatus,
    /// Google Cloud's `incidents.json`: an array of incidents with begin, end and affected products.
    GoogleCloud,
    /// Atlassian Statuspage's `incidents.json`, version 2: incidents with their updates.
    Statuspage,
}

/// What a feed file holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parsed {
    /// The signals, in the file's order.
    pub signals: Vec<Signal>,
    /// What could not be read; the rest was.
    pub problems: Vec<Problem>,
}

/// An entry of a feed file that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Problem {
    /// Where it stands in the file, such as `incidents[3].begin`.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The file is no JSON of the format's shape.
    #[error("this is no {format} feed: {source}")]
    Malformed {
        /// The format that was asked for.
        format: Format,
        /// What the reader says, with line and column.
        source: serde_json::Error,
    },
}

/// Reads a feed file.
///
/// # Errors
/// `Malformed` where the file as a whole has another shape; a single bad entry is a problem in the answer.
pub fn parse(format: Format, file: &[u8], mapping: &Mapping) -> Result<Parsed, FeedError> {
    let malformed = |source| FeedError::Malformed { format, source };
    let parsed = match format {
        Format::Alertmanager => alertmanager::parse(file, mapping),
        Format::Gatus => gatus::parse(file, mapping),
        Format::GoogleCloud => google_cloud::parse(file, mapping),
        Format::Statuspage => statuspage::parse(file, mapping),
    };
    parsed.map_err(malformed)
}

/// Reads entries one by one, so that a bad one becomes a problem with its place and the others are read.
fn read_all<T>(
    list: &str,
    entries: Vec<T>,
    read: impl Fn(T) -> Result<Option<Signal>, Problem>,
) -> Parsed {
    let mut parsed = Parsed::default();
    for (index, entry) in entries.into_iter().enumerate() {
        match read(entry) {
            Ok(signal) => parsed.signals.extend(signal),
            Err(problem) => {
                let place = format!("{list}[{index}]{}", problem.place);
                parsed.problems.push(Problem { place, ..problem });
            }
        }
    }
    parsed
}

/// Reads an entry as the format's own type.
fn typed<T: DeserializeOwned>(entry: Value) -> Result<T, Problem> {
    let problem = |error: serde_json::Error| problem("", error.to_string());
    serde_json::from_value(entry).map_err(problem)
}

/// Reads a time; `place` is the path within the entry.
fn time(place: &str, text: &str) -> Result<Instant, Problem> {
    let what = || format!("{text:?} is no RFC 3339 time such as 2022-07-01T13:37:44+00:00");
    text.parse().map_err(|_| problem(place, what()))
}

fn problem(place: &str, problem: impl Into<String>) -> Problem {
    Problem { place: place.to_owned(), problem: problem.into() }
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] =
        [Format::Alertmanager, Format::Gatus, Format::GoogleCloud, Format::Statuspage];

    /// Gives the name as it is written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Alertmanager => "alertmanager",
            Format::Gatus => "gatus",
            Format::GoogleCloud => "google-cloud",
            Format::Statuspage => "statuspage",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Format::ALL.map(Format::name).join(", ");
        let found = Format::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| format!("{text:?} is no feed format: write one of {}", names()))
    }
}
