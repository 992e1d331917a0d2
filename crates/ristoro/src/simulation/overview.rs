//! Policies side by side, a line each, and what was taken for granted so that they apply.

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::types::totals_in;

use super::statistics::{Statistics, statistics};
use crate::output::table;

/// Writes a line for each policy that applies, then why the others do not, and what the letters stand for.
pub fn overview(simulations: &[api::Simulation]) -> String {
    let applies = |one: &&api::Simulation| one.not_applicable.is_empty();
    let mut assumed: Vec<&str> = Vec::new();
    for what in simulations.iter().flat_map(|simulation| &simulation.assumptions) {
        if !assumed.contains(&what.as_str()) {
            assumed.push(what);
        }
    }
    let mut header = vec!["policy", "people", "total", "mean", "largest"];
    if !assumed.is_empty() {
        header.push("assumed");
    }
    let mut rows = table(&header);
    for simulation in simulations.iter().filter(applies) {
        let mut row = of_policy(simulation);
        if !assumed.is_empty() {
            let place = |what: &String| assumed.iter().position(|one| one == what);
            let mut places: Vec<usize> = simulation.assumptions.iter().filter_map(place).collect();
            places.sort_unstable();
            let letters: Vec<String> = places.into_iter().map(letter).collect();
            row.push(letters.join(" "));
        }
        rows.add_row(row);
    }
    let mut lines = vec![rows.trim_fmt()];
    for simulation in simulations.iter().filter(|one| !applies(one)) {
        let (policy, why) = (short(&simulation.policy), &simulation.not_applicable);
        lines.push(format!("{policy}: not applicable: {why}"));
    }
    let legend = (0..).zip(&assumed).map(|(place, what)| format!("  {}  {what}", letter(place)));
    lines.extend(legend);
    lines.join("\n")
}

fn of_policy(simulation: &api::Simulation) -> Vec<String> {
    let totals = simulation.totals.as_ref().and_then(|totals| totals_in(totals).ok());
    let totals = totals.unwrap_or_default();
    let mut sums: Vec<String> =
        totals.amounts().unwrap_or_default().iter().map(ToString::to_string).collect();
    let others = totals.grants.iter().filter(|(key, _)| key.currency.is_none());
    sums.extend(others.map(|(key, sum)| format!("{} to {}", key.grant, sum.count)));
    let distributions = statistics(simulation);
    let each = |figure: fn(&Statistics) -> String| {
        distributions.iter().map(figure).collect::<Vec<_>>().join("; ")
    };
    vec![
        short(&simulation.policy),
        format!("{} of {}", totals.entitled, totals.count),
        if sums.is_empty() { "nothing".to_owned() } else { sums.join("; ") },
        each(|one| one.mean.to_string()),
        each(|one| one.largest.to_string()),
    ]
}

/// Gives a policy's id without its version.
pub(super) fn short(policy: &str) -> String {
    let id = policy.strip_prefix("policies/").unwrap_or(policy);
    id.split_once("/versions/").map_or(id, |(id, _)| id).to_owned()
}

/// Gives the letter of a place: a to z, then a1, b1.
fn letter(place: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(place % 26).expect("it is below 26"));
    match place / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}
