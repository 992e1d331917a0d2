//! Notices in Italian.

use jiff::ZonedDateTime;
use ristoro_domain::remedy::{Grant, Remedy, RemedyKind};

use super::plain::{amount, clock, quota};
use super::{Words, term_parts};

/// The Italian words.
pub(super) struct Italian;

const MONTHS: [&str; 12] = [
    "gennaio",
    "febbraio",
    "marzo",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "agosto",
    "settembre",
    "ottobre",
    "novembre",
    "dicembre",
];

fn month(number: i8) -> &'static str {
    MONTHS[usize::from(number.unsigned_abs()) - 1]
}

fn kind(kind: RemedyKind) -> &'static str {
    match kind {
        RemedyKind::Indemnity => "indennizzo",
        RemedyKind::Refund => "rimborso",
        RemedyKind::Damages => "risarcimento",
        RemedyKind::Goodwill => "ristoro",
    }
}

impl Words for Italian {
    fn your_service(&self) -> &'static str {
        "il tuo servizio"
    }

    fn subject(&self, service: &str) -> String {
        format!("Quello che ti spetta dopo l'interruzione: {service}")
    }

    fn opening(&self, service: &str, outage: Option<(String, String)>) -> String {
        let when = match outage {
            Some((from, to)) => {
                format!("Per te l'interruzione \u{e8} durata\ndal {from}\nal {to}.\n\n")
            }
            None => String::new(),
        };
        format!(
            "Gentile cliente,\n\n\
             ti scriviamo per l'interruzione che ha riguardato {service}.\n\n{when}"
        )
    }

    fn time(&self, time: &ZonedDateTime) -> String {
        let (day, month, year) = (time.day(), month(time.month()), time.year());
        format!("{day} {month} {year}, ore {}", clock(time))
    }

    fn owed(&self) -> &'static str {
        "Ti spetta:"
    }

    fn remedy(&self, remedy: &Remedy) -> String {
        let kind = kind(remedy.kind);
        match &remedy.grant {
            Grant::Money(money) => format!("{} ({kind})", amount(*money, ',')),
            Grant::Credit(money) => {
                format!("un credito per il servizio di {} ({kind})", amount(*money, ','))
            }
            Grant::Voucher(money) => format!("un buono di {} ({kind})", amount(*money, ',')),
            Grant::Term { new_end, .. } => {
                let term = term_parts(&remedy.grant, ["mese", "mesi"], ["giorno", "giorni"], " e ");
                let until = new_end.map_or_else(String::new, |end| {
                    format!(", fino al {} {} {}", end.day(), month(end.month()), end.year())
                });
                format!("{term} in pi\u{f9} di abbonamento{until} ({kind})")
            }
            Grant::Quota { bytes } => {
                let (gib, exact) = quota(*bytes, ',');
                format!("una casella pi\u{f9} grande: {gib} in tutto, {exact} byte ({kind})")
            }
        }
    }

    fn closing(&self, reference: &str, sender: &str) -> String {
        format!(
            "Non devi fare nulla.\n\n\
             Questo messaggio non contiene collegamenti, non ha allegati e non ti\n\
             chiede alcun dato. Chi a nostro nome ti chiede password, numeri di\n\
             carta o di conto, oppure di aprire un collegamento, non siamo noi:\n\
             non rispondere.\n\n\
             Riferimento: {reference}\n\n\
             Cordiali saluti\n{sender}\n"
        )
    }
}
