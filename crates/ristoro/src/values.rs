//! Messages as the JSON that is printed; amounts and remedies look as `ristoro policy assess` writes them.

use jiff::Timestamp;
use ristoro_domain::money::Money;
use ristoro_domain::remedy::{Grant, Reason, Remedy, TraceLine};
use ristoro_domain::totals::{GrantTotal, TotalKey};
use ristoro_proto::google::r#type::Money as MoneyMessage;
use ristoro_proto::log::v1 as wire;
use ristoro_proto::types::{reason_in, remedy_in, totals_in};
use ristoro_runtime::edge;
use serde_json::{Map, Value, json};

/// An amount as an exact decimal with its currency; null where there is none.
pub fn money(message: Option<&MoneyMessage>) -> Value {
    message
        .and_then(|message| edge::money("amount", Some(message)).ok())
        .map_or(Value::Null, amount)
}

/// One amount less another of the same currency; null where one is missing or they do not fit.
pub fn difference(more: Option<&MoneyMessage>, less: Option<&MoneyMessage>) -> Value {
    let read = |message: Option<&MoneyMessage>| edge::money("amount", message).ok();
    let minor = read(more).zip(read(less)).and_then(|(more, less)| {
        let fits = more.currency == less.currency;
        let minor = fits.then(|| more.minor.checked_sub(less.minor)).flatten()?;
        Some(Money::new(minor, more.currency))
    });
    minor.map_or(Value::Null, amount)
}

fn amount(money: Money) -> Value {
    json!({"amount": money.decimal(), "currency": money.currency.code()})
}

/// A time in RFC 3339; null where there is none.
pub fn time(message: Option<&prost_types::Timestamp>) -> Value {
    let time = message.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    time.map_or(Value::Null, |time| Value::from(time.to_string()))
}

/// A text, or null where it is empty.
pub fn optional(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::from(text) }
}

/// A remedy: its nature, what is given and who bears it; null where it cannot be read.
pub fn remedy(message: Option<&wire::Remedy>) -> Value {
    let remedy = message.and_then(|message| remedy_in(message).ok());
    remedy.as_ref().map_or(Value::Null, of_remedy)
}

fn of_remedy(remedy: &Remedy) -> Value {
    json!({"kind": remedy.kind.name(), "grant": grant(&remedy.grant), "payer": remedy.payer.name()})
}

fn grant(grant: &Grant) -> Value {
    let value = match grant {
        Grant::Money(money) | Grant::Credit(money) | Grant::Voucher(money) => amount(*money),
        Grant::Term { months, days, new_end } => {
            let end = new_end.map(|end| end.to_string());
            json!({"months": months, "days": days, "new_end": end})
        }
        Grant::Quota { bytes } => json!({"bytes": bytes}),
    };
    Value::Object(Map::from_iter([(grant.type_name().to_owned(), value)]))
}

/// A remedy in words: `goodwill: a term longer by 6 months`.
pub fn remedy_text(message: Option<&wire::Remedy>) -> String {
    let remedy = message.and_then(|message| remedy_in(message).ok());
    remedy.map_or_else(String::new, |remedy| {
        format!("{}: {}", remedy.kind.name(), grant_text(&remedy.grant))
    })
}

/// Says what is given.
pub fn grant_text(grant: &Grant) -> String {
    match grant {
        Grant::Money(money) => money.to_string(),
        Grant::Credit(money) => format!("a credit of {money}"),
        Grant::Voucher(money) => format!("a voucher of {money}"),
        Grant::Term { months, days, new_end } => {
            let mut length = Vec::new();
            for (count, unit) in [(months, "month"), (days, "day")] {
                match count {
                    0 => {}
                    1 => length.push(format!("1 {unit}")),
                    _ => length.push(format!("{count} {unit}s")),
                }
            }
            let end = new_end.map_or_else(String::new, |date| format!(", until {date}"));
            format!("a term longer by {}{end}", length.join(" and "))
        }
        Grant::Quota { bytes } => format!("storage of {bytes} bytes"),
    }
}

/// What is owed and why; null where it cannot be read.
pub fn reason(message: Option<&wire::Reason>) -> Value {
    let reason = message.and_then(|message| reason_in(message).ok());
    reason.as_ref().map_or(Value::Null, of_reason)
}

fn of_reason(reason: &Reason) -> Value {
    let remedies: Vec<Value> = reason.remedies.iter().map(of_remedy).collect();
    let trace: Vec<Value> = reason.trace.iter().map(trace_line).collect();
    json!({"remedies": remedies, "trace": trace})
}

fn trace_line(line: &TraceLine) -> Value {
    let texts = [
        ("rule", &line.rule),
        ("source", &line.source),
        ("text", &line.text),
        ("quantity", &line.quantity),
        ("unit", &line.unit),
        ("rate", &line.rate),
        ("before_rounding", &line.before_rounding),
        ("excluded", &line.excluded),
    ];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let mut fields: Map<String, Value> =
        texts.map(|(key, text)| (key.to_owned(), Value::from(text.as_str()))).collect();
    if let Some(money) = line.amount {
        fields.insert("amount".to_owned(), amount(money));
    }
    Value::Object(fields)
}

/// Totals by legal nature and sort of grant; null where there are none.
pub fn totals(message: Option<&wire::Totals>) -> Value {
    let Some(totals) = message.and_then(|totals| totals_in(totals).ok()) else {
        return Value::Null;
    };
    let sum = |(key, sum): (&TotalKey, &GrantTotal)| {
        let money = key.currency.map(|currency| Money::new(sum.minor, currency));
        json!({"kind": key.kind.name(), "grant": key.grant, "people": sum.count, "sum": money.map(amount)})
    };
    let grants: Vec<Value> = totals.grants.iter().map(sum).collect();
    json!({"people": totals.count, "entitled": totals.entitled, "grants": grants})
}

/// The word of an enum's value: `PAYOUT_STATE_HELD` without the prefix.
pub fn word(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// The name of an enum's value by its word, however it is written: the inverse of `word`.
pub fn named(prefix: &str, word: &str) -> String {
    format!("{prefix}{}", word.to_ascii_uppercase())
}

/// The words of all values of an enum that can be asked for: all but the first, which is never sent.
pub fn words(prefix: &str, name: impl Fn(i32) -> Option<&'static str>) -> Vec<&'static str> {
    (1..).map_while(name).map(|name| word(name, prefix)).collect()
}

#[cfg(test)]
mod tests {
    use ristoro_domain::money::Currency;
    use ristoro_domain::remedy::{Payer, RemedyKind};
    use ristoro_proto::payout::v1::PayoutState;
    use ristoro_proto::types::remedy_out;

    use super::*;

    fn remedy_of(grant: Grant) -> wire::Remedy {
        remedy_out(&Remedy { kind: RemedyKind::Goodwill, payer: Payer::Operator, grant })
    }

    #[test]
    fn a_remedy_is_written_as_a_policy_s_case_is() {
        let message = remedy_of(Grant::Money(Money::new(1234, Currency::EUR)));
        let expected = json!({
            "kind": "goodwill", "payer": "operator",
            "grant": {"money": {"amount": "12.34", "currency": "EUR"}}
        });
        assert_eq!(remedy(Some(&message)), expected);
    }

    #[test]
    fn terms_are_said_without_what_they_do_not_have() {
        let term = |months, days| {
            remedy_text(Some(&remedy_of(Grant::Term { months, days, new_end: None })))
        };
        assert_eq!(term(6, 0), "goodwill: a term longer by 6 months");
        assert_eq!(term(1, 2), "goodwill: a term longer by 1 month and 2 days");
    }

    #[test]
    fn words_are_those_of_the_enum() {
        let name = |number| PayoutState::try_from(number).ok().map(|state| state.as_str_name());
        let words = words("PAYOUT_STATE_", name);
        assert_eq!((words[0], words.len()), ("ORDERED", 13));
    }

    #[test]
    fn a_time_is_rfc_3339_and_absent_as_null() {
        let message = prost_types::Timestamp { seconds: 1_674_432_000, nanos: 0 };
        assert_eq!(time(Some(&message)), json!("2023-01-23T00:00:00Z"));
        assert_eq!(time(None), Value::Null);
    }
}
