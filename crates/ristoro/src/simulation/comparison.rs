//! Who gains and who loses if one policy stands in the place of another, for people and as JSON.

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::google::r#type::Money as MoneyMessage;
use ristoro_runtime::edge;
use serde_json::{Value, json};

use super::overview::short;
use crate::output::table;
use crate::values;

const EFFECT: &str = "EFFECT_";

/// Makes the JSON of a comparison.
pub fn value(comparison: &api::Comparison) -> Value {
    json!({
        "first": comparison.first,
        "other": comparison.other,
        "gain": change(comparison.gain.as_ref()),
        "loss": change(comparison.loss.as_ref()),
        "same": comparison.same,
        "incomparable": comparison.incomparable,
        "drivers": comparison.drivers.iter().map(driver).collect::<Vec<_>>(),
        "more_drivers": comparison.more_drivers,
        "rest": change(comparison.rest.as_ref()),
    })
}

fn change(change: Option<&api::Change>) -> Value {
    change
        .map_or(Value::Null, |change| json!({"people": change.people, "sums": sums(&change.sums)}))
}

fn sums(sums: &[MoneyMessage]) -> Value {
    sums.iter().map(|sum| values::money(Some(sum))).collect()
}

fn driver(driver: &api::Driver) -> Value {
    json!({
        "effect": values::word(driver.effect().as_str_name(), EFFECT),
        "first": grounds(driver.first.as_ref()),
        "other": grounds(driver.other.as_ref()),
        "people": driver.people,
        "differences": sums(&driver.differences),
    })
}

fn grounds(grounds: Option<&api::Grounds>) -> Value {
    grounds.map_or(
        Value::Null,
        |grounds| json!({"rules": grounds.rules, "reason": values::optional(&grounds.reason)}),
    )
}

/// Writes a comparison for people.
pub fn text(comparison: &api::Comparison) -> String {
    let (first, other) = (short(&comparison.first), short(&comparison.other));
    let mut lines = vec![format!("{other} in the place of {first}")];
    let gain = comparison.gain.clone().unwrap_or_default();
    let loss = comparison.loss.clone().unwrap_or_default();
    let mut people = vec![
        format!("{} people gain{}", gain.people, space(&amounts(&gain.sums))),
        format!("{} lose{}", loss.people, space(&amounts(&loss.sums))),
        format!("{} get the same money", comparison.same),
    ];
    if comparison.incomparable > 0 {
        people.push(format!("{} get other currencies", comparison.incomparable));
    }
    lines.push(format!("  {}", people.join(", ")));
    let mut drivers = table(&["effect", "people", "difference", &first, &other]);
    for driver in &comparison.drivers {
        drivers.add_row([
            values::word(driver.effect().as_str_name(), EFFECT).to_lowercase(),
            driver.people.to_string(),
            amounts(&driver.differences),
            grounds_text(driver.first.as_ref()),
            grounds_text(driver.other.as_ref()),
        ]);
    }
    lines.push(drivers.trim_fmt());
    if let Some(rest) = comparison.rest.as_ref().filter(|_| comparison.more_drivers > 0) {
        let (more, people) = (comparison.more_drivers, rest.people);
        let sum = space(&amounts(&rest.sums));
        lines.push(format!("  and {more} more groups of {people} people:{sum}"));
    }
    lines.join("\n")
}

fn amounts(sums: &[MoneyMessage]) -> String {
    let amounts = sums.iter().filter_map(|sum| edge::money("sum", Some(sum)).ok());
    amounts.map(|amount| amount.to_string()).collect::<Vec<_>>().join("; ")
}

/// Puts a space before what is there.
fn space(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {text}") }
}

fn grounds_text(grounds: Option<&api::Grounds>) -> String {
    grounds.map_or_else(String::new, |grounds| match grounds.reason.is_empty() {
        true => grounds.rules.join(", "),
        false => format!("nothing: {}", grounds.reason),
    })
}
