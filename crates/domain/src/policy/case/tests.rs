//! Runs every case file beside the shipped policies, and checks what the JSON looks like.

use super::super::{Policy, shipped};
use super::*;

fn policy(id: &str) -> Policy {
    let shipped = shipped().iter().find(|shipped| shipped.id == id).unwrap();
    Policy::parse(shipped.file, shipped.text).unwrap()
}

/// The trace's lines sum to what is owed in money, credits and vouchers.
fn sums_up(reason: &Reason) -> bool {
    let owed: i64 = reason
        .remedies
        .iter()
        .filter_map(|remedy| remedy.grant.amount())
        .map(|money| money.minor)
        .sum();
    let lines: i64 =
        reason.trace.iter().filter_map(|line| line.amount).map(|money| money.minor).sum();
    owed == lines
}

#[test]
fn every_case_beside_a_shipped_policy_gives_what_it_expects() {
    let mut failures = Vec::new();
    for shipped in shipped() {
        let policy = policy(shipped.id);
        assert_eq!(policy.id(), shipped.id);
        assert_eq!(shipped.file, format!("{}.toml", shipped.id));
        let cases =
            parse_cases(shipped.cases).unwrap_or_else(|error| panic!("{}: {error}", shipped.id));
        assert!(cases.len() >= 5, "{} has only {} cases", shipped.id, cases.len());
        for case in &cases {
            assert!(case.expect.is_some(), "{:?} expects nothing", case.name);
            let outcome = run(std::slice::from_ref(&policy), case);
            assert_eq!(outcome, run(std::slice::from_ref(&policy), case));
            if let Some(difference) = &outcome.difference {
                failures.push(format!("{}: {}: {difference}", shipped.id, case.name));
            }
            let Ok(reason) = &outcome.decision else { continue };
            if !sums_up(reason) {
                failures.push(format!("{}: {}: the lines do not sum up", shipped.id, case.name));
            }
            let explained = reason.trace.iter().any(|line| !line.excluded.is_empty());
            if reason.remedies.is_empty() && !explained {
                failures.push(format!("{}: {}: an unexplained zero", shipped.id, case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

const A1: &str = r#"{"name": "A1",
  "subscription": {"service": "libero-mail",
    "periods": [{"plan": "plus-5gb", "fee": "19.99", "fee_period": "year", "from": "2022-09-01"}]},
  "outage": {"impacts": [{"component": "mailbox", "severity": "total", "from": "2023-01-23", "to": "2023-01-27T16:00"}]},
  "reports": [{"at": "2023-01-23T09:00"}]}"#;

#[test]
fn a_decision_is_written_as_documented() {
    let cases = parse_cases(A1).unwrap();
    let outcome = run(&[policy("agcom-347-18")], &cases[0]);
    let json = serde_json::to_string(&outcome).unwrap();
    let head = r#"{"name":"A1","remedies":[{"kind":"indemnity","grant":{"money":{"amount":"30.00","currency":"EUR"}},"payer":"operator"}],"trace":["#;
    assert!(json.starts_with(head), "{json}");
    let line = r#"{"rule":"outage-days","source":"AGCOM 347/18/CONS, annex A, art. 6","text":"total outage: mailbox, 2023-01-23 to 2023-01-27","quantity":"5","unit":"local_day","rate":"6.00","before_rounding":"30.00","amount":{"amount":"30.00","currency":"EUR"}}"#;
    assert!(json.contains(line), "{json}");
}

#[test]
fn a_refusal_is_written_as_documented() {
    let text = A1.replace("2023-01-27T16:00", "2023-10-29T02:30");
    let outcome = run(&[policy("agcom-347-18")], &parse_cases(&text).unwrap()[0]);
    let json = serde_json::to_string(&outcome).unwrap();
    assert!(
        json.starts_with(
            r#"{"name":"A1","refused":"AMBIGUOUS_LOCAL_TIME","message":"outage.impacts.to: "#
        ),
        "{json}"
    );
    assert!(!outcome.is_good());
}

#[test]
fn an_unknown_field_is_refused_with_its_place() {
    let text = A1.replace("\"segment\"", "\"sector\"").replace("\"component\"", "\"part\"");
    let error = parse_cases(&text).unwrap_err();
    assert!(error.to_string().starts_with("line 4, column 32: unknown field `part`"), "{error}");
    assert!(parse_cases("[{}]").is_err());
    assert!(parse_cases("").is_err());
    assert_eq!(parse_cases("[]"), Ok(Vec::new()));
}

#[test]
fn a_difference_is_told() {
    let text = A1.replace(
        "\"reports\"",
        r#""expect": {"remedies": [{"kind": "indemnity", "grant": {"money": {"amount": "24.00", "currency": "EUR"}}}]}, "reports""#,
    );
    let outcome = run(&[policy("agcom-347-18")], &parse_cases(&text).unwrap()[0]);
    let difference = outcome.difference.as_deref().unwrap();
    assert!(difference.contains("24.00") && difference.contains("30.00"), "{difference}");
    assert!(!outcome.is_good());
}
