//! What is wrong with a call is said before anybody is asked, with the exit code that scripts look at.

use crate::stack::call;

fn check(arguments: &[&str], code: i32, expected: &str) {
    let called = call(&[("RISTORO_TOKEN", "x")], arguments);
    assert_eq!(called.code, code, "{arguments:?}: {}", called.stderr);
    assert!(called.stderr.contains(expected), "{arguments:?}: {}", called.stderr);
    assert_eq!(called.stdout, "", "what is wrong is no result");
}

#[test]
fn endpoints_that_are_none_are_a_usage_error() {
    for (endpoint, expected) in [
        ("127.0.0.1:50051", "\"127.0.0.1:50051\" is no address: write http://HOST:PORT"),
        (
            "ledger=http://127.0.0.1:1",
            "\"ledger\" is no service: write outage, eligibility, payout or notifier",
        ),
        ("payout=http://127.0.0.1:1,payout=http://127.0.0.1:2", "payout is given twice"),
        ("http://127.0.0.1:1,http://127.0.0.1:2", "has no name: write NAME=http://HOST:PORT"),
    ] {
        check(&["ledger", "check", "--endpoint", endpoint], 2, expected);
        let play = ["demo", "play", "libero-2023", "--tokens", "t.toml", "--endpoint", endpoint];
        check(&play, 2, expected);
    }
}

#[test]
fn nobody_who_answers_is_a_service_that_is_down() {
    let nobody = ["--endpoint", "http://127.0.0.1:1"];
    let expected = "ristoro: nothing answers at http://127.0.0.1:1";
    for verb in [
        &["ledger", "check"][..],
        &["payment-file", "list"],
        &["projection", "list"],
        &["poison", "list"],
        &["assessment", "simulate", "--outage", "o", "--policies", "p"],
        &["notice", "list", "--assessment", "a"],
    ] {
        check(&[verb, &nobody].concat(), 69, expected);
    }
}

#[test]
fn a_caller_without_a_token_is_told_how_to_give_one() {
    let called = call(&[], &["ledger", "check"]);
    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("no token is given: set RISTORO_TOKEN"), "{}", called.stderr);
}

#[test]
fn words_that_are_none_are_named_with_those_that_are() {
    let list = ["payout", "list", "--assessment", "a", "--state", "lost"];
    check(&list, 2, "[possible values: ORDERED, VOIDED, RELEASED, HELD,");
    check(&["projection", "rebuild"], 2, "--all");
    check(&["projection", "rebuild", "--all", "--service", "payout"], 2, "cannot be used with");
    check(&["projection", "switch", "payout/2"], 1, "payout/2 names no schema");
    check(&["ledger", "check", "--output", "yaml"], 2, "invalid value 'yaml'");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let submit = ["signals", "submit", "--feed", "f", "--format", "gatus", "no-such-file.json"];
    check(&submit, 1, "no-such-file.json cannot be read");
}
