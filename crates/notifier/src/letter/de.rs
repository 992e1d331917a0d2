//! Notices in German.

use jiff::ZonedDateTime;
use ristoro_domain::remedy::{Grant, Remedy, RemedyKind};

use super::plain::{amount, clock, quota};
use super::{Words, term_parts};

/// The German words.
pub(super) struct German;

const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "M\u{e4}rz",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

fn month(number: i8) -> &'static str {
    MONTHS[usize::from(number.unsigned_abs()) - 1]
}

fn kind(kind: RemedyKind) -> &'static str {
    match kind {
        RemedyKind::Indemnity => "Entsch\u{e4}digung",
        RemedyKind::Refund => "Erstattung",
        RemedyKind::Damages => "Schadensersatz",
        RemedyKind::Goodwill => "Kulanz",
    }
}

impl Words for German {
    fn your_service(&self) -> &'static str {
        "Ihr Dienst"
    }

    fn subject(&self, service: &str) -> String {
        format!("Was Ihnen nach der St\u{f6}rung zusteht: {service}")
    }

    fn opening(&self, service: &str, outage: Option<(String, String)>) -> String {
        let when = match outage {
            Some((from, to)) => {
                format!("F\u{fc}r Sie dauerte die St\u{f6}rung\nvom {from}\nbis {to}.\n\n")
            }
            None => String::new(),
        };
        format!(
            "Guten Tag,\n\n\
             wir schreiben Ihnen wegen der St\u{f6}rung, von der dieser Dienst\n\
             betroffen war: {service}.\n\n{when}"
        )
    }

    fn time(&self, time: &ZonedDateTime) -> String {
        let (day, month, year) = (time.day(), month(time.month()), time.year());
        format!("{day}. {month} {year}, {}", clock(time))
    }

    fn owed(&self) -> &'static str {
        "Ihnen steht zu:"
    }

    fn remedy(&self, remedy: &Remedy) -> String {
        let kind = kind(remedy.kind);
        match &remedy.grant {
            Grant::Money(money) => format!("{} ({kind})", amount(*money, ',')),
            Grant::Credit(money) => format!("eine Gutschrift von {} ({kind})", amount(*money, ',')),
            Grant::Voucher(money) => {
                format!("ein Gutschein \u{fc}ber {} ({kind})", amount(*money, ','))
            }
            Grant::Term { new_end, .. } => {
                let term = term_parts(&remedy.grant, ["Monat", "Monate"], ["Tag", "Tage"], " und ");
                let until = new_end.map_or_else(String::new, |end| {
                    format!(", bis {}. {} {}", end.day(), month(end.month()), end.year())
                });
                format!("{term} mehr Laufzeit{until} ({kind})")
            }
            Grant::Quota { bytes } => {
                let (gib, exact) = quota(*bytes, ',');
                format!("ein gr\u{f6}\u{df}eres Postfach: insgesamt {gib}, {exact} Byte ({kind})")
            }
        }
    }

    fn closing(&self, reference: &str, sender: &str) -> String {
        format!(
            "Sie m\u{fc}ssen nichts tun.\n\n\
             Diese Nachricht enth\u{e4}lt keine Links und keine Anh\u{e4}nge und fragt Sie\n\
             nach keinen Daten. Wer Sie in unserem Namen nach Passw\u{f6}rtern, Karten-\n\
             oder Kontonummern fragt oder einen Link zu \u{f6}ffnen bittet, sind nicht\n\
             wir: Antworten Sie nicht.\n\n\
             Vorgang: {reference}\n\n\
             Mit freundlichen Gr\u{fc}\u{df}en\n{sender}\n"
        )
    }
}
