//! Several policies on one case: worked example G4, and that the order of policies changes nothing.

use super::super::{Policy, shipped};
use super::*;
use crate::remedy::Grant;

/// The fee of the days without service, as a small policy written for this test (worked example L3: 0.27 EUR).
const REFUND: &str = r#"
id = "refund"
version = "1"
title = "The fee of days without service"
source = "test"
valid_from = 2020-01-01
zone = "Europe/Rome"
currency = "EUR"
version_selector = "outage_start"
rounding = { mode = "half_up", point = "line" }
trigger = { mode = "automatic", source = "test" }
exclusions = { force_majeure = "covered", planned = "covered", customer = "covered", arrears = "covered" }
components = { mailbox = "principal" }
concurrence = { indemnity = "cumulative", refund = "set_off", damages = "cumulative", goodwill = "cumulative" }

[conventions]
day_count = "local_days"
restoration_day = "counts"
accessory = "absorbed"
signed_knowing = "covered"
relapse_merge_minutes = 0
minimum_minutes = 0

[[rule]]
id = "fee"
kind = "refund"
source = "test"
count = { unit = "local_day" }
amount = { formula = "fee_share", base = "days_in_year" }
"#;

const CASE: &str = r#"{"name": "G4",
  "subscription": {"service": "libero-mail", "term_end": "2023-08-31",
    "periods": [{"plan": "plus-5gb", "fee": "19.99", "fee_period": "year", "from": "2022-09-01"}]},
  "outage": {"impacts": [{"component": "mailbox", "severity": "total", "from": "2023-01-23", "to": "2023-01-27T16:00"}]},
  "reports": [{"at": "2023-01-23T09:00"}], "concurrence": "MODE"}"#;

fn policies() -> Vec<Policy> {
    let mut policies: Vec<Policy> = shipped()
        .iter()
        .filter(|one| ["agcom-347-18", "libero-2023"].contains(&one.id))
        .map(|one| Policy::parse(one.file, one.text).unwrap())
        .collect();
    policies.push(Policy::parse("refund.toml", REFUND).unwrap());
    policies
}

/// Gives the remedies in words, after trying all rotations of the policies.
#[track_caller]
fn check(mode: &str, expected: &[&str]) {
    let case = parse_cases(&CASE.replace("MODE", mode)).unwrap().remove(0);
    let mut policies = policies();
    let first = run(&policies, &case);
    for _ in 0..policies.len() {
        policies.rotate_left(1);
        assert_eq!(run(&policies, &case), first);
    }
    let reason = first.decision.unwrap();
    let shown = reason.remedies.iter().map(|remedy| match &remedy.grant {
        Grant::Money(money) => format!("{} {money}", remedy.kind.name()),
        Grant::Credit(_) | Grant::Voucher(_) | Grant::Term { .. } | Grant::Quota { .. } => {
            format!("{} {}", remedy.kind.name(), remedy.grant.type_name())
        }
    });
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    let owed: i64 =
        reason.remedies.iter().filter_map(|one| one.grant.amount()).map(|one| one.minor).sum();
    let lines: i64 =
        reason.trace.iter().filter_map(|line| line.amount).map(|money| money.minor).sum();
    assert_eq!(owed, lines);
}

#[test]
fn g4_several_policies_add_up_or_the_best_wins_or_the_excess_counts() {
    check("cumulative", &["indemnity 30.00 EUR", "refund 0.27 EUR", "goodwill term"]);
    check("best_of", &["indemnity 30.00 EUR"]);
    check("set_off", &["indemnity 30.00 EUR", "goodwill term"]);
}

#[test]
fn an_estimate_can_win_and_a_tie_goes_to_the_lower_id() {
    let case = parse_cases(&CASE.replace("MODE", "best_of")).unwrap().remove(0);
    let all = policies();
    let without_agcom = run(&all[1..], &case).decision.unwrap();
    assert!(matches!(&without_agcom.remedies[0].grant, Grant::Term { months: 6, .. }));
    let twin = REFUND.replace("\"refund\"\nversion", "\"a-twin\"\nversion");
    let twins = [all[2].clone(), Policy::parse("twin.toml", &twin).unwrap()];
    let tie = run(&twins, &case).decision.unwrap();
    assert_eq!(tie.trace[0].rule, "a-twin/fee");
    assert_eq!(tie.trace[1].excluded, "NOT_THE_BEST");
}

/// The sole remedy drops what the others give of its kinds, whatever the mode; where it gives nothing the others stand.
#[test]
fn beside_a_sole_remedy_nothing_else_of_its_kind_is_given() {
    let case = |mode: &str| parse_cases(&CASE.replace("MODE", mode)).unwrap().remove(0);
    let text = REFUND.replace("indemnity = \"cumulative\"", "indemnity = \"sole_remedy\"");
    let all = policies();
    let sole = Policy::parse("refund.toml", &text).unwrap();
    for mode in ["cumulative", "best_of", "set_off"] {
        // agcom's indemnity of 30.00 is dropped, libero's goodwill is of another kind.
        let policies = [all[0].clone(), sole.clone()];
        let reason = run(&policies, &case(mode)).decision.unwrap();
        let kinds: Vec<&str> = reason.remedies.iter().map(|one| one.kind.name()).collect();
        assert_eq!(kinds, ["refund"], "{mode}");
        let dropped: Vec<_> =
            reason.trace.iter().filter(|line| line.excluded == "SOLE_REMEDY").collect();
        // Under best_of only the best one's lines are told.
        assert_eq!(dropped.len(), usize::from(mode != "best_of"), "{mode}");
        let lines: i64 =
            reason.trace.iter().filter_map(|line| line.amount).map(|one| one.minor).sum();
        assert_eq!(lines, 27, "{mode}");
    }
    let with_goodwill = [all[1].clone(), sole.clone()];
    assert_eq!(run(&with_goodwill, &case("cumulative")).decision.unwrap().remedies.len(), 2);
    let nothing = text.replace("mailbox = \"principal\"", "other = \"principal\"");
    let nothing = [all[0].clone(), Policy::parse("refund.toml", &nothing).unwrap()];
    let reason = run(&nothing, &case("cumulative")).decision.unwrap();
    assert_eq!(reason.remedies.len(), 1);
    // What another policy granted before leaves nothing, as under unitary.
    let granted = CASE.replace("MODE", "cumulative").replace(
        "\"concurrence\"",
        "\"granted\": [{\"kind\": \"indemnity\", \"amount\": \"0.01\", \"currency\": \"EUR\", \"policy\": \"p\"}], \"concurrence\"",
    );
    let reason = run(&[sole], &parse_cases(&granted).unwrap().remove(0)).decision.unwrap();
    assert_eq!(reason.remedies, []);
}

#[test]
fn no_policy_is_refused_and_one_refusal_refuses_all() {
    let text = CASE.replace("MODE", "cumulative").replace("\"2023-01-27T16:00\"", "null");
    let open = parse_cases(&text).unwrap().remove(0);
    assert_eq!(run(&policies(), &open).decision.unwrap_err().reason, "OUTAGE_STILL_OPEN");
    assert_eq!(run(&[], &open).decision.unwrap_err().reason, "INVALID_CASE");
}
