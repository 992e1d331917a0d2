//! Conversion of the small messages that events of several contexts share.

use jiff::civil::Date;
use prost_types::Timestamp;
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::remedy::{Carried, Grant, Payer, Reason, Remedy, RemedyKind, TraceLine};
use ristoro_domain::time::{Instant, Window};
use ristoro_domain::totals::{GrantTotal, TotalKey, Totals, grant_type};

use crate::log::v1 as wire;
use crate::wire::WireError;

/// Makes the error for a field that no writer of ours fills like this.
#[must_use]
pub fn bad(kind: &'static str, field: &'static str, problem: impl ToString) -> WireError {
    WireError::Field { kind, field, problem: problem.to_string() }
}

/// Takes a field that must be there.
///
/// # Errors
/// `Field` where it is missing.
pub fn required<T>(
    value: Option<T>,
    kind: &'static str,
    field: &'static str,
) -> Result<T, WireError> {
    value.ok_or_else(|| bad(kind, field, "is missing"))
}

/// Writes an instant.
#[must_use]
pub fn timestamp(instant: Instant) -> Timestamp {
    let (second, nanos) = (instant.as_second(), instant.subsec_nanosecond());
    // Before 1970 the fraction is negative here; protobuf counts it forward from the earlier second.
    let (seconds, nanos) =
        if nanos < 0 { (second - 1, nanos + 1_000_000_000) } else { (second, nanos) };
    Timestamp { seconds, nanos }
}

/// Reads an instant.
///
/// # Errors
/// `Field` where it is out of range.
pub fn instant(
    value: &Timestamp,
    kind: &'static str,
    field: &'static str,
) -> Result<Instant, WireError> {
    Instant::new(value.seconds, value.nanos).map_err(|error| bad(kind, field, error))
}

/// Writes a day as YYYY-MM-DD; none is empty.
#[must_use]
pub fn date_out(date: Option<Date>) -> String {
    date.map_or_else(String::new, |date| date.to_string())
}

/// Reads a day; empty is none.
///
/// # Errors
/// `Field` where it is no day.
pub fn date_in(
    text: &str,
    kind: &'static str,
    field: &'static str,
) -> Result<Option<Date>, WireError> {
    let date = (!text.is_empty()).then(|| text.parse().map_err(|error| bad(kind, field, error)));
    date.transpose()
}

/// Writes a window.
#[must_use]
pub fn window_out(window: &Window) -> wire::Window {
    wire::Window { from: Some(timestamp(window.from)), to: window.to.map(timestamp) }
}

/// Reads a window.
///
/// # Errors
/// `Field` where the start is missing or the end is not after it.
pub fn window_in(
    window: &wire::Window,
    kind: &'static str,
    field: &'static str,
) -> Result<Window, WireError> {
    let from = required(window.from.as_ref(), kind, field)?;
    let to = window.to.as_ref().map(|to| instant(to, kind, field)).transpose()?;
    Window::new(instant(from, kind, field)?, to).map_err(|error| bad(kind, field, error))
}

/// Writes an amount.
#[must_use]
pub fn amount_out(money: Money) -> wire::Amount {
    wire::Amount { minor: money.minor, currency: money.currency.code().to_owned() }
}

/// Reads an amount.
///
/// # Errors
/// `Field` where the currency is unknown.
pub fn amount_in(
    amount: &wire::Amount,
    kind: &'static str,
    field: &'static str,
) -> Result<Money, WireError> {
    let currency: Currency = amount.currency.parse().map_err(|error| bad(kind, field, error))?;
    Ok(Money::new(amount.minor, currency))
}

/// Writes a remedy's legal nature.
#[must_use]
pub fn kind_out(kind: RemedyKind) -> wire::RemedyKind {
    match kind {
        RemedyKind::Indemnity => wire::RemedyKind::Indemnity,
        RemedyKind::Refund => wire::RemedyKind::Refund,
        RemedyKind::Damages => wire::RemedyKind::Damages,
        RemedyKind::Goodwill => wire::RemedyKind::Goodwill,
    }
}

/// Reads a remedy's legal nature.
///
/// # Errors
/// `Field` where it is not set or not known.
pub fn kind_in(number: i32) -> Result<RemedyKind, WireError> {
    match wire::RemedyKind::try_from(number) {
        Ok(wire::RemedyKind::Indemnity) => Ok(RemedyKind::Indemnity),
        Ok(wire::RemedyKind::Refund) => Ok(RemedyKind::Refund),
        Ok(wire::RemedyKind::Damages) => Ok(RemedyKind::Damages),
        Ok(wire::RemedyKind::Goodwill) => Ok(RemedyKind::Goodwill),
        Ok(wire::RemedyKind::Unspecified) | Err(_) => {
            Err(bad("Remedy", "kind", format!("is {number}")))
        }
    }
}

/// Writes a remedy.
#[must_use]
pub fn remedy_out(remedy: &Remedy) -> wire::Remedy {
    use wire::remedy::Grant as Out;
    let grant = match &remedy.grant {
        Grant::Money(money) => Out::Money(amount_out(*money)),
        Grant::Credit(money) => Out::Credit(amount_out(*money)),
        Grant::Voucher(money) => Out::Voucher(amount_out(*money)),
        Grant::Term { months, days, new_end } => {
            Out::Term(wire::TermGrant { months: *months, days: *days, new_end: date_out(*new_end) })
        }
        Grant::Quota { bytes } => Out::Quota(wire::QuotaGrant { bytes: *bytes }),
    };
    let payer = match remedy.payer {
        Payer::Operator => wire::Payer::Operator,
        Payer::Fund => wire::Payer::Fund,
    };
    wire::Remedy { kind: kind_out(remedy.kind).into(), payer: payer.into(), grant: Some(grant) }
}

/// Reads a remedy.
///
/// # Errors
/// `Field` where something is missing or not known.
pub fn remedy_in(remedy: &wire::Remedy) -> Result<Remedy, WireError> {
    use wire::remedy::Grant as In;
    const KIND: &str = "Remedy";
    let grant = match required(remedy.grant.as_ref(), KIND, "grant")? {
        In::Money(amount) => Grant::Money(amount_in(amount, KIND, "money")?),
        In::Credit(amount) => Grant::Credit(amount_in(amount, KIND, "credit")?),
        In::Voucher(amount) => Grant::Voucher(amount_in(amount, KIND, "voucher")?),
        In::Term(term) => {
            let new_end = date_in(&term.new_end, KIND, "term.new_end")?;
            Grant::Term { months: term.months, days: term.days, new_end }
        }
        In::Quota(quota) => Grant::Quota { bytes: quota.bytes },
    };
    let payer = match wire::Payer::try_from(remedy.payer) {
        Ok(wire::Payer::Operator) => Payer::Operator,
        Ok(wire::Payer::Fund) => Payer::Fund,
        Ok(wire::Payer::Unspecified) | Err(_) => {
            return Err(bad(KIND, "payer", format!("is {}", remedy.payer)));
        }
    };
    Ok(Remedy { kind: kind_in(remedy.kind)?, grant, payer })
}

/// Writes a reason.
#[must_use]
pub fn reason_out(reason: &Reason) -> wire::Reason {
    let line = |line: &TraceLine| wire::TraceLine {
        rule: line.rule.clone(),
        source: line.source.clone(),
        text: line.text.clone(),
        quantity: line.quantity.clone(),
        unit: line.unit.clone(),
        rate: line.rate.clone(),
        before_rounding: line.before_rounding.clone(),
        amount: line.amount.map(amount_out),
        excluded: line.excluded.clone(),
    };
    wire::Reason {
        remedies: reason.remedies.iter().map(remedy_out).collect(),
        trace: reason.trace.iter().map(line).collect(),
        carried: reason.carried.iter().map(carried_out).collect(),
    }
}

fn carried_out(carried: &Carried) -> wire::Carried {
    wire::Carried {
        kind: kind_out(carried.kind).into(),
        before: Some(amount_out(carried.before)),
        left: Some(amount_out(carried.left)),
    }
}

fn carried_in(carried: &wire::Carried) -> Result<Carried, WireError> {
    const KIND: &str = "Carried";
    Ok(Carried {
        kind: kind_in(carried.kind)?,
        before: amount_in(required(carried.before.as_ref(), KIND, "before")?, KIND, "before")?,
        left: amount_in(required(carried.left.as_ref(), KIND, "left")?, KIND, "left")?,
    })
}

/// Reads a reason.
///
/// # Errors
/// `Field` where something is missing or not known.
pub fn reason_in(reason: &wire::Reason) -> Result<Reason, WireError> {
    let line = |line: &wire::TraceLine| -> Result<TraceLine, WireError> {
        let amount = line.amount.as_ref().map(|found| amount_in(found, "TraceLine", "amount"));
        Ok(TraceLine {
            rule: line.rule.clone(),
            source: line.source.clone(),
            text: line.text.clone(),
            quantity: line.quantity.clone(),
            unit: line.unit.clone(),
            rate: line.rate.clone(),
            before_rounding: line.before_rounding.clone(),
            amount: amount.transpose()?,
            excluded: line.excluded.clone(),
        })
    };
    Ok(Reason {
        remedies: reason.remedies.iter().map(remedy_in).collect::<Result<_, _>>()?,
        trace: reason.trace.iter().map(line).collect::<Result<_, _>>()?,
        carried: reason.carried.iter().map(carried_in).collect::<Result<_, _>>()?,
    })
}

/// Writes totals.
#[must_use]
pub fn totals_out(totals: &Totals) -> wire::Totals {
    let grant = |(key, sum): (&TotalKey, &GrantTotal)| wire::GrantTotal {
        kind: kind_out(key.kind).into(),
        grant: key.grant.to_owned(),
        count: sum.count,
        amount: key.currency.map(|currency| amount_out(Money::new(sum.minor, currency))),
    };
    wire::Totals {
        count: totals.count,
        entitled: totals.entitled,
        grants: totals.grants.iter().map(grant).collect(),
    }
}

/// Reads totals.
///
/// # Errors
/// `Field` where something is missing or not known.
pub fn totals_in(totals: &wire::Totals) -> Result<Totals, WireError> {
    const KIND: &str = "Totals";
    let mut read = Totals { count: totals.count, entitled: totals.entitled, ..Totals::default() };
    for sum in &totals.grants {
        let amount = sum.amount.as_ref().map(|found| amount_in(found, KIND, "grants.amount"));
        let amount = amount.transpose()?;
        let key = TotalKey {
            kind: kind_in(sum.kind)?,
            grant: required(grant_type(&sum.grant), KIND, "grants.grant")?,
            currency: amount.map(|money| money.currency),
        };
        let minor = amount.map_or(0, |money| money.minor);
        read.grants.insert(key, GrantTotal { count: sum.count, minor });
    }
    Ok(read)
}

/// Reads the 32 bytes of a SHA-256.
///
/// # Errors
/// `Field` where the length differs.
pub fn digest_in(
    bytes: &[u8],
    kind: &'static str,
    field: &'static str,
) -> Result<[u8; 32], WireError> {
    bytes.try_into().map_err(|_| bad(kind, field, format!("has {} bytes, not 32", bytes.len())))
}
