//! Resource names, such as `subscribers/{subscriber}/subscriptions/{subscription}`.
//!
//! Ids are the providers' own, so anything can stand in them; a name holds them percent-encoded.

use std::fmt::Write;

use tonic::Status;

use crate::edge::id;
use crate::status::invalid;

/// Between subscriber and subscription in a segment that needs both.
const SEPARATOR: char = '~';

/// Writes the name of a resource. `pattern` is such as `assessments/{assessment}/entitlements/{subscription}`.
///
/// # Panics
/// Where the pattern has not as many variables as there are ids: that is a fault of the caller's code.
#[must_use]
pub fn format_name(pattern: &str, ids: &[&str]) -> String {
    let mut rest = ids.iter();
    let mut segments = Vec::new();
    for segment in pattern.split('/') {
        if segment.starts_with('{') {
            segments.push(encode(rest.next().expect("the pattern has one variable for each id")));
        } else {
            segments.push(segment.to_owned());
        }
    }
    assert!(rest.next().is_none(), "the pattern {pattern} has one variable for each id");
    segments.join("/")
}

/// Reads the ids out of a resource name of this pattern, in the pattern's order.
///
/// # Errors
/// INVALID_ARGUMENT naming `field` and the pattern: another shape, a malformed escape, or no id.
pub fn parse_name<const COUNT: usize>(
    field: &str,
    pattern: &str,
    name: &str,
) -> Result<[String; COUNT], Status> {
    let bad = || invalid(field, format!("is not of the form {pattern}"));
    let (expected, given): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), name.split('/').collect());
    if expected.len() != given.len() {
        return Err(bad());
    }
    let mut ids = Vec::with_capacity(COUNT);
    for (expected, given) in expected.into_iter().zip(given) {
        if expected.starts_with('{') {
            let decoded = decode(given).ok_or_else(bad)?;
            id(field, &decoded)?;
            ids.push(decoded);
        } else if expected != given {
            return Err(bad());
        }
    }
    ids.try_into().map_err(|_| bad())
}

/// A subscription where it stands in one segment: `{subscription}` alone, or `{subscriber}~{subscription}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SubscriptionKey {
    /// The subscriber's id, where the subscription's alone is not unique.
    pub subscriber: Option<String>,
    /// The subscription's id.
    pub subscription: String,
}

impl SubscriptionKey {
    /// Writes the segment.
    #[must_use]
    pub fn segment(&self) -> String {
        match &self.subscriber {
            Some(subscriber) => {
                format!("{}{SEPARATOR}{}", encode(subscriber), encode(&self.subscription))
            }
            None => encode(&self.subscription),
        }
    }
}

/// Reads a name whose pattern has two variables, the second a subscription: `assessments/{a}/payouts/{s}`.
///
/// # Errors
/// INVALID_ARGUMENT naming `field` and the pattern.
pub fn subscription_key(
    field: &str,
    pattern: &str,
    name: &str,
) -> Result<(String, SubscriptionKey), Status> {
    let bad = || invalid(field, format!("is not of the form {pattern}"));
    // The separator counts only where it is not percent-encoded, so the last segment is cut before decoding.
    let (parent, segment) = name.rsplit_once('/').ok_or_else(bad)?;
    let (subscriber, subscription) = match segment.split_once(SEPARATOR) {
        Some((subscriber, subscription)) => (Some(subscriber), subscription),
        None => (None, segment),
    };
    let [first, subscription] = parse_name(field, pattern, &format!("{parent}/{subscription}"))?;
    let subscriber = match subscriber {
        Some(encoded) => {
            let decoded = decode(encoded).ok_or_else(bad)?;
            id(field, &decoded)?;
            Some(decoded)
        }
        None => None,
    };
    Ok((first, SubscriptionKey { subscriber, subscription }))
}

/// Encodes everything but letters, digits, `-`, `_` and `.`; so never what separates segments or ids.
fn encode(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    text
}

/// Decodes; none where an escape is cut off or malformed, or where the bytes are no UTF-8.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIPTION: &str = "subscribers/{subscriber}/subscriptions/{subscription}";
    const ENTITLEMENT: &str = "assessments/{assessment}/entitlements/{subscription}";

    #[test]
    fn names_read_back_whatever_the_ids_hold() {
        for (subscriber, subscription) in
            [("a", "b"), ("a/b", "c~d"), ("50%", "è@x.it"), ("+", "%2F")]
        {
            let name = format_name(SUBSCRIPTION, &[subscriber, subscription]);
            assert_eq!(name.matches('/').count(), 3, "{name}");
            let ids: [String; 2] = parse_name("name", SUBSCRIPTION, &name).unwrap();
            assert_eq!(ids, [subscriber, subscription]);
        }
        assert_eq!(
            format_name(SUBSCRIPTION, &["a/b", "x~y"]),
            "subscribers/a%2Fb/subscriptions/x%7Ey"
        );
    }

    #[test]
    fn a_subscription_s_segment_names_its_subscriber_where_it_must() {
        let check = |subscriber: Option<&str>, subscription: &str| {
            let key = SubscriptionKey {
                subscriber: subscriber.map(str::to_owned),
                subscription: subscription.to_owned(),
            };
            let name = format!("assessments/x/entitlements/{}", key.segment());
            let read = subscription_key("name", ENTITLEMENT, &name).unwrap();
            assert_eq!(read, ("x".to_owned(), key));
        };
        check(None, "s-1");
        check(None, "s~1");
        check(Some("p~q"), "s/1");
    }

    #[test]
    fn what_is_no_such_name_is_refused() {
        for name in [
            "",
            "subscribers/a",
            "subscribers/a/subscriptions/",
            "subscribers//subscriptions/b",
            "subscribers/a/plans/b",
            "subscribers/a/subscriptions/b/c",
            "subscribers/a/subscriptions/%2",
            "subscribers/a/subscriptions/%zz",
            "subscribers/a/subscriptions/%ff",
            "subscribers/a/subscriptions/%+1",
        ] {
            let read = parse_name::<2>("name", SUBSCRIPTION, name);
            let message = read.unwrap_err().message().to_owned();
            assert!(message.starts_with("name: is "), "{name:?}: {message}");
        }
        assert!(subscription_key("name", ENTITLEMENT, "assessments/x/entitlements/~b").is_err());
        assert!(subscription_key("name", ENTITLEMENT, "assessments/x/entitlements/a~").is_err());
    }
}
