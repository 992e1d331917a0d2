//! What a notice says: plain text in the reader's language, without a link, and asking for nothing.
//!
//! Fake "refund" messages follow every announced compensation. So a notice never has anything to follow or to
//! answer, says so, and takes no word from outside that could look like a link.

mod de;
mod en;
mod it;
mod plain;
#[cfg(test)]
mod tests;

use jiff::ZonedDateTime;
use ristoro_domain::remedy::{Grant, Remedy};

use plain::plain;

/// The languages that notices are written in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Language {
    /// Italian.
    It,
    /// English; also whoever named no language that we write.
    En,
    /// German.
    De,
}

/// What a notice is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// The service's id, such as `libero-mail`.
    pub service: String,
    /// When the outage began and ended for this reader, on the reader's clocks; none where nothing was felt.
    pub outage: Option<(ZonedDateTime, ZonedDateTime)>,
    /// What the reader is owed.
    pub remedies: Vec<Remedy>,
    /// What to name when calling about it.
    pub reference: String,
    /// Who writes.
    pub sender: String,
}

/// A notice as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// The subject; one line.
    pub subject: String,
    /// The body: lines that end in a line feed.
    pub body: String,
}

/// The words of one language.
pub(crate) trait Words {
    /// Says who the service is where its id cannot be shown.
    fn your_service(&self) -> &'static str;
    /// Writes the subject.
    fn subject(&self, service: &str) -> String;
    /// Greets and says which outage this is about.
    fn opening(&self, service: &str, outage: Option<(String, String)>) -> String;
    /// Writes a local time.
    fn time(&self, time: &ZonedDateTime) -> String;
    /// Introduces what is owed.
    fn owed(&self) -> &'static str;
    /// Names a remedy.
    fn remedy(&self, remedy: &Remedy) -> String;
    /// Says that nothing has to be done, and takes leave.
    fn closing(&self, reference: &str, sender: &str) -> String;
}

impl Language {
    /// Reads a BCP 47 tag such as `it`, `it-IT` or `de_AT`.
    #[must_use]
    pub fn of(locale: Option<&str>) -> Self {
        let tag = locale.unwrap_or_default().to_ascii_lowercase();
        match tag.split(['-', '_']).next() {
            Some("it") => Language::It,
            Some("de") => Language::De,
            Some(_) | None => Language::En,
        }
    }

    /// Gives the tag.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Language::It => "it",
            Language::En => "en",
            Language::De => "de",
        }
    }

    fn words(self) -> &'static dyn Words {
        match self {
            Language::It => &it::Italian,
            Language::En => &en::English,
            Language::De => &de::German,
        }
    }
}

/// Writes the letter.
#[must_use]
pub fn write(content: &Content, language: Language) -> Letter {
    let words = language.words();
    let service = service_name(&content.service, words);
    let outage = content.outage.as_ref().map(|(from, to)| (words.time(from), words.time(to)));
    let mut body = words.opening(&service, outage);
    body.push_str(words.owed());
    for remedy in &content.remedies {
        body.push_str("\n  - ");
        body.push_str(&words.remedy(remedy));
    }
    body.push_str("\n\n");
    let sender = plain(&content.sender).unwrap_or_else(|| service.clone());
    let reference = plain(&content.reference).unwrap_or_default();
    body.push_str(&words.closing(&reference, &sender));
    Letter { subject: words.subject(&service), body }
}

/// Gives the name of a service as its users know it.
fn service_name(id: &str, words: &dyn Words) -> String {
    match id {
        "libero-mail" => "Libero Mail".to_owned(),
        "virgilio-mail" => "Virgilio Mail".to_owned(),
        "pec" => "PEC".to_owned(),
        other => plain(other).unwrap_or_else(|| words.your_service().to_owned()),
    }
}

/// Gives the words for months and days of a longer term, each where there are any.
fn term_parts(grant: &Grant, month: [&str; 2], day: [&str; 2], and: &str) -> String {
    let Grant::Term { months, days, .. } = grant else { return String::new() };
    let part = |count: u32, [one, many]: [&str; 2]| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {many}")),
    };
    let parts = [part(*months, month), part(*days, day)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(and)
}
