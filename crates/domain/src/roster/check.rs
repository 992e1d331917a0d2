//! What makes a row acceptable, whoever sent it: each fault names its column and what to do.

use iban::{Iban, ParseIbanError};

use super::entry::{Contact, ImportRow, Payee, Profile};
use crate::facts::Class;
use crate::time::Instant;

/// Characters of an id at most.
pub const MAXIMUM_ID: usize = 100;
/// Characters of a service, plan or cohort at most.
pub const MAXIMUM_NAME: usize = 64;
/// Characters of an account holder's name at most. EPC132-08, attribute AT-P001.
pub const MAXIMUM_PAYEE_NAME: usize = 70;

/// One thing that is wrong with a row. The reason never quotes personal data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RowFault {
    /// The column, as in the header of an import file.
    pub column: &'static str,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl RowFault {
    /// Makes a fault.
    pub fn new(column: &'static str, reason: impl Into<String>) -> Self {
        Self { column, reason: reason.into() }
    }
}

/// Gives everything that is wrong with a row, in the order of the columns.
#[must_use]
pub fn faults(row: &ImportRow) -> Vec<RowFault> {
    let mut faults = Vec::new();
    check_id("subscription_id", &row.subscription, &mut faults);
    check_id("subscriber_id", &row.subscriber, &mut faults);
    faults.extend(profile_faults(&row.profile));
    faults.extend(period_faults(row.valid_from, row.valid_to));
    faults.extend(contact_faults(&row.contact));
    faults.extend(row.payee.iter().flat_map(payee_faults));
    faults
}

/// Gives what is wrong with a profile.
#[must_use]
pub fn profile_faults(profile: &Profile) -> Vec<RowFault> {
    let mut faults = Vec::new();
    check_name("service", &profile.service, &mut faults);
    check_name("plan", &profile.plan, &mut faults);
    if let Some(cohort) = &profile.cohort {
        check_name("cohort", cohort, &mut faults);
    }
    if let Some(fee) = profile.fee {
        if fee.minor <= 0 {
            let reason = "is not above zero: leave it empty where there is no fee";
            faults.push(RowFault::new("fee", reason));
        } else if profile.class == Class::Free {
            let reason =
                "stands on a row of class free: leave it empty, or name the class that is paid for";
            faults.push(RowFault::new("fee", reason));
        }
    }
    faults
}

/// Gives what is wrong with a period's two ends.
#[must_use]
pub fn period_faults(valid_from: Instant, valid_to: Option<Instant>) -> Vec<RowFault> {
    let mut faults = Vec::new();
    check_seconds("valid_from", valid_from, &mut faults);
    if let Some(end) = valid_to {
        check_seconds("valid_to", end, &mut faults);
        if end <= valid_from {
            let reason = format!(
                "{end} is not after valid_from {valid_from}: the end is the first instant outside"
            );
            faults.push(RowFault::new("valid_to", reason));
        }
    }
    faults
}

/// Gives what is wrong with a contact.
#[must_use]
pub fn contact_faults(contact: &Contact) -> Vec<RowFault> {
    let mut faults = Vec::new();
    if contact.email.as_deref().is_some_and(|email| !is_email(email)) {
        faults.push(RowFault::new("email", "is no address: write one such as name@example.org"));
    }
    if contact.phone.as_deref().is_some_and(|phone| !is_phone(phone)) {
        let reason = "is no E.164 number: write + and 7 to 15 digits, such as +390612345678";
        faults.push(RowFault::new("phone", reason));
    }
    if contact.locale.as_deref().is_some_and(|locale| !is_locale(locale)) {
        faults
            .push(RowFault::new("locale", "is no language tag: write one such as it, en or de-AT"));
    }
    faults
}

/// Gives what is wrong with a payee.
#[must_use]
pub fn payee_faults(payee: &Payee) -> Vec<RowFault> {
    let mut faults = Vec::new();
    if let Err(problem) = payee.iban.parse::<Iban>() {
        let reason = match problem {
            ParseIbanError::InvalidBaseIban { .. } => {
                "is no IBAN: its form or check digits are wrong, so a character is wrong or two are swapped"
            }
            ParseIbanError::InvalidBban(_) => "is no IBAN: its length or form is not its country's",
            ParseIbanError::UnknownCountry(_) => "is no IBAN: its country has none",
        };
        faults.push(RowFault::new("iban", reason));
    }
    let length = payee.name.chars().count();
    if payee.name.trim().is_empty() || length > MAXIMUM_PAYEE_NAME || has_control(&payee.name) {
        let reason = format!(
            "has {length} characters: an account needs its holder's name, 1 to {MAXIMUM_PAYEE_NAME} characters"
        );
        faults.push(RowFault::new("payee_name", reason));
    }
    faults
}

/// Brings an account number to the form that it is kept in: without blanks, in upper case.
#[must_use]
pub fn compact_iban(text: &str) -> String {
    let compact = text.chars().filter(|character| !character.is_whitespace());
    compact.map(|character| character.to_ascii_uppercase()).collect()
}

fn check_id(column: &'static str, id: &str, faults: &mut Vec<RowFault>) {
    let length = id.chars().count();
    if length == 0 || length > MAXIMUM_ID {
        let reason = format!("has {length} characters: write 1 to {MAXIMUM_ID}");
        faults.push(RowFault::new(column, reason));
    } else if id.trim() != id || has_control(id) {
        faults.push(RowFault::new(
            column,
            "has blanks at an end or a control character: remove them",
        ));
    }
}

fn check_name(column: &'static str, name: &str, faults: &mut Vec<RowFault>) {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > MAXIMUM_NAME || !name.bytes().all(allowed) {
        let reason = format!(
            "{name:?} is no name: write 1 to {MAXIMUM_NAME} lower-case letters, digits and hyphens"
        );
        faults.push(RowFault::new(column, reason));
    }
}

/// Gives what is wrong with the time of a change.
#[must_use]
pub fn change_faults(column: &'static str, instant: Instant) -> Vec<RowFault> {
    let mut faults = Vec::new();
    check_seconds(column, instant, &mut faults);
    faults
}

/// Batches keep whole seconds; a finer time would be cut silently.
fn check_seconds(column: &'static str, instant: Instant, faults: &mut Vec<RowFault>) {
    if instant.subsec_nanosecond() != 0 {
        faults.push(RowFault::new(column, format!("{instant} is not a whole second: round it")));
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// A look at the form, not at whether the address exists: one @, something on both sides, a dot in the domain.
fn is_email(text: &str) -> bool {
    let odd = text.len() > 254 || text.chars().any(|c| c.is_whitespace() || c.is_control());
    let Some((local, domain)) = text.split_once('@') else { return false };
    let labels = domain.split('.').collect::<Vec<_>>();
    let sound = labels.len() >= 2 && labels.iter().all(|label| !label.is_empty());
    !odd && !local.is_empty() && local.len() <= 64 && !domain.contains('@') && sound
}

fn is_phone(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let sound = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && text.len() <= 35
        && parts.all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Money};
    use crate::roster::tests::row;
    use std::sync::Arc;

    #[track_caller]
    fn check(change: impl FnOnce(&mut ImportRow), columns: &[&str]) {
        let mut row = row("p1", "s1");
        change(&mut row);
        let found: Vec<&str> = faults(&row).iter().map(|fault| fault.column).collect();
        assert_eq!(found, columns);
    }

    fn payee(iban: &str, name: &str) -> Option<Payee> {
        Some(Payee { iban: iban.into(), name: name.into() })
    }

    #[test]
    fn a_sound_row_has_no_fault() {
        check(|_| {}, &[]);
        check(|row| row.payee = payee("IT60X0542811101000000123456", "Ada Rossi"), &[]);
        check(|row| row.contact.email = Some("ada@posta.example".into()), &[]);
        check(|row| row.contact.locale = Some("de-AT".into()), &[]);
    }

    #[test]
    fn each_fault_names_its_column() {
        check(|row| row.subscription = String::new(), &["subscription_id"]);
        check(|row| row.subscriber = " p1".into(), &["subscriber_id"]);
        check(|row| Arc::make_mut(&mut row.profile).service = "Libero".into(), &["service"]);
        check(|row| Arc::make_mut(&mut row.profile).class = Class::Free, &["fee"]);
        check(
            |row| Arc::make_mut(&mut row.profile).fee = Some(Money::new(-1, Currency::EUR)),
            &["fee"],
        );
        check(|row| row.valid_to = Some(row.valid_from), &["valid_to"]);
        check(|row| row.valid_from = "2022-09-01T00:00:00.5Z".parse().unwrap(), &["valid_from"]);
        check(|row| row.contact.email = Some("ada@@example.org".into()), &["email"]);
        check(|row| row.contact.email = Some("ada@localhost".into()), &["email"]);
        check(|row| row.contact.phone = Some("0612345678".into()), &["phone"]);
        check(|row| row.contact.locale = Some("Italian".into()), &["locale"]);
        check(|row| row.payee = payee("IT61X0542811101000000123456", "Ada"), &["iban"]);
        check(|row| row.payee = payee("IT60X054281110100000012345", "Ada"), &["iban"]);
        check(|row| row.payee = payee("IT60X0542811101000000123456", ""), &["payee_name"]);
    }

    #[test]
    fn a_reason_never_quotes_an_account_or_an_address() {
        let mut row = row("p1", "s1");
        row.payee = payee("IT61X0542811101000000123456", "");
        row.contact.email = Some("secret".into());
        for fault in faults(&row) {
            assert!(!fault.reason.contains("0542811101") && !fault.reason.contains("secret"));
        }
    }
}
