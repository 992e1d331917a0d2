//! The distributions of amounts as a picture, in SVG.

use std::fmt::Write as _;

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::types::totals_in;

use super::statistics::statistics;

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
    use ristoro_domain::money::{Currency, Money};
    use ristoro_runtime::edge;

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

    #[test]
    fn the_picture_is_well_formed() {
        let picture = svg(&[simulation(&[(600, 3), (3_000, 7)]), simulation(&[])]);
        assert!(picture.contains("p&lt;1&gt;") && picture.contains("no amounts"));
        assert_eq!(picture.matches("<rect").count(), 3);
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
    }
}
