//! `google.protobuf.Timestamp`, instants and half-open windows.

use jiff::civil::Date;
use prost_types::Timestamp;
use ristoro_domain::time::{Instant, Window};
use ristoro_proto::ops::v1::TimeWindow;
use tonic::Status;

use crate::status::invalid;

/// The first and the last second that a `Timestamp` may have: the years 1 to 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// One past the largest `nanos`.
const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// Reads a required time.
///
/// # Errors
/// INVALID_ARGUMENT naming `field`: missing, outside the years 1 to 9999, or with `nanos` outside a second.
pub fn instant(field: &str, message: Option<&Timestamp>) -> Result<Instant, Status> {
    optional_instant(field, message)?.ok_or_else(|| invalid(field, "is missing"))
}

/// Reads a time that may be missing.
///
/// # Errors
/// INVALID_ARGUMENT as for `instant`, but for a missing one.
pub fn optional_instant(
    field: &str,
    message: Option<&Timestamp>,
) -> Result<Option<Instant>, Status> {
    let Some(message) = message else { return Ok(None) };
    if !SECONDS.contains(&message.seconds) {
        let problem = format!("is {}: write a time in the years 1 to 9999", message.seconds);
        return Err(invalid(&format!("{field}.seconds"), problem));
    }
    let out_of_range = || {
        invalid(&format!("{field}.nanos"), format!("is {}: write 0 to 999999999", message.nanos))
    };
    if !(0..NANOS_PER_SECOND).contains(&message.nanos) {
        return Err(out_of_range());
    }
    Instant::new(message.seconds, message.nanos).map(Some).map_err(|_| out_of_range())
}

/// Reads a day, written YYYY-MM-DD, that may be empty.
///
/// # Errors
/// INVALID_ARGUMENT naming `field` where it is no day.
pub fn optional_date(field: &str, text: &str) -> Result<Option<Date>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = text.parse().ok().filter(|_| text.len() == 10);
    date.map(Some).ok_or_else(|| invalid(field, "is no day: write YYYY-MM-DD, or leave it out"))
}

/// Writes a time.
#[must_use]
pub fn timestamp(instant: Instant) -> Timestamp {
    let (second, nanos) = (instant.as_second(), instant.subsec_nanosecond());
    // Before 1970 the instant's parts are both negative; the message wants nanos that count forward.
    if nanos < 0 {
        return Timestamp { seconds: second - 1, nanos: nanos + NANOS_PER_SECOND };
    }
    Timestamp { seconds: second, nanos }
}

/// Reads a required window.
///
/// # Errors
/// INVALID_ARGUMENT naming the field: no start, a malformed time, or an end that is not after the start.
pub fn window(field: &str, message: Option<&TimeWindow>) -> Result<Window, Status> {
    let message = message.ok_or_else(|| invalid(field, "is missing"))?;
    let from = instant(&format!("{field}.from"), message.from.as_ref())?;
    let to_field = format!("{field}.to");
    let to = optional_instant(&to_field, message.to.as_ref())?;
    Window::new(from, to).map_err(|problem| invalid(&to_field, format!("{problem}")))
}

/// Writes a window.
#[must_use]
pub fn window_message(window: Window) -> TimeWindow {
    TimeWindow { from: Some(timestamp(window.from)), to: window.to.map(timestamp) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_cross_the_edge_and_come_back() {
        for text in [
            "2023-01-23T08:00:00Z",
            "1969-12-31T23:59:59.25Z",
            "0001-01-01T00:00:00Z",
            "9999-12-30T21:59:59.999999999Z",
        ] {
            let known: Instant = text.parse().unwrap();
            let message = timestamp(known);
            assert!(message.nanos >= 0);
            assert_eq!(instant("at", Some(&message)).unwrap(), known);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let check = |seconds, nanos| instant("at", Some(&Timestamp { seconds, nanos })).is_err();
        assert!(instant("at", None).is_err());
        assert!(check(253_402_300_800, 0));
        assert!(check(-62_135_596_801, 0));
        assert!(check(0, -1));
        assert!(check(0, 1_000_000_000));
        assert_eq!(optional_instant("at", None).unwrap(), None);
    }

    #[test]
    fn a_day_is_written_whole_or_left_out() {
        let day: Date = "2024-02-29".parse().unwrap();
        assert_eq!(optional_date("day", "2024-02-29").unwrap(), Some(day));
        assert_eq!(optional_date("day", "").unwrap(), None);
        for wrong in ["2023-02-29", "20240229", "2024-02-29T10:00", "29.2.2024"] {
            assert!(optional_date("day", wrong).unwrap_err().message().starts_with("day: "));
        }
    }

    #[test]
    fn a_window_ends_after_it_begins() {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let message = |from, to| TimeWindow { from, to };
        assert!(window("w", Some(&message(at(1), at(2)))).is_ok());
        assert!(window("w", Some(&message(at(1), None))).unwrap().to.is_none());
        let refused = window("w", Some(&message(at(2), at(2)))).unwrap_err();
        assert!(refused.message().starts_with("w.to: "), "{}", refused.message());
        let refused = window("w", Some(&message(None, at(2)))).unwrap_err();
        assert!(refused.message().starts_with("w.from: "), "{}", refused.message());
    }
}
