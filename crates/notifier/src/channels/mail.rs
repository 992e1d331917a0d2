//! A notice as an e-mail: headers that say what it is, an id that follows from what ordered it, and plain text.

use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox, Message, SinglePart};
use lettre::{Address, error::Error as MailError};
use uuid::Uuid;

use crate::letter::{Language, Letter};
use crate::streams::{ChunkKey, queue_stream};

/// The namespace of the ids of notices.
const NOTICES: Uuid = Uuid::from_u128(0x3d86_4be2_70f5_4c19_a2b0_96c1_5e0d_7f43);

/// What orders one message: the chunk's record, the number in it, and which attempt.
///
/// It is the same for every owner of a wave, so a message that goes out twice can be told by its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order<'a> {
    /// The chunk whose record ordered it.
    pub chunk: &'a ChunkKey,
    /// The subscription's number.
    pub number: u64,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl Order<'_> {
    fn name(&self) -> String {
        let queue = queue_stream(&self.chunk.assessment, self.chunk.partition);
        format!("{queue}\n{}\n{}", self.chunk.chunk, self.number)
    }

    /// Gives the message's id.
    #[must_use]
    pub fn message_id(&self, domain: &str) -> String {
        let id = Uuid::new_v5(&NOTICES, format!("{}\n{}", self.name(), self.attempt).as_bytes());
        format!("<{id}@{domain}>")
    }

    /// Gives what a reader names when calling about the notice; every attempt has the same. It looks like `REFERENCE`.
    #[must_use]
    pub fn reference(&self) -> String {
        let digits = Uuid::new_v5(&NOTICES, self.name().as_bytes()).simple().to_string();
        format!("{}-{}-{}", &digits[..4], &digits[4..8], &digits[8..12])
    }
}

/// Marks the message as one that nobody is to answer automatically. RFC 3834, section 5.
#[derive(Clone)]
struct AutoSubmitted;

/// Names the language of the text. RFC 3282.
#[derive(Clone)]
struct ContentLanguage(&'static str);

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Header for ContentLanguage {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Language")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self("en"))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.to_owned())
    }
}

/// What stands for the reference in a letter that many readers get.
pub const REFERENCE: &str = "0000-0000-0000";

/// A letter that is encoded once and then goes to many readers, each with a reference of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    language: Language,
    subject: String,
    /// The encoded body before and behind the reference.
    body: (Vec<u8>, Vec<u8>),
}

impl Draft {
    /// Encodes a letter whose reference is `REFERENCE`.
    ///
    /// # Errors
    /// Where a body cannot be encoded, which no letter of ours causes.
    pub fn of(letter: &Letter, language: Language) -> Result<Self, MailError> {
        let text = letter.body.replace('\n', "\r\n");
        let encoding = ContentTransferEncoding::QuotedPrintable;
        let body = Body::new_with_encoding(text, encoding);
        let body = body.map_err(|_| MailError::NonAsciiChars)?.into_vec();
        let mark = REFERENCE.as_bytes();
        let place = body.windows(mark.len()).position(|bytes| bytes == mark);
        // A letter that shows no reference is a fault of ours, and harmless.
        let (before, behind) = place.map_or((body.as_slice(), &[][..]), |place| {
            (&body[..place], &body[place + mark.len()..])
        });
        let body = (before.to_vec(), behind.to_vec());
        Ok(Self { language, subject: letter.subject.clone(), body })
    }
}

/// Makes the e-mail's text.
///
/// # Errors
/// Where a header cannot be made, which no letter of ours causes.
pub fn compose(
    from: &Mailbox,
    to: &Address,
    draft: &Draft,
    order: &Order<'_>,
) -> Result<String, MailError> {
    let (before, behind) = (&draft.body.0, &draft.body.1);
    let body = [before.as_slice(), order.reference().as_bytes(), behind.as_slice()].concat();
    let encoding = ContentTransferEncoding::QuotedPrintable;
    let body = SinglePart::builder()
        .header(ContentType::TEXT_PLAIN)
        .body(Body::dangerous_pre_encoded(body, encoding));
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(draft.subject.clone())
        .message_id(Some(order.message_id(from.email.domain())))
        .date_now()
        .header(AutoSubmitted)
        .header(ContentLanguage(draft.language.tag()))
        .singlepart(body)?;
    Ok(String::from_utf8(message.formatted()).expect("headers and quoted-printable are text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(chunk: &ChunkKey, attempt: u32) -> Order<'_> {
        Order { chunk, number: 7, attempt }
    }

    #[test]
    fn an_attempt_has_one_id_and_all_attempts_one_reference() {
        let chunk = ChunkKey { assessment: "a".to_owned(), partition: 0, chunk: 3 };
        let first = order(&chunk, 1);
        assert_eq!(first.message_id("x.it"), order(&chunk, 1).message_id("x.it"));
        assert_ne!(first.message_id("x.it"), order(&chunk, 2).message_id("x.it"));
        assert_eq!(first.reference(), order(&chunk, 2).reference());
        assert_ne!(first.reference(), Order { number: 8, ..first.clone() }.reference());
    }

    #[test]
    fn a_mail_says_that_a_machine_wrote_it_and_is_quoted_printable() {
        let chunk = ChunkKey { assessment: "a".to_owned(), partition: 0, chunk: 3 };
        let body = format!("È così\n\nRiferimento: {REFERENCE}\n\nAda\n");
        let letter = Letter { subject: "Perché".to_owned(), body };
        let from: Mailbox = "Italiaonline <no-reply@italiaonline.it>".parse().unwrap();
        let to: Address = "ada@example.org".parse().unwrap();
        let order = order(&chunk, 1);
        let draft = Draft::of(&letter, Language::It).unwrap();
        let text = compose(&from, &to, &draft, &order).unwrap();
        for line in [
            "From: Italiaonline <no-reply@italiaonline.it>",
            "To: ada@example.org",
            "Auto-Submitted: auto-generated",
            "Content-Language: it",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "=C3=88 cos=C3=AC",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line} is not in {text}");
        }
        assert!(text.contains(&format!("Message-ID: {}", order.message_id("italiaonline.it"))));
        assert!(text.contains("\r\nDate: "));
        let signed = format!("\r\n\r\nRiferimento: {}\r\n\r\nAda\r\n", order.reference());
        assert!(text.contains(&signed) && !text.contains(REFERENCE), "{text}");
        assert!(text.is_ascii());
    }
}
