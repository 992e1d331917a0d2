//! What policies would give, side by side: for people, as JSON, and as a picture.

use std::fmt::Write as _;

use anyhow::Result;
use ristoro_domain::money::{Currency, Money};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::types::totals_in;
use ristoro_runtime::edge;
use serde_json::{Value, json};

use crate::output::{line, table};
use crate::values;
use crate::verbs::assessment::totals_text;

/// The widest bar of a histogram, in characters.
const BAR: u64 = 40;
/// About the most bars of a histogram; more amounts are put together.
const BARS: usize = 20;

/// The distribution of the amounts of one currency, over those who get one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statistics {
    /// Everybody who gets an amount.
    pub people: u64,
    /// The mean, rounded half up to the minor unit.
    pub mean: Money,
    /// The amount in the middle, the lower one of two.
    pub median: Money,
    /// The least amount that at least 95 of 100 people do not exceed.
    pub p95: Money,
    /// The largest amount.
    pub largest: Money,
    /// How many people get which amount, ascending.
    buckets: Vec<(i64, u64)>,
}

/// Gives the distributions by currency.
pub fn statistics(simulation: &api::Simulation) -> Vec<Statistics> {
    let mut found: Vec<(Currency, Vec<(i64, u64)>)> = Vec::new();
    for bucket in &simulation.amounts {
        let Ok(money) = edge::money("amount", bucket.amount.as_ref()) else { continue };
        match found.iter_mut().find(|(currency, _)| *currency == money.currency) {
            Some((_, buckets)) => buckets.push((money.minor, bucket.count)),
            None => found.push((money.currency, vec![(money.minor, bucket.count)])),
        }
    }
    found.into_iter().filter_map(|(currency, buckets)| of_currency(currency, buckets)).collect()
}

fn of_currency(currency: Currency, mut buckets: Vec<(i64, u64)>) -> Option<Statistics> {
    buckets.sort_unstable();
    let people: u64 = buckets.iter().map(|(_, count)| count).sum();
    let sum: i128 =
        buckets.iter().map(|(minor, count)| i128::from(*minor) * i128::from(*count)).sum();
    let share = i128::from(people);
    let mean = i64::try_from((2 * sum + share).checked_div(2 * share)?).ok()?;
    let at = |hundredths: u64| {
        let wanted = (people * hundredths).div_ceil(100);
        let mut passed = 0;
        let place = buckets.iter().find(|(_, count)| {
            passed += count;
            passed >= wanted
        });
        place.map(|(minor, _)| Money::new(*minor, currency))
    };
    let largest = Money::new(buckets.last()?.0, currency);
    let (median, p95) = (at(50)?, at(95)?);
    Some(Statistics { people, mean: Money::new(mean, currency), median, p95, largest, buckets })
}

impl Statistics {
    fn text(&self) -> String {
        let Statistics { people, mean, median, p95, largest, .. } = self;
        format!(
            "{people} people get money: mean {mean}, median {median}, 95 % up to {p95}, largest {largest}"
        )
    }

    fn value(&self) -> Value {
        let money =
            |money: &Money| json!({"amount": money.decimal(), "currency": money.currency.code()});
        json!({
            "people": self.people, "mean": money(&self.mean), "median": money(&self.median),
            "p95": money(&self.p95), "largest": money(&self.largest),
        })
    }

    /// Gives the bars of a histogram: each amount, or where there are many, ranges of equal width.
    fn bars(&self) -> Vec<(String, u64)> {
        let currency = self.mean.currency;
        let shown = |minor: i64| Money::new(minor, currency).to_string();
        if self.buckets.len() <= BARS {
            return self.buckets.iter().map(|(minor, count)| (shown(*minor), *count)).collect();
        }
        let (first, last) = (self.buckets[0].0, self.largest.minor);
        let width = round_width((last - first) / i64::try_from(BARS).expect("bars are few") + 1);
        let least = first.div_euclid(width) * width;
        let place = |minor: i64| usize::try_from((minor - least) / width).unwrap_or_default();
        let mut bars = vec![0_u64; place(last) + 1];
        for (minor, count) in &self.buckets {
            bars[place(*minor)] += count;
        }
        let begins = (0..).map(|bar: i64| format!("from {}", shown(least + width * bar)));
        begins.zip(bars).collect()
    }
}

/// Gives the least of 1, 2 or 5 times a power of ten that is not below a width.
fn round_width(width: i64) -> i64 {
    let mut power = 1;
    loop {
        match [1, 2, 5].into_iter().map(|digit| digit * power).find(|round| *round >= width) {
            Some(round) => return round,
            None => power *= 10,
        }
    }
}

/// Makes the JSON of a simulation.
pub fn value(simulation: &api::Simulation) -> Value {
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
    })
}

/// Prints simulations side by side: totals, people by group, and the distribution of amounts.
///
/// # Errors
/// Where nobody reads any more.
pub fn print(simulations: &[api::Simulation]) -> Result<()> {
    for simulation in simulations {
        line(&simulation.policy)?;
        line(&format!("  {}", totals_text(simulation.totals.as_ref())))?;
        let mut groups = table(&["by", "group", "gives"]);
        for group in &simulation.groups {
            let totals = totals_text(group.totals.as_ref());
            groups.add_row([group.dimension.as_str(), group.value.as_str(), totals.as_str()]);
        }
        line(&groups.trim_fmt())?;
        for distribution in statistics(simulation) {
            line(&format!("  {}", distribution.text()))?;
            let bars = distribution.bars();
            let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
            for (label, count) in bars {
                let bar = "#".repeat(length(count, most));
                line(&format!("  {label:>16}  {bar:<40}  {count} people"))?;
            }
        }
        for zero in &simulation.zeros {
            line(&format!("  nothing because of {}: {} people", zero.reason, zero.count))?;
        }
        line("")?;
    }
    Ok(())
}

/// Gives a bar's length: at least one character where anybody is in it.
fn length(count: u64, most: u64) -> usize {
    usize::try_from((count * BAR).div_ceil(most)).unwrap_or(0)
}

/// The height of one bar of the picture, with its gap.
const ROW: usize = 22;
/// Where the bars begin, and the widest one.
const LEFT: usize = 170;
const WIDEST: u64 = 460;

/// Draws the distributions of all simulations, one under the other, as SVG.
pub fn svg(simulations: &[api::Simulation]) -> String {
    let (mut body, mut y) = (String::new(), 10);
    for simulation in simulations {
        y += 26;
        let people = simulation.totals.as_ref().and_then(|totals| totals_in(totals).ok());
        let people = people.map_or_else(String::new, |totals| {
            format!(": {} of {} people get something", totals.entitled, totals.count)
        });
        let title = escaped(&format!("{}{people}", simulation.policy));
        push(&mut body, &format!("<text x=\"10\" y=\"{y}\" font-weight=\"bold\">{title}</text>"));
        let distributions = statistics(simulation);
        if distributions.is_empty() {
            y += ROW;
            push(&mut body, &format!("<text x=\"10\" y=\"{y}\">no amounts</text>"));
        }
        for distribution in distributions {
            y += ROW;
            let text = escaped(&distribution.text());
            push(&mut body, &format!("<text x=\"10\" y=\"{y}\" fill=\"#555\">{text}</text>"));
            let bars = distribution.bars();
            let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
            for (label, count) in bars {
                y += ROW;
                draw_bar(&mut body, y, (&label, count), most);
            }
        }
        y += 14;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{}\" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n",
        y + 10
    )
}

fn draw_bar(body: &mut String, y: usize, (label, count): (&str, u64), most: u64) {
    let width = (count * WIDEST).div_ceil(most);
    let (label, middle) = (escaped(label), LEFT - 10);
    push(body, &format!("<text x=\"{middle}\" y=\"{y}\" text-anchor=\"end\">{label}</text>"));
    let top = y - 13;
    push(
        body,
        &format!(
            "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"16\" fill=\"#3b6ea5\"/>"
        ),
    );
    let right = u64::try_from(LEFT).unwrap_or(0) + width + 6;
    push(body, &format!("<text x=\"{right}\" y=\"{y}\">{count}</text>"));
}

fn push(body: &mut String, line: &str) {
    writeln!(body, "{line}").expect("writing to a string does not fail");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation(amounts: &[(i64, u64)]) -> api::Simulation {
        let bucket = |(minor, count): &(i64, u64)| api::AmountBucket {
            amount: Some(edge::money_message(Money::new(*minor, Currency::EUR))),
            count: *count,
        };
        api::Simulation {
            policy: "p<1>".to_owned(),
            amounts: amounts.iter().map(bucket).collect(),
            ..api::Simulation::default()
        }
    }

    #[track_caller]
    fn check(amounts: &[(i64, u64)], expected: [i64; 4]) {
        let found = statistics(&simulation(amounts)).remove(0);
        let figures = [found.mean, found.median, found.p95, found.largest].map(|money| money.minor);
        assert_eq!(figures, expected);
    }

    #[test]
    fn a_distribution_has_its_figures() {
        check(&[(100, 1)], [100, 100, 100, 100]);
        check(&[(100, 1), (201, 1)], [151, 100, 201, 201]);
        check(&[(100, 95), (1_000, 5)], [145, 100, 100, 1_000]);
        check(&[(100, 94), (1_000, 6)], [154, 100, 1_000, 1_000]);
        check(&[(500, 3), (100, 1)], [400, 500, 500, 500]);
        assert_eq!(statistics(&simulation(&[])), []);
    }

    #[test]
    fn many_amounts_are_put_together_and_nobody_is_lost() {
        let amounts: Vec<(i64, u64)> = (1..=100).map(|minor| (minor * 37, 2)).collect();
        let bars = statistics(&simulation(&amounts)).remove(0).bars();
        // From 0.37 to 37.00 EUR: nineteen bars of 2.00.
        assert_eq!((bars.len(), bars[1].0.as_str()), (19, "from 2.00 EUR"));
        assert_eq!(bars.iter().map(|(_, count)| count).sum::<u64>(), 200);
    }

    #[test]
    fn the_picture_is_well_formed() {
        let picture = svg(&[simulation(&[(600, 3), (3_000, 7)]), simulation(&[])]);
        assert!(picture.contains("p&lt;1&gt;") && picture.contains("no amounts"));
        assert_eq!(picture.matches("<rect").count(), 3);
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
    }
}
