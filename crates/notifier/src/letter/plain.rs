//! Figures as each language writes them, and words from outside made harmless.

use jiff::ZonedDateTime;
use ristoro_domain::money::Money;

/// The longest word from outside that a letter shows, in characters.
const LONGEST: usize = 60;
/// What no word from outside may hold, in whatever case: mail programs make links of it.
const LINK_MARKS: [&str; 3] = ["http", "www", "mailto"];

/// Makes a word from outside harmless: letters, digits, blanks and hyphens on one line.
///
/// None where nothing is left, or where something is left that a mail program could take for a link.
pub fn plain(text: &str) -> Option<String> {
    let kept = |c: char| if c.is_alphanumeric() || c == '-' { c } else { ' ' };
    let words: String = text.chars().map(kept).collect();
    let words: String =
        words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
    let words = words.trim_end().to_owned();
    let lower = words.to_lowercase();
    let harmless = !words.is_empty() && !LINK_MARKS.iter().any(|mark| lower.contains(mark));
    harmless.then_some(words)
}

/// Writes digits in groups of three.
pub fn grouped(digits: &str, separator: char) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// Writes an amount with its currency's code: `1,234.50 EUR` with a decimal point, `1.234,50 EUR` without.
pub fn amount(money: Money, point: char) -> String {
    let separator = if point == '.' { ',' } else { '.' };
    let exponent = money.currency.exponent() as usize;
    let digits = format!("{:0>width$}", money.minor.unsigned_abs(), width = exponent + 1);
    let (whole, fraction) = digits.split_at(digits.len() - exponent);
    let sign = if money.minor < 0 { "-" } else { "" };
    let whole = grouped(whole, separator);
    let point = if fraction.is_empty() { String::new() } else { format!("{point}{fraction}") };
    format!("{sign}{whole}{point} {}", money.currency.code())
}

/// Writes the time of day with its distance from UTC, so that an hour that the clock shows twice is clear.
pub fn clock(time: &ZonedDateTime) -> String {
    let (seconds, sign) =
        (time.offset().seconds(), if time.offset().is_negative() { '-' } else { '+' });
    let (hours, minutes) = (seconds.unsigned_abs() / 3600, seconds.unsigned_abs() / 60 % 60);
    let offset = match (hours, minutes) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    };
    format!("{:02}:{:02} ({offset})", time.hour(), time.minute())
}

/// Writes a quota in GiB with two decimals, and in bytes.
pub fn quota(bytes: u64, point: char) -> (String, String) {
    const GIB: u128 = 1 << 30;
    let separator = if point == '.' { ',' } else { '.' };
    let hundredths = (u128::from(bytes) * 100 + GIB / 2) / GIB;
    let (whole, fraction) = (hundredths / 100, hundredths % 100);
    let gib = format!("{}{point}{fraction:02} GiB", grouped(&whole.to_string(), separator));
    (gib, grouped(&bytes.to_string(), separator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ristoro_domain::money::Currency;

    #[test]
    fn amounts_are_written_as_each_language_does() {
        let check = |minor: i64, code: &str, point: char, expected: &str| {
            let currency: Currency = code.parse().unwrap();
            assert_eq!(amount(Money::new(minor, currency), point), expected);
        };
        check(3000, "EUR", '.', "30.00 EUR");
        check(3000, "EUR", ',', "30,00 EUR");
        check(5, "EUR", ',', "0,05 EUR");
        check(123_456_789, "EUR", '.', "1,234,567.89 EUR");
        check(123_456_789, "EUR", ',', "1.234.567,89 EUR");
        check(-123_456, "EUR", '.', "-1,234.56 EUR");
        check(1500, "JPY", '.', "1,500 JPY");
        check(1500, "KWD", '.', "1.500 KWD");
    }

    #[test]
    fn quotas_are_written_in_gib_and_bytes() {
        let check = |bytes, gib: &str, exact: &str| {
            assert_eq!(quota(bytes, '.'), (gib.to_owned(), exact.to_owned()));
        };
        check(1_288_490_189, "1.20 GiB", "1,288,490,189");
        check(3_865_470_567, "3.60 GiB", "3,865,470,567");
        check(u64::MAX, "17,179,869,184.00 GiB", "18,446,744,073,709,551,615");
    }

    #[test]
    fn a_time_says_how_far_it_is_from_utc() {
        let check = |text: &str, expected: &str| {
            assert_eq!(clock(&text.parse().unwrap()), expected);
        };
        check("2023-01-23T09:05:00+01:00[Europe/Rome]", "09:05 (UTC+1)");
        check("2023-10-29T02:30:00+02:00[Europe/Rome]", "02:30 (UTC+2)");
        check("2023-01-23T09:05:00+05:45[Asia/Kathmandu]", "09:05 (UTC+5:45)");
        check("2023-01-23T09:05:00-05:00[America/New_York]", "09:05 (UTC-5)");
        check("2023-01-23T09:05:00+00:00[UTC]", "09:05 (UTC)");
    }

    #[test]
    fn words_from_outside_lose_what_could_be_a_link() {
        assert_eq!(plain("Libero\r\nBcc: a@b.it").as_deref(), Some("Libero Bcc a b it"));
        assert_eq!(plain("fibre-1").as_deref(), Some("fibre-1"));
        assert_eq!(plain("see HTTPS://evil.example"), None);
        assert_eq!(plain("WwW.evil.example"), None);
        assert_eq!(plain(" \t\u{202e}"), None);
        assert_eq!(plain(&"x".repeat(200)).unwrap().len(), LONGEST);
    }
}
