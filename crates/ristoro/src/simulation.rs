//! What policies would give, side by side: for people, as JSON, and as a picture.

mod comparison;
mod overview;
mod picture;
mod statistics;

use std::fmt::Write as _;

use anyhow::Result;
use ristoro_proto::eligibility::v1 as api;
use serde_json::{Value, json};

pub use self::overview::overview;
pub use self::picture::svg;
use self::statistics::{Statistics, statistics};
use crate::output::{Output, line, print_list, print_one, table};
use crate::values;
use crate::verbs::assessment::totals_text;

/// The widest bar of a histogram, in characters.
const BAR: u64 = 40;

/// Prints what policies would give, in the wanted form.
///
/// # Errors
/// Where nobody reads any more.
pub fn print(output: Output, simulated: &api::SimulateAssessmentResponse) -> Result<()> {
    match output {
        Output::Table => line(&text(simulated)),
        Output::Json => print_one(output, &whole(simulated)),
        Output::Ndjson => {
            let comparisons = simulated.comparisons.iter().map(comparison::value);
            let all: Vec<Value> =
                simulated.simulations.iter().map(value).chain(comparisons).collect();
            print_list(output, &all, &[])
        }
    }
}

/// Makes the JSON of all simulations with their comparisons.
fn whole(simulated: &api::SimulateAssessmentResponse) -> Value {
    let simulations: Value = simulated.simulations.iter().map(value).collect();
    let comparisons: Value = simulated.comparisons.iter().map(comparison::value).collect();
    json!({"simulations": simulations, "comparisons": comparisons})
}

/// Makes the JSON of a simulation.
fn value(simulation: &api::Simulation) -> Value {
    let group = |group: &api::SimulationGroup| {
        let totals = values::totals(group.totals.as_ref());
        json!({"by": group.dimension, "group": group.value, "totals": totals})
    };
    let bucket = |bucket: &api::AmountBucket| json!({"amount": values::money(bucket.amount.as_ref()), "people": bucket.count});
    let zero = |zero: &api::ZeroReason| json!({"reason": zero.reason, "people": zero.count});
    json!({
        "policy": simulation.policy,
        "totals": values::totals(simulation.totals.as_ref()),
        "statistics": statistics(simulation).iter().map(Statistics::value).collect::<Vec<_>>(),
        "digest": simulation.digest,
        "groups": simulation.groups.iter().map(group).collect::<Vec<_>>(),
        "amounts": simulation.amounts.iter().map(bucket).collect::<Vec<_>>(),
        "zeros": simulation.zeros.iter().map(zero).collect::<Vec<_>>(),
        "assumptions": simulation.assumptions,
        "not_applicable": values::optional(&simulation.not_applicable),
    })
}

/// Writes simulations for people: side by side, then each by itself, then who gains and who loses.
pub fn text(simulated: &api::SimulateAssessmentResponse) -> String {
    let mut text = String::new();
    if simulated.simulations.len() > 1 {
        text = format!("{}\n\n", overview(&simulated.simulations));
    }
    for simulation in &simulated.simulations {
        write(&mut text, &of_one(simulation));
    }
    for comparison in &simulated.comparisons {
        write(&mut text, &comparison::text(comparison));
    }
    text.trim_end().to_owned()
}

/// Writes a part and an empty line after it.
fn write(text: &mut String, part: &str) {
    writeln!(text, "{part}\n").expect("writing to a string does not fail");
}

/// Writes what one policy gives: totals, people by group, and the distribution of amounts.
fn of_one(simulation: &api::Simulation) -> String {
    let mut lines = vec![simulation.policy.clone()];
    if !simulation.not_applicable.is_empty() {
        lines.push(format!("  not applicable: {}", simulation.not_applicable));
        return lines.join("\n");
    }
    lines.push(format!("  {}", totals_text(simulation.totals.as_ref())));
    lines.extend(simulation.assumptions.iter().map(|what| format!("  assumed: {what}")));
    let mut groups = table(&["by", "group", "gives"]);
    for group in &simulation.groups {
        let totals = totals_text(group.totals.as_ref());
        groups.add_row([group.dimension.as_str(), group.value.as_str(), totals.as_str()]);
    }
    lines.push(groups.trim_fmt());
    for distribution in statistics(simulation) {
        lines.push(format!("  {}", distribution.text()));
        let bars = distribution.bars();
        let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
        for (label, count) in bars {
            let bar = "#".repeat(length(count, most));
            lines.push(format!("  {label:>16}  {bar:<40}  {count} people"));
        }
    }
    for zero in &simulation.zeros {
        lines.push(format!("  nothing because of {}: {} people", zero.reason, zero.count));
    }
    lines.join("\n")
}

/// Gives a bar's length: at least one character where anybody is in it.
fn length(count: u64, most: u64) -> usize {
    usize::try_from((count * BAR).div_ceil(most)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
