//! Feed files: each format turns a source's words into signals. Pure; one file for each format.

mod google_cloud;
mod mapping;
mod output;
#[cfg(test)]
mod tests;

pub use mapping::{Mapping, MappingError};
pub use output::to_json;

use std::fmt;
use std::str::FromStr;

use ristoro_domain::signal::Signal;

/// The formats that can be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Format {
    /// Google Cloud's `incidents.json`: an array of incidents with begin, end and affected products.
    GoogleCloud,
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
    match format {
        Format::GoogleCloud => google_cloud::parse(file, mapping).map_err(malformed),
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 1] = [Format::GoogleCloud];

    /// Gives the name as it is written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::GoogleCloud => "google-cloud",
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
