//! Reads a row of text, as an import file has it: every column's fault is found in one go.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::check::{RowFault, compact_iban, faults};
use super::entry::{Contact, ImportRow, Payee, Profile};
use crate::facts::{Class, FeePeriod, Segment};
use crate::money::{Currency, Money};
use crate::time::{Instant, parse_instant};

/// The columns of an import file, in the order in which they are written.
pub const COLUMNS: [&str; 17] = [
    "subscription_id",
    "subscriber_id",
    "service",
    "plan",
    "segment",
    "class",
    "cohort",
    "fee",
    "currency",
    "fee_period",
    "valid_from",
    "valid_to",
    "email",
    "phone",
    "locale",
    "iban",
    "payee_name",
];

/// Reads a row. `column` gives the text of a column, empty where the file has none; local times are of `zone`.
///
/// # Errors
/// Everything that is wrong with the row.
pub fn read<'a>(
    column: impl Fn(&'static str) -> &'a str,
    zone: &TimeZone,
) -> Result<ImportRow, Vec<RowFault>> {
    let mut reader = Reader { column: |name| column(name).trim(), zone, faults: Vec::new() };
    let segment = reader.word("segment", &SEGMENTS);
    let class = reader.word("class", &CLASSES);
    let fee = reader.fee();
    let fee_period = reader.fee_period(fee);
    let valid_from = reader.instant("valid_from");
    if valid_from.is_none() && reader.text("valid_from").is_none() {
        reader.fault("valid_from", "is empty: write the date on which the plan began");
    }
    let valid_to = reader.instant("valid_to");
    let payee = reader.payee();
    let contact = Contact {
        email: reader.text("email"),
        phone: reader.text("phone"),
        locale: reader.text("locale"),
    };
    let (Some(segment), Some(class), Some(valid_from), true) =
        (segment, class, valid_from, reader.faults.is_empty())
    else {
        return Err(reader.faults);
    };
    let profile = Profile {
        service: (reader.column)("service").to_owned(),
        plan: (reader.column)("plan").to_owned(),
        segment,
        class,
        cohort: reader.text("cohort"),
        fee,
        fee_period,
    };
    let row = ImportRow {
        subscription: (reader.column)("subscription_id").to_owned(),
        subscriber: (reader.column)("subscriber_id").to_owned(),
        profile: Arc::new(profile),
        valid_from,
        valid_to,
        contact,
        payee,
    };
    let faults = faults(&row);
    if faults.is_empty() { Ok(row) } else { Err(faults) }
}

/// The words of the column `segment`.
pub const SEGMENTS: [(&str, Segment); 2] =
    [("consumer", Segment::Consumer), ("business", Segment::Business)];
/// The words of the column `class`.
pub const CLASSES: [(&str, Class); 3] =
    [("principal", Class::Principal), ("accessory", Class::Accessory), ("free", Class::Free)];
/// The words of the column `fee_period`.
pub const FEE_PERIODS: [(&str, FeePeriod); 2] =
    [("month", FeePeriod::Month), ("year", FeePeriod::Year)];

struct Reader<'z, F> {
    column: F,
    zone: &'z TimeZone,
    faults: Vec<RowFault>,
}

impl<'a, F: Fn(&'static str) -> &'a str> Reader<'_, F> {
    fn fault(&mut self, column: &'static str, reason: impl Into<String>) {
        self.faults.push(RowFault::new(column, reason));
    }

    fn text(&self, column: &'static str) -> Option<String> {
        let text = (self.column)(column);
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn word<T: Copy>(&mut self, column: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = (self.column)(column);
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fault(column, format!("{text:?} is not known: write {}", known.join(" or ")));
        }
        found
    }

    /// A fee of zero is none.
    fn fee(&mut self) -> Option<Money> {
        let (text, code) = ((self.column)("fee"), (self.column)("currency"));
        let currency = match code.parse::<Currency>() {
            Ok(currency) => Some(currency),
            Err(_) if code.is_empty() && text.is_empty() => None,
            Err(error) => {
                self.fault("currency", error.to_string());
                None
            }
        };
        if text.is_empty() {
            return None;
        }
        match Money::parse(text, currency?) {
            Ok(money) => Some(money).filter(|money| money.minor != 0),
            Err(error) => {
                self.fault("fee", error.to_string());
                None
            }
        }
    }

    fn fee_period(&mut self, fee: Option<Money>) -> FeePeriod {
        if (self.column)("fee_period").is_empty() && fee.is_none() {
            return FeePeriod::Month;
        }
        self.word("fee_period", &FEE_PERIODS).unwrap_or(FeePeriod::Month)
    }

    fn instant(&mut self, column: &'static str) -> Option<Instant> {
        let text = (self.column)(column);
        if text.is_empty() {
            return None;
        }
        let read = parse_instant(text, self.zone);
        read.map_err(|error| self.fault(column, error.to_string())).ok()
    }

    fn payee(&mut self) -> Option<Payee> {
        let (iban, name) = (self.text("iban"), self.text("payee_name"));
        match (iban, name) {
            (None, None) => None,
            (None, Some(_)) => {
                self.fault(
                    "iban",
                    "is empty beside a payee_name: give the account or leave both empty",
                );
                None
            }
            (Some(iban), name) => {
                Some(Payee { iban: compact_iban(&iban), name: name.unwrap_or_default() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::zone;

    const SOUND: [(&str, &str); 14] = [
        ("subscription_id", "s1"),
        ("subscriber_id", "p1"),
        ("service", "libero-mail"),
        ("plan", "plus-5gb"),
        ("segment", "consumer"),
        ("class", "principal"),
        ("cohort", "c1"),
        ("fee", "19.99"),
        ("currency", "EUR"),
        ("fee_period", "year"),
        ("valid_from", "2022-09-01"),
        ("email", "ada@posta.example"),
        ("iban", "it60 x054 2811 1010 0000 0123 456"),
        ("payee_name", "Ada Rossi"),
    ];

    fn read_with(changes: &[(&str, &str)]) -> Result<ImportRow, Vec<RowFault>> {
        let column = |name: &'static str| {
            let found = changes.iter().chain(&SOUND).find(|(column, _)| *column == name);
            found.map_or("", |(_, text)| *text)
        };
        read(column, &zone("Europe/Rome").unwrap())
    }

    #[track_caller]
    fn check(changes: &[(&str, &str)], columns: &[&str]) {
        let faults = read_with(changes).map_or_else(|faults| faults, |_| Vec::new());
        let found: Vec<&str> = faults.iter().map(|fault| fault.column).collect();
        assert_eq!(found, columns);
    }

    #[test]
    fn a_sound_row_is_read() {
        let row = read_with(&[]).unwrap();
        assert_eq!(row.profile.fee, Some(Money::new(1999, Currency::EUR)));
        assert_eq!(row.valid_from.to_string(), "2022-08-31T22:00:00Z");
        assert_eq!(row.payee.unwrap().iban, "IT60X0542811101000000123456");
        let free = [("class", "free"), ("fee", "0.00"), ("fee_period", "")];
        assert_eq!(read_with(&free).unwrap().profile.fee, None);
    }

    #[test]
    fn every_fault_of_a_row_is_found_at_once() {
        check(&[("fee", "19,99")], &["fee"]);
        check(&[("currency", "EURO")], &["currency"]);
        check(&[("fee_period", "")], &["fee_period"]);
        check(&[("class", "free")], &["fee"]);
        check(&[("valid_from", "")], &["valid_from"]);
        check(&[("valid_from", "2022-02-30")], &["valid_from"]);
        check(&[("valid_to", "2023-03-26T02:30:00")], &["valid_to"]);
        check(&[("valid_to", "2022-09-01")], &["valid_to"]);
        check(&[("iban", "IT61X0542811101000000123456")], &["iban"]);
        check(&[("iban", "")], &["iban"]);
        check(&[("segment", "x"), ("class", ""), ("fee", "x")], &["segment", "class", "fee"]);
    }
}
