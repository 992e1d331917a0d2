//! What people and programs see of a simulation, whole.

use ristoro_domain::money::Money;
use ristoro_domain::remedy::{Grant, Payer, Remedy, RemedyKind};
use ristoro_domain::totals::Totals;
use ristoro_proto::google::r#type::Money as MoneyMessage;
use ristoro_proto::types::totals_out;
use ristoro_runtime::edge::money_message;

use super::*;

fn money(amount: &str) -> Money {
    let (currency, amount) = amount.split_once(' ').unwrap();
    Money::parse(amount, currency.parse().unwrap()).unwrap()
}

fn message(amount: &str) -> MoneyMessage {
    money_message(money(amount))
}

/// Gives totals of (amount, people) and so many people who get nothing.
fn totals(amounts: &[(&str, u64)], nothing: u64) -> Option<ristoro_proto::log::v1::Totals> {
    let mut totals = Totals::default();
    for (amount, people) in amounts {
        let (kind, grant) = (RemedyKind::Indemnity, Grant::Money(money(amount)));
        totals.add(&[Remedy { kind, grant, payer: Payer::Operator }], *people).unwrap();
    }
    totals.add(&[], nothing).unwrap();
    Some(totals_out(&totals))
}

fn simulation(policy: &str, amounts: &[(&str, u64)], zero: (&str, u64)) -> api::Simulation {
    let (reason, nothing) = zero;
    let group = |dimension: &str, value: &str| api::SimulationGroup {
        dimension: dimension.to_owned(),
        value: value.to_owned(),
        totals: totals(amounts, nothing),
    };
    let bucket = |(amount, count): &(&str, u64)| api::AmountBucket {
        amount: Some(message(amount)),
        count: *count,
    };
    api::Simulation {
        policy: format!("policies/{policy}/versions/1"),
        totals: totals(amounts, nothing),
        groups: vec![group("class", "principal"), group("payer", "operator")],
        amounts: amounts.iter().map(bucket).collect(),
        zeros: vec![api::ZeroReason { reason: reason.to_owned(), count: nothing }],
        ..api::Simulation::default()
    }
}

fn grounds(rules: &[&str], reason: &str) -> Option<api::Grounds> {
    let rules = rules.iter().map(|&rule| rule.to_owned()).collect();
    Some(api::Grounds { rules, reason: reason.to_owned() })
}

fn comparison() -> api::Comparison {
    let change = |people, sums: &[&str]| {
        Some(api::Change { people, sums: sums.iter().map(|sum| message(sum)).collect() })
    };
    api::Comparison {
        first: "policies/agcom-347-18/versions/1".to_owned(),
        other: "policies/ofcom/versions/1".to_owned(),
        gain: change(0, &[]),
        loss: change(1, &["EUR 12.00"]),
        same: 0,
        incomparable: 3,
        drivers: vec![
            api::Driver {
                effect: api::Effect::Incomparable.into(),
                first: grounds(&["outage-days"], ""),
                other: grounds(&["delayed-repair", "late-start"], ""),
                people: 3,
                differences: vec![message("EUR -90.00"), message("GBP 25.20")],
            },
            api::Driver {
                effect: api::Effect::Loss.into(),
                first: grounds(&["outage-days"], ""),
                other: grounds(&[], "NOTHING_COUNTED"),
                people: 1,
                differences: vec![message("EUR -12.00")],
            },
        ],
        more_drivers: 2,
        rest: change(5, &["EUR 0.50"]),
    }
}

fn simulated() -> api::SimulateAssessmentResponse {
    let assumptions = ["mailbox taken for broadband", "nothing was granted before"];
    let nothing = "nothing was granted before".to_owned();
    let italy = api::Simulation {
        assumptions: vec![nothing],
        ..simulation("agcom-347-18", &[("EUR 30.00", 3), ("EUR 12.00", 1)], ("NOT_AFFECTED", 2))
    };
    let kingdom = api::Simulation {
        assumptions: assumptions.map(str::to_owned).into(),
        ..simulation("ofcom", &[("GBP 8.40", 3)], ("NOTHING_COUNTED", 3))
    };
    let flights = api::Simulation {
        policy: "policies/eu-261/versions/1".to_owned(),
        not_applicable: "it counts passengers".to_owned(),
        ..api::Simulation::default()
    };
    api::SimulateAssessmentResponse {
        simulations: vec![italy, flights, kingdom],
        comparisons: vec![comparison()],
        ..api::SimulateAssessmentResponse::default()
    }
}

#[test]
fn people_see_policies_side_by_side_then_each_then_who_gains() {
    let text = text(&simulated());
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let expected = include_str!("tests.txt");
    assert_eq!(lines.join("\n"), expected.trim_end(), "\n{text}");
}

#[test]
fn one_policy_has_no_table_of_its_own() {
    let mut simulated = simulated();
    simulated.simulations.truncate(1);
    assert!(text(&simulated).starts_with("policies/agcom-347-18/versions/1\n  4 of 6 people;"));
}

#[test]
fn programs_see_the_same() {
    let expected: Value = serde_json::from_str(include_str!("tests.json")).unwrap();
    let found = whole(&simulated());
    assert_eq!(found, expected, "\n{found:#}");
}
