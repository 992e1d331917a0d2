//! A mail as it came in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// A mail that was taken, envelope and contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The envelope's sender, empty for bounces.
    pub from: String,
    /// The envelope's recipients that were not refused.
    pub recipients: Vec<String>,
    /// Headers and body as sent, with CRLF, without the dots that SMTP adds.
    pub raw: Vec<u8>,
    /// When its last line was there.
    pub received_at: SystemTime,
}

/// A line of the journal.
#[derive(Serialize)]
struct Line<'a> {
    received_at_ms: u64,
    from: &'a str,
    recipients: &'a [String],
    raw: &'a str,
}

impl Message {
    /// A header's value, unfolded, as sent (encoded words stay encoded). Names are compared
    /// without regard to case.
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.split();
        let head = String::from_utf8_lossy(head).replace("\r\n ", " ").replace("\r\n\t", " ");
        let values = head.lines().filter_map(|line| line.split_once(':'));
        let mut found = values.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim().to_owned())
    }

    /// What stands below the headers, as sent (its transfer encoding stays).
    pub fn body(&self) -> String {
        String::from_utf8_lossy(self.split().1).into_owned()
    }

    fn split(&self) -> (&[u8], &[u8]) {
        let end = self.raw.windows(4).position(|window| window == b"\r\n\r\n");
        match end {
            Some(end) => (&self.raw[..end], &self.raw[end + 4..]),
            None => (&self.raw, &[]),
        }
    }

    /// One line of JSON, with its end of line. Bytes that are not UTF-8 are replaced.
    pub(super) fn to_json_line(&self) -> String {
        let since = self.received_at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let line = Line {
            received_at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            from: &self.from,
            recipients: &self.recipients,
            raw: &String::from_utf8_lossy(&self.raw),
        };
        let mut json = serde_json::to_string(&line).expect("strings and numbers are always JSON");
        json.push('\n');
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(raw: &str) -> Message {
        Message {
            from: "outage@provider.example".into(),
            recipients: vec!["anna@example.org".into()],
            raw: raw.into(),
            received_at: UNIX_EPOCH + Duration::from_millis(1_500),
        }
    }

    #[test]
    fn headers_are_unfolded_and_end_at_the_empty_line() {
        let message =
            message("Subject: Your\r\n credit\r\nTo: anna@example.org\r\n\r\nX: no header\r\n");
        assert_eq!(message.header("subject").as_deref(), Some("Your credit"));
        assert_eq!(message.header("X"), None);
        assert_eq!(message.body(), "X: no header\r\n");
    }

    #[test]
    fn a_journal_line_is_one_line() {
        assert_eq!(
            message("A: b\r\n\r\nc\r\n").to_json_line(),
            "{\"received_at_ms\":1500,\"from\":\"outage@provider.example\",\
             \"recipients\":[\"anna@example.org\"],\"raw\":\"A: b\\r\\n\\r\\nc\\r\\n\"}\n"
        );
    }
}
