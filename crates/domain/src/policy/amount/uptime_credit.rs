//! A percentage of a period's charges, by the period's uptime.
//!
//! The service agreements of cloud providers: EC2 region below 99.99 % 10 %, below 99.0 % 30 %, below 95.0 % 100 %. Where
//! no charges are given, the fee of the plan for the period stands for them.

use super::tiers::{Tiers, shown};
use super::{Draft, Given, Value};
use crate::facts::FeePeriod;
use crate::money::{Currency, Money};
use crate::policy::count::{Counted, Unit, UptimePeriod};
use crate::policy::error::Refusal;
use crate::policy::reader::Section;
use crate::rounding::Exact;

/// Percentages of charges by uptime.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UptimeCredit {
    tiers: Tiers<Exact>,
    /// A credit of at most this, before rounding, is not given.
    pub(super) only_above: Option<Money>,
}

impl UptimeCredit {
    pub(super) fn read(section: &Section<'_, '_>, currency: Currency) -> Option<UptimeCredit> {
        let only_above = section.optional_money("only_above", currency);
        let tiers = Tiers::read(section, |table| {
            let percent = table.decimal("percent", "\"10\"")?;
            let fits = !percent.is_above(Exact::whole(100)).unwrap_or(true);
            if !fits {
                table.fault("percent", "the credit is more than the charges", "write up to 100");
            }
            fits.then_some(percent)
        });
        Some(UptimeCredit { tiers: tiers?, only_above })
    }

    /// Gives a line for each period.
    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        given.units.iter().map(|unit| self.line(given, unit)).collect()
    }

    fn line(&self, given: &Given<'_>, unit: &Unit) -> Result<Draft, Refusal> {
        let out_of_range = Refusal::out_of_range(&given.rule.id);
        let head = format!("{} from {}: {}", given.unit_name, unit.day, shown(unit));
        let nothing = |excluded: &'static str, why: &str| Draft {
            text: format!("{head}; {why}"),
            quantity: String::new(),
            unit: given.unit_name,
            rate: String::new(),
            grade: None,
            value: Value::Nothing(excluded),
        };
        let Some((percent, tier)) = self.tiers.of(unit).map_err(&out_of_range)? else {
            return Ok(nothing("UPTIME_KEPT", "the promised uptime was kept"));
        };
        let Some(charges) = charges(given, unit)? else {
            return Ok(nothing("NO_CHARGES", "there are no charges in this period"));
        };
        let share = percent.over(100).map_err(&out_of_range)?;
        let rate = share.times(given.factor).map_err(&out_of_range)?;
        let credit = given.unit_amount(charges.times(rate).map_err(&out_of_range)?)?;
        if let Some(least) = self.only_above
            && !credit.is_above(Exact::whole(least.minor)).map_err(&out_of_range)?
        {
            let amount = credit.amount(given.currency.exponent());
            let why = format!("{tier} earns {amount}, which is not above {least}");
            return Ok(nothing("BELOW_MINIMUM_CREDIT", &why));
        }
        Ok(Draft {
            text: format!("{head}; {tier} earns {percent} % of the charges{}", given.factor_text),
            quantity: charges.amount(given.currency.exponent()),
            unit: given.unit_name,
            rate: rate.to_string(),
            grade: None,
            value: Value::Money(credit),
        })
    }
}

/// Gives the charges of a period in minor units: those that began in it, or the plan's fee for it.
fn charges(given: &Given<'_>, unit: &Unit) -> Result<Option<Exact>, Refusal> {
    let out_of_range = Refusal::out_of_range(&given.rule.id);
    let Counted::Uptime(of) = given.rule.count.what else { return Ok(None) };
    let started_on = given.view.timeline.started_on;
    let Some((first, next)) = of.around(unit.day, started_on) else { return Ok(None) };
    let charged = &given.view.seen.charges;
    if charged.is_empty() {
        let Some((fee, fee_period)) = given.fee_of(unit)? else { return Ok(None) };
        let months = match of.period {
            UptimePeriod::CalendarMonth | UptimePeriod::BillingCycle => 1,
            UptimePeriod::CalendarQuarter => 3,
        };
        let per_month = match fee_period {
            FeePeriod::Month => Ok(Exact::whole(fee.minor)),
            FeePeriod::Year => Exact::whole(fee.minor).over(12),
        };
        let fee = per_month.and_then(|fee| fee.times(Exact::whole(months)));
        return fee.map(Some).map_err(&out_of_range);
    }
    let mut sum = Exact::ZERO;
    for (day, amount) in charged.iter().filter(|(day, _)| *day >= first && *day < next) {
        given.same_currency(&format!("the charge of {day}"), *amount)?;
        sum = sum.plus(Exact::whole(amount.minor)).map_err(&out_of_range)?;
    }
    Ok((sum != Exact::ZERO).then_some(sum))
}
