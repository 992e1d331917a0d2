//! Subscriptions as messages, and rows of an import as the domain's.

use std::sync::Arc;

use jiff::Span;
use jiff::tz::TimeZone;
use ristoro_domain::facts::{Account, FeePeriod, Period};
use ristoro_domain::roster::check::{RowFault, compact_iban};
use ristoro_domain::roster::{ImportRow, Payee, Profile};
use ristoro_domain::time::Instant;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::subscriber::{
    class_in, class_out, contact_in, fee_period_in, fee_period_out, payee_in, segment_in,
    segment_out,
};
use ristoro_proto::types::timestamp;
use ristoro_runtime::edge;
use ristoro_runtime::status::invalid;
use tonic::Status;

use super::entitlement::SUBSCRIPTION;
use crate::projections::person::PersonRow;
use crate::projections::subscription::RosterRow;

/// Reads a row; what the domain checks is left to it.
///
/// # Errors
/// What cannot even be read.
pub fn import_row(row: api::SubscriptionRow) -> Result<ImportRow, Vec<RowFault>> {
    let mut faults = Vec::new();
    let segment = segment_in(row.segment);
    if segment.is_none() {
        faults.push(RowFault::new("segment", "is not set: write consumer or business"));
    }
    let class = class_in(row.class);
    if class.is_none() {
        faults.push(RowFault::new("class", "is not set: write principal, accessory or free"));
    }
    let fee = row.fee.as_ref().map(|fee| edge::non_negative_money("fee", Some(fee)));
    let fee = fee.transpose().unwrap_or_else(|status| {
        faults.push(RowFault::new("fee", status.message()));
        None
    });
    let mut time = |column, value: Option<&prost_types::Timestamp>| {
        edge::optional_instant(column, value).unwrap_or_else(|status| {
            faults.push(RowFault::new(column, status.message()));
            None
        })
    };
    let valid_from = time("valid_from", row.valid_from.as_ref());
    let valid_to = time("valid_to", row.valid_to.as_ref());
    if row.valid_from.is_none() {
        faults.push(RowFault::new("valid_from", "is missing: write when the plan began"));
    }
    let (Some(segment), Some(class), Some(valid_from), true) =
        (segment, class, valid_from, faults.is_empty())
    else {
        return Err(faults);
    };
    let profile = Profile {
        service: row.service,
        plan: row.plan,
        segment,
        class,
        cohort: Some(row.cohort).filter(|cohort| !cohort.is_empty()),
        fee,
        fee_period: fee_period_in(row.fee_period).unwrap_or(FeePeriod::Month),
    };
    Ok(ImportRow {
        subscription: row.subscription_id,
        subscriber: row.subscriber_id,
        profile: Arc::new(profile),
        valid_from,
        valid_to,
        contact: contact_in(row.contact.unwrap_or_default()),
        payee: payee(row.payee),
    })
}

/// Reads a payee; blanks in an account are how people write it. An empty account is none.
#[must_use]
pub fn payee(payee: Option<api::Payee>) -> Option<Payee> {
    let payee = payee_in(payee.unwrap_or_default())?;
    Some(Payee { iban: compact_iban(&payee.iban), ..payee })
}

/// Reads an account, as it can be known at a time.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub fn account_in(account: &api::Account, known_at: Instant) -> Result<Account, Status> {
    let unpaid_since = edge::optional_date("account.unpaid_since", &account.unpaid_since)?;
    // Somewhere on Earth it is tomorrow already.
    let tomorrow = TimeZone::UTC.to_datetime(known_at).date().saturating_add(Span::new().days(1));
    if let Some(day) = unpaid_since.filter(|day| *day > tomorrow) {
        let problem = format!("is {day}, in the future: no such invoice is unpaid yet");
        return Err(invalid("account.unpaid_since", problem));
    }
    if let Some(bytes) = account.quota_bytes.filter(|bytes| i64::try_from(*bytes).is_err()) {
        let problem = format!("is {bytes}: write at most {}", i64::MAX);
        return Err(invalid("account.quota_bytes", problem));
    }
    Ok(Account {
        in_arrears: account.in_arrears,
        unpaid_since,
        quota_bytes: account.quota_bytes,
        term_end: edge::optional_date("account.term_end", &account.term_end)?,
    })
}

/// Writes a subscription as a list shows it.
#[must_use]
pub fn listed(row: &RosterRow) -> api::Subscription {
    let subscription = &row.subscription;
    let period = |period: &Period| api::SubscriptionPeriod {
        plan: period.plan.clone(),
        fee: period.fee.map(edge::money_message),
        fee_period: fee_period_out(period.fee_period).into(),
        valid_from: Some(timestamp(period.window.from)),
        valid_to: period.window.to.map(timestamp),
    };
    api::Subscription {
        name: edge::format_name(SUBSCRIPTION, &[&row.subscriber, &subscription.id]),
        number: row.number,
        service: subscription.service.clone(),
        segment: segment_out(subscription.segment).into(),
        class: class_out(subscription.class).into(),
        cohort: subscription.cohort.clone().unwrap_or_default(),
        periods: subscription.periods.iter().map(period).collect(),
        ..api::Subscription::default()
    }
}

/// How personal data is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// As it is, to the role `support`.
    Clear,
    /// With most of its characters hidden.
    Masked,
}

/// Writes a subscription with its person; addresses and accounts are masked unless they may be seen.
#[must_use]
pub fn shown(
    row: &RosterRow,
    reports: &[(Instant, String)],
    person: &PersonRow,
    sight: Sight,
) -> api::Subscription {
    let text = |value: Option<&String>| {
        let value = value.cloned().unwrap_or_default();
        match sight {
            Sight::Clear => value,
            Sight::Masked => masked(&value),
        }
    };
    let report = |(at, component): &(Instant, String)| api::TroubleReport {
        component: component.clone(),
        reported_at: Some(timestamp(*at)),
    };
    let payee = person
        .payee
        .as_ref()
        .map(|payee| api::Payee { iban: text(Some(&payee.iban)), name: text(Some(&payee.name)) });
    let contact = &person.contact;
    api::Subscription {
        reports: reports.iter().map(report).collect(),
        contact: Some(api::Contact {
            email: text(contact.email.as_ref()),
            phone: text(contact.phone.as_ref()),
            locale: contact.locale.clone().unwrap_or_default(),
        }),
        payee,
        etag: person.stream_version.to_string(),
        ..listed(row)
    }
}

/// Hides all but the first and the last two characters.
fn masked(text: &str) -> String {
    let count = text.chars().count();
    let hide = |(place, letter): (usize, char)| {
        if place == 0 || place + 2 >= count { letter } else { '*' }
    };
    if count < 6 { "*".repeat(count) } else { text.chars().enumerate().map(hide).collect() }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_is_masked_cannot_be_read() {
        assert_eq!(masked("ada@example.org"), "a************rg");
        assert_eq!(masked("short"), "*****");
        assert_eq!(masked(""), "");
    }
}
