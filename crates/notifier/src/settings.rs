//! How notices are sent; the defaults are what production uses.

use std::time::Duration;

use lettre::message::Mailbox;

/// How notices are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The mail server that takes the notices.
    pub smtp: SmtpServer,
    /// Who writes. The name signs the notices.
    pub from: Mailbox,
    /// How long one answer of the mail server may take; see `answer_limit`.
    pub answer_time: Duration,
    /// How often a message is offered that the server puts off.
    pub tries: u32,
    /// The pause before the second offer; it doubles from one to the next.
    pub pause: Duration,
    /// How many chunks go out at once, each over a connection of its own: a bound for the whole process, whatever
    /// partitions the chunks are of.
    pub lanes: usize,
    /// How long a wave may stand still under an owner before somebody else takes it over. The time of a block
    /// follows from it, so it has to be the same in all processes.
    pub takeover_after: Duration,
    /// How long the loop rests when there is nothing to send.
    pub rest: Duration,
}

/// Where a mail server listens. The connection is in the clear, so the server belongs beside the process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmtpServer {
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Why settings cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// The mail server's address is malformed.
    #[error(
        "{text:?} is no mail server: write smtp://HOST:PORT (mail goes in the clear, so keep the server beside the process)"
    )]
    Server {
        /// What was given.
        text: String,
    },
    /// The sender is malformed.
    #[error(
        "{text:?} is no sender: write NAME <ADDRESS>, such as Italiaonline <no-reply@italiaonline.it>"
    )]
    Sender {
        /// What was given.
        text: String,
    },
}

impl Settings {
    /// Makes the usual settings for a server, `smtp://HOST:PORT`, and a sender, `NAME <ADDRESS>`.
    ///
    /// # Errors
    /// `Server`, `Sender`.
    pub fn new(smtp_url: &str, from: &str) -> Result<Self, SettingsError> {
        let sender = || SettingsError::Sender { text: from.to_owned() };
        Ok(Self {
            smtp: smtp_url.parse()?,
            from: from.parse().map_err(|_| sender())?,
            answer_time: Duration::from_secs(15),
            tries: 3,
            pause: Duration::from_secs(2),
            lanes: 8,
            takeover_after: Duration::from_secs(60),
            rest: Duration::from_millis(500),
        })
    }

    /// Gives how long an owner may work on a block, from the moment at which it began to write the claim or report
    /// before it. The other half of `takeover_after` is for the report, and for clocks that do not run alike.
    #[must_use]
    pub fn block_time(&self) -> Duration {
        self.takeover_after / 2
    }

    /// Gives how long one answer may take at most, so that the answer to what was sent comes within the block's time.
    #[must_use]
    pub fn answer_limit(&self) -> Duration {
        self.answer_time.min(self.block_time() / 2)
    }
}

impl std::str::FromStr for SmtpServer {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let bad = || SettingsError::Server { text: text.to_owned() };
        let place = text.strip_prefix("smtp://").ok_or_else(bad)?.trim_end_matches('/');
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "25"));
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err(bad());
        }
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_has_a_host_and_a_port() {
        let check = |text: &str, host: &str, port: u16| {
            let host = host.to_owned();
            assert_eq!(text.parse::<SmtpServer>().unwrap(), SmtpServer { host, port });
        };
        check("smtp://127.0.0.1:2525", "127.0.0.1", 2525);
        check("smtp://relay.internal", "relay.internal", 25);
        check("smtp://[::1]:25/", "::1", 25);
        for text in ["", "relay:25", "smtp://", "smtp://a:b", "smtp://u@h:25", "smtp://h:0"] {
            assert!(text.parse::<SmtpServer>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_block_ends_well_before_a_takeover_and_an_answer_well_before_the_block() {
        let check = |takeover_after: u64, block_time: u64, answer_limit: u64| {
            let settings = Settings {
                takeover_after: Duration::from_secs(takeover_after),
                ..Settings::new("smtp://h:25", "Italiaonline <no-reply@italiaonline.it>").unwrap()
            };
            let times = (settings.block_time().as_secs(), settings.answer_limit().as_secs());
            assert_eq!(times, (block_time, answer_limit));
        };
        check(60, 30, 15);
        check(600, 300, 15);
        check(4, 2, 1);
    }

    #[test]
    fn a_sender_has_an_address() {
        assert!(Settings::new("smtp://h:25", "Italiaonline <no-reply@italiaonline.it>").is_ok());
        assert!(Settings::new("smtp://h:25", "Italiaonline").is_err());
    }
}
