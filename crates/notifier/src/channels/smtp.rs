//! SMTP, command by command, so that it is known whether a message can have been taken when a connection ends.
//!
//! Until the content was sent nothing can have been taken, and the message may be offered again. From then on only
//! an answer tells, and without one the outcome is unknown for ever.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::time::timeout;

use crate::settings::Settings;

/// A connection to the mail server that takes mail of our sender.
pub struct Connection {
    smtp: AsyncSmtpConnection,
    sender: Address,
    answer_time: Duration,
    broken: bool,
}

/// Why no mail can be given to the server at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It did not answer in time.
    #[error("the mail server {host}:{port} did not answer within {seconds} s")]
    Time {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It cannot be reached, or it takes no mail of our sender.
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

/// An answer that is not a yes.
enum No {
    Permanent,
    Other(String),
}

impl Connection {
    /// Connects, and makes sure that the server takes mail of our sender: otherwise every message would be refused.
    ///
    /// # Errors
    /// `Time`, `Smtp`.
    pub async fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let (host, port) = (settings.smtp.host.clone(), settings.smtp.port);
        let work = async {
            let address = (settings.smtp.host.as_str(), port);
            let hello = ClientId::default();
            let limit = Some(settings.answer_time);
            let mut smtp =
                AsyncSmtpConnection::connect_tokio1(address, limit, &hello, None, None).await?;
            let sender = settings.from.email.clone();
            smtp.command(Mail::new(Some(sender.clone()), Vec::new())).await?;
            smtp.command(Rset).await?;
            let answer_time = settings.answer_time;
            Ok(Self { smtp, sender, answer_time, broken: false })
        };
        let seconds = settings.answer_time.as_secs();
        match timeout(settings.answer_time, work).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(source)) => Err(ConnectError::Smtp { host, port, source }),
            Err(_) => Err(ConnectError::Time { host, port, seconds }),
        }
    }

    /// Tells whether it can be used for another message.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.broken && !self.smtp.has_broken()
    }

    /// Offers one message.
    pub async fn deliver(&mut self, to: &Address, mail: &[u8]) -> Delivery {
        if let Err(no) = self.announce(to).await {
            if self.is_usable() {
                // The next message begins afresh; a server that does not even reset is left.
                self.broken = self.step(Rset).await.is_err();
            }
            return match no {
                No::Permanent => Delivery::Refused,
                No::Other(problem) => Delivery::NotTaken { problem },
            };
        }
        match timeout(self.answer_time, self.smtp.message(mail)).await {
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
        if self.is_usable() && self.step(Quit).await.is_err() {
            tracing::debug!("the mail server was gone before the goodbye");
        }
    }

    /// Everything before the content. A message that ends here was certainly not taken.
    async fn announce(&mut self, to: &Address) -> Result<(), No> {
        let mut parameters = Vec::new();
        let is_ascii = |address: &Address| address.to_string().is_ascii();
        if !(is_ascii(to) && is_ascii(&self.sender)) {
            if !self.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(No::Permanent);
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let sender = Some(self.sender.clone());
        // A sender that was taken at first and is not now is no fault of this recipient's.
        self.step(Mail::new(sender, parameters)).await.map_err(|no| match no {
            No::Permanent => No::Other("the sender is refused".to_owned()),
            No::Other(problem) => No::Other(problem),
        })?;
        self.step(Rcpt::new(to.clone(), Vec::new())).await?;
        self.step(Data).await
    }

    async fn step<C: std::fmt::Display>(&mut self, command: C) -> Result<(), No> {
        match timeout(self.answer_time, self.smtp.command(command)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() => Err(No::Permanent),
            Ok(Err(error)) => {
                self.broken = !error.is_transient() || is_closing(&error);
                Err(No::Other(answer(&error)))
            }
            Err(_) => {
                self.broken = true;
                Err(No::Other("no answer came in time".to_owned()))
            }
        }
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
