//! SMTP, command by command, so that it is known whether a message can have been taken when a connection ends.
//!
//! Until the content was sent nothing can have been taken, and the message may be offered again. From then on only
//! an answer tells, and without one the outcome is unknown for ever. So content is sent only where there is time left
//! for its answer.

use std::fmt::{self, Display};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::settings::Settings;

/// A connection to the mail server that takes mail of our sender.
pub struct Connection {
    smtp: AsyncSmtpConnection,
    sender: Address,
    answer_limit: Duration,
    /// Whether the server reads several commands at once. RFC 2920.
    pipelining: bool,
    broken: bool,
}

/// Why no mail can be given to the server at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It did not answer in time.
    #[error("the mail server {host}:{port} did not answer within {limit:?}")]
    Time {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// How long it was waited for.
        limit: Duration,
    },
    /// It cannot be reached.
    #[error("the mail server {host}:{port} cannot be reached: {source}")]
    Network {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
    /// It takes no mail of our sender.
    #[error("the mail server {host}:{port} takes no mail: {source}")]
    Smtp {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// What it says.
        source: SmtpError,
    },
}

/// What became of one offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// The server took it.
    Taken,
    /// The server refuses it for good.
    Refused,
    /// It was certainly not taken, and may be offered again.
    NotTaken {
        /// Why, without any address.
        problem: String,
    },
    /// Nobody knows.
    Unknown {
        /// Why, without any address.
        problem: String,
    },
}

/// Content with what ends it. Lines that begin with a dot get another one. RFC 5321, section 4.5.2.
struct Content<'a>(&'a str);

impl Display for Content<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.0.ends_with("\r\n") { ".\r\n" } else { "\r\n.\r\n" };
        let first = if self.0.starts_with('.') { "." } else { "" };
        write!(formatter, "{first}{}{end}", self.0.replace("\r\n.", "\r\n.."))
    }
}

/// An answer that is not a yes.
enum No {
    Permanent,
    Other(String),
}

impl Connection {
    /// Connects, and makes sure that the server takes mail of our sender: otherwise every message would be refused.
    ///
    /// # Errors
    /// `Time`, `Network`, `Smtp`.
    pub async fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let (host, port) = (settings.smtp.host.clone(), settings.smtp.port);
        let limit = settings.answer_limit();
        match timeout(limit, Self::connect(settings, limit)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Time { host, port, limit }),
        }
    }

    async fn connect(settings: &Settings, answer_limit: Duration) -> Result<Self, ConnectError> {
        let place = || (settings.smtp.host.clone(), settings.smtp.port);
        let network = |source| {
            let (host, port) = place();
            ConnectError::Network { host, port, source }
        };
        let refused = |source| {
            let (host, port) = place();
            ConnectError::Smtp { host, port, source }
        };
        let stream = TcpStream::connect(place()).await.map_err(network)?;
        // A message goes out in two writes: with Nagle's algorithm the second would wait 40 ms for the first one's
        // acknowledgement.
        stream.set_nodelay(true).map_err(network)?;
        let hello = ClientId::default();
        let smtp = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await;
        let mut smtp = smtp.map_err(refused)?;
        // Asked again, since what the library keeps of the first answer leaves pipelining out.
        let features = smtp.command(Ehlo::new(hello)).await.map_err(refused)?;
        let pipelining = features.message().any(|line| line.eq_ignore_ascii_case("PIPELINING"));
        let sender = settings.from.email.clone();
        smtp.command(Mail::new(Some(sender.clone()), Vec::new())).await.map_err(refused)?;
        smtp.command(Rset).await.map_err(refused)?;
        Ok(Self { smtp, sender, answer_limit, pipelining, broken: false })
    }

    /// Tells whether it can be used for another message.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.broken && !self.smtp.has_broken()
    }

    /// Offers one message. Its content is sent before `last_at` or not at all.
    pub async fn deliver(&mut self, to: &Address, mail: &str, last_at: Instant) -> Delivery {
        if let Err(no) = self.announce(to, last_at).await {
            if self.is_usable() {
                // The next message begins afresh; a server that does not even reset is left.
                self.broken = self.ask(Rset, last_at).await.is_err();
            }
            return match no {
                No::Permanent => Delivery::Refused,
                No::Other(problem) => Delivery::NotTaken { problem },
            };
        }
        if Instant::now() >= last_at {
            // The server waits for the content: there is no way back but to leave.
            self.broken = true;
            return Delivery::NotTaken { problem: "the time of the block is up".to_owned() };
        }
        // In one write: the library's own way to send content takes two.
        match timeout(self.answer_limit, self.smtp.command(Content(mail))).await {
            Ok(Ok(_)) => Delivery::Taken,
            Ok(Err(error)) if error.is_permanent() => Delivery::Refused,
            Ok(Err(error)) if error.is_transient() => {
                self.broken = is_closing(&error);
                Delivery::NotTaken { problem: answer(&error) }
            }
            Ok(Err(error)) => {
                self.broken = true;
                let problem = format!("the connection ended after the content: {}", answer(&error));
                Delivery::Unknown { problem }
            }
            Err(_) => {
                self.broken = true;
                Delivery::Unknown { problem: "no answer came after the content".to_owned() }
            }
        }
    }

    /// Says goodbye; it does not matter whether the server hears it.
    pub async fn close(mut self) {
        let last_at = Instant::now() + self.answer_limit;
        if self.is_usable() && self.ask(Quit, last_at).await.is_err() {
            tracing::debug!("the mail server was gone before the goodbye");
        }
    }

    /// Everything before the content, in one write where the server allows it. A message that ends here was certainly
    /// not taken.
    async fn announce(&mut self, to: &Address, last_at: Instant) -> Result<(), No> {
        let mut parameters = Vec::new();
        let is_ascii = |address: &Address| address.to_string().is_ascii();
        if !(is_ascii(to) && is_ascii(&self.sender)) {
            if !self.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(No::Permanent);
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let mail = Mail::new(Some(self.sender.clone()), parameters).to_string();
        let recipient = Rcpt::new(to.clone(), Vec::new()).to_string();
        if !self.pipelining {
            self.ask(mail, last_at).await.map_err(sender_refused)?;
            self.ask(recipient, last_at).await?;
            return self.ask(Data, last_at).await;
        }
        let sender = self.ask(format!("{mail}{recipient}{Data}"), last_at).await;
        let recipient = self.hear(last_at).await;
        let data = self.hear(last_at).await;
        // A server that would take content for nobody is left: it must not get any.
        self.broken |= data.is_ok() && (sender.is_err() || recipient.is_err());
        sender.map_err(sender_refused)?;
        recipient?;
        data
    }

    /// Gives a command and hears its answer.
    async fn ask<C: Display>(&mut self, command: C, last_at: Instant) -> Result<(), No> {
        let limit = last_at.min(Instant::now() + self.answer_limit);
        let answered = timeout_at(limit, self.smtp.command(command)).await;
        self.read(answered.map(|answer| answer.map(|_| ())).ok())
    }

    /// Hears the answer to a command that was given with the one before it.
    async fn hear(&mut self, last_at: Instant) -> Result<(), No> {
        if self.broken {
            return Err(No::Other("the connection ended".to_owned()));
        }
        let limit = last_at.min(Instant::now() + self.answer_limit);
        let answered = timeout_at(limit, self.smtp.read_response()).await;
        self.read(answered.map(|answer| answer.map(|_| ())).ok())
    }

    /// Makes out what an answer means; none where none came in time.
    fn read(&mut self, answered: Option<Result<(), SmtpError>>) -> Result<(), No> {
        match answered {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) if error.is_permanent() => Err(No::Permanent),
            Some(Err(error)) => {
                self.broken |= !error.is_transient() || is_closing(&error);
                Err(No::Other(answer(&error)))
            }
            None => {
                self.broken = true;
                Err(No::Other("no answer came in time".to_owned()))
            }
        }
    }
}

/// A sender that was taken at first and is not now is no fault of this recipient's.
fn sender_refused(no: No) -> No {
    match no {
        No::Permanent => No::Other("the sender is refused".to_owned()),
        No::Other(problem) => No::Other(problem),
    }
}

/// 421: the server closes the connection. RFC 5321, section 3.8.
fn is_closing(error: &SmtpError) -> bool {
    error.status().is_some_and(|code| code.to_string() == "421")
}

/// Says what happened without the server's words, which often repeat the address.
fn answer(error: &SmtpError) -> String {
    match error.status() {
        Some(code) => format!("the server answered {code}"),
        None if error.is_timeout() => "no answer came in time".to_owned(),
        None => "the connection ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ends_with_a_lone_dot_and_has_no_other() {
        let check = |mail: &str, sent: &str| assert_eq!(Content(mail).to_string(), sent);
        check("a\r\n", "a\r\n.\r\n");
        check("a", "a\r\n.\r\n");
        check(".\r\n.\r\n..b\r\n", "..\r\n..\r\n...b\r\n.\r\n");
    }
}
