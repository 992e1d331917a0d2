//! Notices in English.

use jiff::ZonedDateTime;
use ristoro_domain::remedy::{Grant, Remedy, RemedyKind};

use super::plain::{amount, clock, quota};
use super::{Words, term_parts};

/// The English words.
pub(super) struct English;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn month(number: i8) -> &'static str {
    MONTHS[usize::from(number.unsigned_abs()) - 1]
}

fn kind(kind: RemedyKind) -> &'static str {
    match kind {
        RemedyKind::Indemnity => "compensation",
        RemedyKind::Refund => "refund",
        RemedyKind::Damages => "damages",
        RemedyKind::Goodwill => "goodwill",
    }
}

impl Words for English {
    fn your_service(&self) -> &'static str {
        "your service"
    }

    fn subject(&self, service: &str) -> String {
        format!("What you are owed after the outage: {service}")
    }

    fn opening(&self, service: &str, outage: Option<(String, String)>) -> String {
        let when = match outage {
            Some((from, to)) => {
                format!("For you the outage lasted\nfrom {from}\nto {to}.\n\n")
            }
            None => String::new(),
        };
        format!(
            "Dear customer,\n\n\
             we write to you about the outage that affected {service}.\n\n{when}"
        )
    }

    fn time(&self, time: &ZonedDateTime) -> String {
        let (day, month, year) = (time.day(), month(time.month()), time.year());
        format!("{day} {month} {year}, {}", clock(time))
    }

    fn owed(&self) -> &'static str {
        "You are owed:"
    }

    fn remedy(&self, remedy: &Remedy) -> String {
        let kind = kind(remedy.kind);
        match &remedy.grant {
            Grant::Money(money) => format!("{} ({kind})", amount(*money, '.')),
            Grant::Credit(money) => format!("a service credit of {} ({kind})", amount(*money, '.')),
            Grant::Voucher(money) => format!("a voucher of {} ({kind})", amount(*money, '.')),
            Grant::Term { new_end, .. } => {
                let term = term_parts(&remedy.grant, ["month", "months"], ["day", "days"], " and ");
                let until = new_end.map_or_else(String::new, |end| {
                    format!(", until {} {} {}", end.day(), month(end.month()), end.year())
                });
                format!("{term} more of your subscription{until} ({kind})")
            }
            Grant::Quota { bytes } => {
                let (gib, exact) = quota(*bytes, '.');
                format!("a larger mailbox: {gib} in total, {exact} bytes ({kind})")
            }
        }
    }

    fn closing(&self, reference: &str, sender: &str) -> String {
        format!(
            "You do not have to do anything.\n\n\
             This message has no links and no attachments, and it asks you for no\n\
             data. Whoever asks you in our name for passwords, card or account\n\
             numbers, or to open a link, is not us: do not answer.\n\n\
             Reference: {reference}\n\n\
             Kind regards\n{sender}\n"
        )
    }
}
