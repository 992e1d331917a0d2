//! The distribution of what people get: its figures, and the bars of its histogram.

use ristoro_domain::money::{Currency, Money};
use ristoro_proto::eligibility::v1 as api;
use ristoro_runtime::edge;
use serde_json::{Value, json};

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
    /// Writes the figures on one line.
    pub fn text(&self) -> String {
        let Statistics { people, mean, median, p95, largest, .. } = self;
        format!(
            "{people} people get money: mean {mean}, median {median}, 95 % up to {p95}, largest {largest}"
        )
    }

    /// Makes the JSON of the figures.
    pub fn value(&self) -> Value {
        let money =
            |money: &Money| json!({"amount": money.decimal(), "currency": money.currency.code()});
        json!({
            "people": self.people, "mean": money(&self.mean), "median": money(&self.median),
            "p95": money(&self.p95), "largest": money(&self.largest),
        })
    }

    /// Gives the bars of a histogram: each amount, or where there are many, ranges of equal width.
    pub fn bars(&self) -> Vec<(String, u64)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation(amounts: &[(i64, u64)]) -> api::Simulation {
        let bucket = |(minor, count): &(i64, u64)| api::AmountBucket {
            amount: Some(edge::money_message(Money::new(*minor, Currency::EUR))),
            count: *count,
        };
        api::Simulation {
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
}
