//! Legal interest on what is owed in money, until the day on which it is paid.
//!
//! Rates are a file of a country, dated and without a hole. Each day bears the rate that is in force on it, over the days
//! of its own year; the day from which interest runs bears none, that of the payment does.

use std::sync::LazyLock;

use jiff::civil::Date;

use super::Policy;
use super::count::{CLOCKS, Clock};
use super::error::{PolicyError, Refusal};
use super::faults::Source;
use super::reader::Section;
use super::rule::{PaysIn, read_source};
use super::sheet::Sheet;
use super::timeline::Reading;
use super::view::{Report, View};
use crate::money::Money;
use crate::remedy::TraceLine;
use crate::rounding::{Exact, OutOfRange};

/// The yearly rates of legal interest in a country.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LegalRates {
    id: String,
    title: String,
    source: String,
    steps: Vec<Step>,
    /// The first day of which nothing is known.
    to: Date,
}

/// A rate from a day on.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Step {
    from: Date,
    percent: Exact,
    remark: Option<String>,
}

/// What a policy says of interest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interest {
    /// The rates.
    pub rates: &'static LegalRates,
    /// From which day on.
    pub from: Clock,
    /// Where the rule comes from.
    pub source: String,
}

/// Days of one year at one rate.
struct Run<'r> {
    year: i16,
    days: i64,
    step: &'r Step,
}

static SHIPPED: LazyLock<Vec<LegalRates>> = LazyLock::new(|| {
    let italy = LegalRates::parse("italy.toml", include_str!("../../interest/italy.toml"));
    vec![italy.expect("shipped rates are read by a test")]
});

impl LegalRates {
    /// Reads a file of rates. `file` is its name in messages.
    pub(crate) fn parse(file: &str, text: &str) -> Result<LegalRates, Vec<PolicyError>> {
        let source = Source::new(file, text);
        let (table, broken) = toml::de::DeTable::parse_recoverable(text);
        for error in broken {
            let what = format!("this is not TOML: {}", error.message());
            source.fault(&error.span().unwrap_or(0..0), what, "correct the syntax".to_owned());
        }
        let top = Section::new(&source, table.get_ref(), 0..0, "the file of rates".to_owned());
        match read(top) {
            Some(rates) if source.is_sound() => Ok(rates),
            Some(_) | None => Err(source.into_faults()),
        }
    }

    fn on(&self, day: Date) -> Option<&Step> {
        let known = self.steps.iter().rev().find(|step| step.from <= day);
        known.filter(|_| day < self.to)
    }

    /// Gives the days after `from`, up to and including `to`, by year and rate; the first day without a rate else.
    fn runs(&self, from: Date, to: Date) -> Result<Vec<Run<'_>>, Date> {
        let mut runs: Vec<Run<'_>> = Vec::new();
        let mut day = from;
        while day < to {
            day = day.tomorrow().map_err(|_| day)?;
            let (year, step) = (day.year(), self.on(day).ok_or(day)?);
            match runs.last_mut() {
                Some(run) if run.year == year && run.step == step => run.days += 1,
                Some(_) | None => runs.push(Run { year, days: 1, step }),
            }
        }
        Ok(runs)
    }
}

fn read(top: Section<'_, '_>) -> Option<LegalRates> {
    let id = top.text("id", "\"italy\"").map(str::to_owned);
    let title = top.text("title", "\"Legal interest in Italy\"").map(str::to_owned);
    let source = read_source(&top);
    let to = top.date("to", "2027-01-01");
    let tables = top.sections("rates", "[{ from = 2023-01-01, percent = \"5\" }]");
    if tables.is_empty() {
        let fix = "write rates = [{ from = 2023-01-01, to = 2024-01-01, percent = \"5\" }]";
        top.fault("rates", "there are no rates", fix);
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut until: Option<Date> = None;
    for table in tables {
        let from = table.date("from", "2023-01-01");
        let ends = table.date("to", "2024-01-01");
        let percent = table.decimal("percent", "\"5\"");
        let remark = table.optional_text("remark", "\"from memory\"").map(str::to_owned);
        if let Some((from, end)) = from.zip(until.filter(|end| Some(*end) != from)) {
            let what = if end < from { "a hole" } else { "an overlap" };
            let what = format!("there is {what} between the rates until {end} and from {from}");
            table.fault("from", what, format!("write from = {end}"));
        }
        if let Some((from, ends)) = from.zip(ends).filter(|(from, ends)| ends <= from) {
            table.fault("to", format!("{ends} is not after {from}"), "write a later day");
        }
        table.finish();
        until = ends;
        steps.extend(from.zip(percent).map(|(from, percent)| Step { from, percent, remark }));
    }
    if let Some((last, to)) = until.zip(to).filter(|(last, to)| last != to) {
        let what = format!("the last rate ends on {last}, the file on {to}");
        top.fault("to", what, format!("write to = {last}"));
    }
    top.finish();
    Some(LegalRates { id: id?, title: title?, source: source?, steps, to: to? })
}

impl Interest {
    pub(crate) fn read(section: Section<'_, '_>) -> Option<Interest> {
        let id = section.text("rates", "\"italy\"");
        let rates = id.and_then(|id| SHIPPED.iter().find(|rates| rates.id == id));
        if let (Some(id), None) = (id, rates) {
            let known: Vec<&str> = SHIPPED.iter().map(|rates| rates.id.as_str()).collect();
            let what = format!("there are no rates of interest {id:?}");
            section.fault("rates", what, format!("choose from {}", known.join(", ")));
        }
        let from = section.choice("from", CLOCKS);
        let source = read_source(&section);
        section.finish();
        Some(Interest { rates: rates?, from: from?, source: source? })
    }

    /// Adds interest to what is owed in money.
    pub(crate) fn apply(
        &self,
        reading: &Reading<'_>,
        view: &View<'_>,
        sheet: &mut Sheet,
    ) -> Result<(), Refusal> {
        let mut owed = sheet.owed();
        owed.retain(|((_, pays_in, _), owed)| *pays_in == PaysIn::Money && *owed > 0);
        if owed.is_empty() {
            return Ok(());
        }
        let Some(paid_on) = view.paid_on else {
            let text = "interest runs until the payment, and its day is not known".to_owned();
            sheet.exclude("interest", &self.source, text, "PAYMENT_DAY_UNKNOWN");
            return Ok(());
        };
        let Some(from) = self.begins(reading, view) else {
            let text = "interest never began to run".to_owned();
            sheet.exclude("interest", &self.source, text, "INTEREST_NOT_BEGUN");
            return Ok(());
        };
        let no_rate = |day| Refusal::NoRate { rule: "interest".to_owned(), day };
        let runs = self.rates.runs(from, paid_on).map_err(no_rate)?;
        if runs.is_empty() {
            let text = format!("paid on {paid_on}, and interest runs from {from}");
            sheet.exclude("interest", &self.source, text, "PAID_IN_TIME");
            return Ok(());
        }
        let share = share(&runs).map_err(Refusal::out_of_range("interest"))?;
        for (account, owed) in owed {
            let exact = Exact::whole(owed).times(share);
            let exact = exact.map_err(Refusal::out_of_range("interest"))?;
            sheet.add(account, exact, self.line(reading.policy, owed, (from, &runs)))?;
        }
        Ok(())
    }

    fn begins(&self, reading: &Reading<'_>, view: &View<'_>) -> Option<Date> {
        let started = || reading.started.map(|at| reading.policy.zone.to_datetime(at).date());
        match self.from {
            Clock::OutageStart => started(),
            Clock::Report => match view.report {
                Report::On(day) => Some(day),
                Report::Declared => started(),
                Report::Nobody | Report::NotAsked => None,
            },
            Clock::Claim => view.seen.claims.first().map(|claim| claim.received),
            Clock::Known => view.known_on,
            Clock::Declaration => view.declared_on,
        }
    }

    fn line(&self, policy: &Policy, owed: i64, (from, runs): (Date, &[Run<'_>])) -> TraceLine {
        let described = runs.iter().map(|run| {
            let Step { percent, remark, .. } = run.step;
            let remark = remark.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
            format!("{} days of {} at {percent} %{remark}", run.days, run.year)
        });
        let described: Vec<String> = described.collect();
        let owed = Money::new(owed, policy.currency);
        let days: i64 = runs.iter().map(|run| run.days).sum();
        TraceLine {
            rule: "interest".to_owned(),
            source: format!("{}; {}, {}", self.source, self.rates.title, self.rates.source),
            text: format!("legal interest on {owed} since {from}: {}", described.join(", ")),
            quantity: days.to_string(),
            unit: "day".to_owned(),
            ..TraceLine::default()
        }
    }
}

/// Gives the interest on one whole.
fn share(runs: &[Run<'_>]) -> Result<Exact, OutOfRange> {
    let mut sum = Exact::ZERO;
    for run in runs {
        let of_year =
            if Date::new(run.year, 1, 1).is_ok_and(Date::in_leap_year) { 366 } else { 365 };
        let yearly = run.step.percent.over(100)?;
        sum = sum.plus(yearly.times(Exact::whole(run.days))?.over(of_year)?)?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn italy() -> &'static LegalRates {
        &SHIPPED[0]
    }

    /// Checks the interest on 1,000.00, exactly, in cents.
    #[track_caller]
    fn check(from: &str, to: &str, expected: (i128, i128)) {
        let runs = italy().runs(from.parse().unwrap(), to.parse().unwrap()).unwrap_or_default();
        let exact = Exact::whole(100_000).times(share(&runs).unwrap()).unwrap();
        assert_eq!(exact, Exact::ratio(expected.0, expected.1).unwrap());
    }

    /// Legal interest in Italy: 5 % in 2023, 2.5 % in 2024, 2 % in 2025, 1.6 % in 2026, over the days of each year.
    #[test]
    fn each_year_has_its_rate_over_its_own_days() {
        check("2022-12-31", "2023-12-31", (5_000, 1));
        check("2023-12-31", "2024-12-31", (2_500, 1));
        check("2024-12-31", "2025-12-31", (2_000, 1));
        check("2025-12-31", "2026-12-31", (1_600, 1));
        check("2023-12-31", "2024-01-01", (2_500, 366));
        check("2023-12-30", "2024-01-01", (5_000 * 366 + 2_500 * 365, 365 * 366));
        check("2023-05-01", "2023-05-01", (0, 1));
        check("2023-05-02", "2023-05-01", (0, 1));
    }

    #[test]
    fn a_day_without_a_rate_is_named() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let runs = |from, to| italy().runs(day(from), day(to)).map(|_| ());
        assert_eq!(runs("2022-12-30", "2023-02-01"), Err(day("2022-12-31")));
        assert_eq!(runs("2026-12-30", "2027-02-01"), Err(day("2027-01-01")));
    }

    #[test]
    fn a_hole_in_time_is_refused_with_its_place() {
        let text = include_str!("../../interest/italy.toml");
        let faults = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            let faults = LegalRates::parse("rates.toml", &text.replacen(from, to, 1)).unwrap_err();
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let line = text[..text.find("from = 2024-01-01").unwrap()].matches('\n').count() + 1;
        let place = format!("rates.toml:{line}:14: ");
        let hole = faults("from = 2024-01-01", "from = 2024-02-01");
        assert_eq!(
            hole,
            [format!(
                "{place}there is a hole between the rates until 2024-01-01 and from 2024-02-01; write from = 2024-01-01"
            )]
        );
        let twice = faults("from = 2024-01-01", "from = 2023-12-01");
        assert!(twice[0].contains("there is an overlap"), "{twice:?}");
        let early = faults("\nto = 2027-01-01", "\nto = 2028-01-01");
        assert!(early[0].contains("the last rate ends on 2027-01-01"), "{early:?}");
    }
}
