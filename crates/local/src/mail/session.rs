//! One SMTP connection (RFC 5321), read strictly in order, so that pipelined commands are answered
//! one after another, in one write. It knows what a client like lettre sends and the limits that keep
//! it safe.

use std::io;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::message::Message;

/// RFC 5321 allows 512 bytes, extensions add some hundreds.
const COMMAND_LIMIT: u64 = 2_048;
const MESSAGE_LIMIT: usize = 10 * 1_024 * 1_024;
/// RFC 5321 asks for at least 100.
const RECIPIENT_LIMIT: usize = 100;
/// RFC 5321, section 4.5.3.2: five minutes for the next command.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// What becomes of a mail once it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    /// Nobody is told what happened.
    Silence,
}

/// What a connection asks of the catcher.
pub(super) trait Desk {
    /// The reply code if this recipient is to be refused.
    fn refusal(&self, recipient: &str) -> Option<u16>;
    /// Takes a mail, or not.
    async fn take(&self, message: Message) -> io::Result<Fate>;
}

#[derive(Debug, Default)]
struct Envelope {
    from: Option<String>,
    recipients: Vec<String>,
}

/// What a line leads to.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Reply(String),
    Data,
    Quit,
}

/// A client, and what it is to be told once it waits for it.
struct Connection<S> {
    stream: BufReader<S>,
    replies: Vec<u8>,
}

/// Serves a connection until the client leaves.
pub(super) async fn serve<S, D>(stream: S, desk: &D) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Desk,
{
    let mut connection = Connection { stream: BufReader::new(stream), replies: Vec::new() };
    let mut envelope = Envelope::default();
    connection.reply("220 localhost ristoro mail catcher");
    while let Some(line) = connection.read_line(COMMAND_LIMIT).await? {
        let step = match line {
            Line::Whole(bytes) => envelope.step(&String::from_utf8_lossy(&bytes), desk),
            Line::TooLong => Step::Reply("500 5.5.2 line too long".into()),
        };
        match step {
            Step::Reply(text) => connection.reply(&text),
            Step::Quit => {
                connection.reply("221 2.0.0 bye");
                return connection.send_replies().await;
            }
            Step::Data => {
                connection.reply("354 end with a line that is a dot");
                let Some(data) = connection.read_data().await? else { return Ok(()) };
                let envelope = std::mem::take(&mut envelope);
                if accept(&mut connection, envelope, data, desk).await? == Fate::Silence {
                    return connection.send_replies().await;
                }
            }
        }
    }
    Ok(())
}

async fn accept<S, D: Desk>(
    connection: &mut Connection<S>,
    envelope: Envelope,
    data: Data,
    desk: &D,
) -> io::Result<Fate>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Data::Whole(raw) = data else {
        connection.reply("552 5.3.4 message too big");
        return Ok(Fate::Taken);
    };
    let message = Message {
        from: envelope.from.unwrap_or_default(),
        recipients: envelope.recipients,
        raw,
        received_at: SystemTime::now(),
    };
    let fate = desk.take(message).await?;
    if fate == Fate::Taken {
        connection.reply("250 2.0.0 taken");
    }
    Ok(fate)
}

impl Envelope {
    fn step(&mut self, line: &str, desk: &impl Desk) -> Step {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                *self = Self::default();
                format!(
                    "250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                     250-ENHANCEDSTATUSCODES\r\n250 SIZE {MESSAGE_LIMIT}"
                )
            }
            "HELO" => {
                *self = Self::default();
                "250 localhost".into()
            }
            "MAIL" => self.mail(rest),
            "RCPT" => self.recipient(rest, desk),
            "DATA" if self.recipients.is_empty() => "503 5.5.1 no recipient yet".into(),
            "DATA" => return Step::Data,
            "RSET" => {
                *self = Self::default();
                "250 2.0.0 forgotten".into()
            }
            "NOOP" => "250 2.0.0 well".into(),
            "VRFY" => "252 2.5.0 send and see".into(),
            "QUIT" => return Step::Quit,
            _ => "502 5.5.1 unknown command".into(),
        };
        Step::Reply(answer)
    }

    fn mail(&mut self, rest: &str) -> String {
        if self.from.is_some() {
            return "503 5.5.1 one sender at a time".into();
        }
        match path(rest, "FROM:") {
            Some(from) => {
                self.from = Some(from);
                "250 2.1.0 sender known".into()
            }
            None => "501 5.1.7 expected FROM:<address>".into(),
        }
    }

    fn recipient(&mut self, rest: &str, desk: &impl Desk) -> String {
        if self.from.is_none() {
            return "503 5.5.1 sender first".into();
        }
        let Some(recipient) = path(rest, "TO:").filter(|address| !address.is_empty()) else {
            return "501 5.1.3 expected TO:<address>".into();
        };
        if let Some(code) = desk.refusal(&recipient) {
            return format!("{code} {}.1.1 refused", code / 100);
        }
        if self.recipients.len() == RECIPIENT_LIMIT {
            return "452 4.5.3 too many recipients".into();
        }
        self.recipients.push(recipient);
        "250 2.1.5 recipient known".into()
    }
}

/// The address in `FROM:<a@b> SIZE=1`.
fn path(text: &str, prefix: &str) -> Option<String> {
    let head = text.get(..prefix.len())?;
    let rest = text[prefix.len()..].trim_start();
    let (address, _) = rest.strip_prefix('<')?.split_once('>')?;
    head.eq_ignore_ascii_case(prefix).then(|| address.to_owned())
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

enum Data {
    Whole(Vec<u8>),
    TooBig,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Notes a reply. It goes out when nothing more is there to be read.
    fn reply(&mut self, text: &str) {
        self.replies.extend_from_slice(text.as_bytes());
        self.replies.extend_from_slice(b"\r\n");
    }

    async fn send_replies(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.replies).await?;
        self.replies.clear();
        self.stream.flush().await
    }

    /// A line without its end, or none at the end of the connection. Of a line that is too long the
    /// rest is read and forgotten.
    async fn read_line(&mut self, limit: u64) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        self.read_part(limit, &mut bytes).await?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
            return Ok(Some(Line::Whole(bytes)));
        }
        if u64::try_from(bytes.len()).is_ok_and(|length| length < limit) {
            return Ok(None);
        }
        loop {
            bytes.clear();
            self.read_part(limit, &mut bytes).await?;
            match bytes.last() {
                None => return Ok(None),
                Some(b'\n') => return Ok(Some(Line::TooLong)),
                Some(_) => {}
            }
        }
    }

    async fn read_part(&mut self, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let is_there = self.stream.buffer().contains(&b'\n');
        if !is_there && !self.replies.is_empty() {
            self.send_replies().await?;
        }
        let mut limited = (&mut self.stream).take(limit);
        let read = limited.read_until(b'\n', bytes);
        // A line that is there needs no clock: a mail has many.
        match is_there {
            true => read.await?,
            false => timeout(IDLE_LIMIT, read).await.map_err(|_| io::ErrorKind::TimedOut)??,
        };
        Ok(())
    }

    /// Reads up to the lone dot and takes away the dots that the client doubled. None if the
    /// connection ends before: then there is no mail.
    async fn read_data(&mut self) -> io::Result<Option<Data>> {
        let mut raw = Vec::new();
        let mut is_too_big = false;
        loop {
            let limit = u64::try_from(MESSAGE_LIMIT).expect("a few megabytes fit");
            let line = match self.read_line(limit).await? {
                None => return Ok(None),
                Some(Line::Whole(line)) => line,
                Some(Line::TooLong) => {
                    is_too_big = true;
                    continue;
                }
            };
            if line == b"." {
                return Ok(Some(if is_too_big { Data::TooBig } else { Data::Whole(raw) }));
            }
            is_too_big |= raw.len() + line.len() > MESSAGE_LIMIT;
            if !is_too_big {
                raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                raw.extend_from_slice(b"\r\n");
            }
        }
    }
}
