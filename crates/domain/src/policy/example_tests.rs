//! Worked examples that are no case beside a policy, and that every example with a number is tested at all.

use super::case::{parse_cases, run};
use super::regime_tests::{check, small};
use super::{Policy, shipped};

const SHARE: &str = "kind = \"refund\"\ncount = { unit = \"local_day\" }\n";

/// A case of days without service, with a fee.
fn days(fee: &str, currency: &str, from: &str, to: &str, mode: &str, owed: &str) -> String {
    format!(
        r#"{{"name": "c", "subscription": {{"service": "s", "periods": [{{"plan": "p", {fee}, "currency": "{currency}", "from": "2022-01-01"}}]}},
        "outage": {{"impacts": [{{"component": "mailbox", "severity": "total", "from": "{from}", "to": "{to}"}}]}},
        "conventions": {{"rounding_mode": "{mode}"}},
        "expect": {{"remedies": [{{"kind": "refund", "grant": {{"money": {{"amount": "{owed}", "currency": "{currency}"}}}}}}]}}}}"#
    )
}

/// Five days of 19.99 a year over 365 days (x 0.25 where each day is rounded to 0.05 first).
#[test]
fn l3_five_days_of_a_yearly_fee() {
    let rule = format!("{SHARE}amount = {{ formula = \"fee_share\", base = \"days_in_year\" }}\n");
    let fee = r#""fee": "19.99", "fee_period": "year""#;
    let case = days(fee, "EUR", "2023-01-23", "2023-01-28", "half_up", "0.27");
    check(&small("EUR", &rule), &case);
}

/// 1.225 EUR, 1,234.5 JPY and 1.2345 KWD: a tie of the last digit that the currency has, whichever that is.
#[test]
fn g1_ties_are_rounded_to_the_digits_of_the_currency() {
    let rule = format!("{SHARE}amount = {{ formula = \"fee_share\", base = \"30_360\" }}\n");
    let ties = [
        ("EUR", "36.75", "1.23", "1.22"),
        ("JPY", "37035", "1235", "1234"),
        ("KWD", "37.035", "1.235", "1.234"),
        ("CLF", "3.7035", "0.1235", "0.1234"),
    ];
    for (currency, fee, half_up, half_even) in ties {
        let policy = small(currency, &rule);
        let fee = format!(r#""fee": "{fee}", "fee_period": "month""#);
        for (mode, owed) in [("half_up", half_up), ("half_even", half_even)] {
            check(&policy, &days(&fee, currency, "2023-01-23", "2023-01-24", mode, owed));
        }
    }
}

/// A1 amended after 30.00 were paid, its end moved to 26 January: 24.00 are owed, and the 6.00 are not claimed back. What
/// was decided stays as it is.
#[test]
fn g9_an_amendment_after_the_payment_takes_nothing_back() {
    let agcom = shipped().iter().find(|one| one.id == "agcom-347-18").unwrap();
    let agcom = Policy::parse(agcom.file, agcom.text).unwrap();
    let case = |to: &str, granted: &str, expect: &str| {
        format!(
            r#"{{"name": "G9", "subscription": {{"service": "libero-mail", "periods": [{{"plan": "plus-5gb", "from": "2022-09-01"}}]}},
            "outage": {{"declared": true, "impacts": [{{"component": "mailbox", "severity": "total", "from": "2023-01-23", "to": "{to}"}}]}},
            "granted": [{granted}], "expect": {{{expect}}}}}"#
        )
    };
    let owed = |amount: &str| {
        format!(
            r#""remedies": [{{"kind": "indemnity", "grant": {{"money": {{"amount": "{amount}", "currency": "EUR"}}}}}}]"#
        )
    };
    let granted =
        r#"{"kind": "indemnity", "amount": "30.00", "currency": "EUR", "policy": "agcom-347-18"}"#;
    check(&agcom, &case("2023-01-27T16:00", "", &owed("30.00")));
    let nothing = r#""remedies": [], "excluded": ["ALREADY_GRANTED", "OVERPAID_WAIVED"]"#;
    check(&agcom, &case("2023-01-26T16:00", granted, nothing));
    check(&agcom, &case("2023-01-28T16:00", granted, &owed("6.00")));
    let amended = parse_cases(&case("2023-01-26T16:00", granted, nothing)).unwrap().remove(0);
    let reason = run(std::slice::from_ref(&agcom), &amended).decision.unwrap();
    let waived = reason.trace.iter().find(|line| line.excluded == "OVERPAID_WAIVED").unwrap();
    assert!(waived.text.starts_with("6.00 EUR more was granted"), "{}", waived.text);
    // Nothing at all is owed any more, and nothing is claimed back either.
    let none = r#""remedies": [], "excluded": ["BELOW_MINIMUM_DURATION", "OVERPAID_WAIVED"]"#;
    check(&agcom, &case("2023-01-23T00:10", granted, none));
}

/// Every worked example is the name of a case beside a policy, or of a test.
#[test]
fn every_worked_example_is_tested_by_its_number() {
    let in_cases = [
        "L1", "L2", "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A9", "A10", "A13", "A14", "T2",
        "T3", "T5", "O1", "O2", "O5", "O6", "E1", "E2", "E4", "E5", "E7", "S1", "S3", "S5", "S6",
        "S7", "S8", "U1", "U2", "U3",
    ];
    let names: Vec<String> = shipped()
        .iter()
        .flat_map(|one| serde_json::from_str::<Vec<serde_json::Value>>(one.cases).unwrap())
        .map(|case| case["name"].as_str().unwrap().to_owned())
        .collect();
    for number in in_cases {
        let head = format!("{number} ");
        assert!(names.iter().any(|name| name.starts_with(&head)), "{number} is no case");
    }
    let in_tests = [
        ("fn l3_", include_str!("example_tests.rs")),
        ("fn g1_", include_str!("example_tests.rs")),
        ("fn g4_", include_str!("case/combine_tests.rs")),
        ("fn g5_", include_str!("regime_tests.rs")),
        ("fn g8_", include_str!("regime_tests.rs")),
        ("fn g9_", include_str!("example_tests.rs")),
        ("Case G10:", include_str!("../signal/tests.rs")),
    ];
    for (name, text) in in_tests {
        // This list itself is no test.
        let found = text.lines().filter(|line| line.trim_start().starts_with(name));
        let as_comment =
            text.lines().filter(|line| line.trim_start().starts_with(&format!("/// {name}")));
        assert!(found.chain(as_comment).next().is_some(), "{name} is no test");
    }
}
