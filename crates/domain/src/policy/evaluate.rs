//! From a view to a reason: gates, rules, caps, then what was already granted.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Policy;
use super::amount::Given;
use super::caps::{self, CapPer};
use super::count::{Counted, LeftOut, Observed, Unit};
use super::error::Refusal;
use super::fields::{Concurrence, VersionSelector};
use super::gates::{facts, first_closed};
use super::rule::Rule;
use super::sheet::{Account, Sheet};
use super::timeline::Reading;
use super::view::{Report, View};
use crate::money::Money;
use crate::remedy::{Payer, Reason, TraceLine};
use crate::rounding::Exact;

/// Decides one case. The result depends on the policy, the outage's common facts and the view alone.
pub(crate) fn evaluate(reading: &Reading<'_>, view: &View<'_>) -> Result<Reason, Refusal> {
    match reading.policy.in_fee_currency(view) {
        Some(policy) => decide(&reading.under(&policy), view),
        None => decide(reading, view),
    }
}

fn decide(reading: &Reading<'_>, view: &View<'_>) -> Result<Reason, Refusal> {
    let policy = reading.policy;
    let mut sheet = Sheet::new(policy.currency, policy.rounding);
    let closed = first_closed(reading, view)?;
    match &closed {
        Some(gate) => sheet.exclude(&gate.rule, &gate.source, gate.text.clone(), &gate.excluded),
        None => explain_opening(policy, view, &mut sheet),
    }
    for (place, rule) in policy.rules.iter().enumerate() {
        if rule.count.is_about_outage() && closed.is_some() {
            continue;
        }
        apply(reading, view, (rule, &view.timeline.observed[place]), &mut sheet)?;
    }
    caps::reduce_all(policy, view, factor(policy, view).0, &mut sheet)?;
    sheet.settle();
    concur(policy, view, &mut sheet)?;
    if let Some(interest) = &policy.interest {
        interest.apply(reading, view, &mut sheet)?;
    }
    if let Some(minimum) = &policy.minimum_payout {
        minimum.apply(policy, view, &mut sheet)?;
    }
    if let Some(shares) = &policy.shares {
        shares.apply(policy, &mut sheet)?;
    }
    Ok(sheet.finish())
}

/// Says what is not visible in any amount: the report, and interruptions that were too short.
fn explain_opening(policy: &Policy, view: &View<'_>, sheet: &mut Sheet) {
    if let Report::On(day) = view.report {
        sheet.note("trigger", &policy.trigger.source, format!("reported in time, on {day}"));
    }
    if !view.timeline.too_short.is_empty() {
        let days = super::amount::day_ranges(view.timeline.too_short.iter().copied());
        let text = format!("too short to count: {days}");
        sheet.exclude("minimum-duration", &policy.source, text, "BELOW_MINIMUM_DURATION");
    }
}

fn apply(
    reading: &Reading<'_>,
    view: &View<'_>,
    (rule, observed): (&Rule, &Observed),
    sheet: &mut Sheet,
) -> Result<(), Refusal> {
    let policy = reading.policy;
    let seen = facts(reading, view);
    for condition in &rule.conditions {
        if !condition.holds(&seen) {
            let (text, source) = (condition.text.clone(), &condition.source);
            sheet.exclude(&rule.id, source, text, &condition.otherwise);
            return Ok(());
        }
    }
    let mut selected = rule.count.select(observed, view)?;
    if policy.version_selector == VersionSelector::AccrualDay {
        let (kept, before): (Vec<Unit>, Vec<Unit>) =
            selected.units.into_iter().partition(|unit| policy.is_in_force(unit.day));
        selected.units = kept;
        if !before.is_empty() {
            let days = super::amount::day_ranges(before.iter().map(|unit| unit.day));
            let text = format!("not counted: {days}: the policy was not in force");
            selected.left_out.push(LeftOut { excluded: "POLICY_NOT_IN_FORCE", text });
        }
    }
    let (factor, factor_text) = factor(policy, view);
    let unit_name = rule.count.unit_name(&policy.conventions);
    for (payer, units, payer_text) in by_payer(reading, rule, &selected.units) {
        let factor_text = format!("{factor_text}{payer_text}");
        let mut written = Vec::new();
        let given = Given {
            rule,
            view,
            units: &units,
            unit_name,
            factor,
            factor_text: &factor_text,
            rounding: policy.rounding,
            currency: policy.currency,
            zone: &policy.zone,
            rate_day: rate_day(reading, view),
        };
        for (month, units) in by_month(rule, &units) {
            let given = Given { units: &units, ..given };
            let drafts = rule.amount.drafts(&given)?;
            if drafts.is_empty() && !units.is_empty() {
                let text = "there is no fee to give back".to_owned();
                sheet.exclude(&rule.id, &rule.source, text, "NO_FEE");
            }
            caps::write(&given, (payer, month), drafts, sheet, &mut written)?;
        }
        caps::reduce(&given, payer, &mut written, sheet)?;
    }
    for left_out in selected.left_out {
        sheet.exclude(&rule.id, &rule.source, left_out.text, left_out.excluded);
    }
    Ok(())
}

/// Splits units by calendar month where a cap is for months; else they stay together.
fn by_month(rule: &Rule, units: &[Unit]) -> BTreeMap<Date, Vec<Unit>> {
    let split = rule.caps.iter().any(|cap| cap.per == CapPer::Month);
    let mut months: BTreeMap<Date, Vec<Unit>> = BTreeMap::new();
    for unit in units {
        let month = if split { unit.day.first_of_month() } else { Date::default() };
        months.entry(month).or_default().push(*unit);
    }
    months
}

/// Splits units between a fund and the operator, each with what the trace says of it.
fn by_payer(reading: &Reading<'_>, rule: &Rule, units: &[Unit]) -> Vec<(Payer, Vec<Unit>, String)> {
    let fund = rule.fund.as_ref().filter(|fund| fund.cause == reading.outage.cause);
    let (Some(fund), Counted::HourBlock(block)) = (fund, rule.count.what) else {
        return vec![(rule.payer, units.to_vec(), String::new())];
    };
    let last = block.index_within(fund.first_hours);
    let (first, rest) = units.iter().partition(|unit| unit.index <= last);
    let hours = fund.first_hours;
    let text = format!("; the first {hours} hours are borne by a fund: {}", fund.source);
    vec![(Payer::Fund, first, text), (rule.payer, rest, String::new())]
}

/// Gives the day that chooses among dated rates; none where each unit's own does.
fn rate_day(reading: &Reading<'_>, view: &View<'_>) -> Option<Date> {
    let policy = reading.policy;
    let started = || reading.started.map(|at| policy.zone.to_datetime(at).date());
    match (policy.conventions.rate_version, view.report) {
        (VersionSelector::AccrualDay, _) => None,
        (VersionSelector::ReportDate, Report::On(day)) => Some(day),
        (VersionSelector::ReportDate, Report::Declared | Report::Nobody | Report::NotAsked)
        | (VersionSelector::OutageStart, _) => started(),
    }
}

/// Gives the multiplier for the subscription's segment and what the trace says of it.
fn factor(policy: &Policy, view: &View<'_>) -> (Exact, String) {
    let multiplier = policy.multiplier.as_ref().filter(|one| one.segment == view.segment);
    match multiplier {
        Some(one) => (one.factor, format!("; rate x {}: {}", one.factor, one.source)),
        None => (Exact::ONE, String::new()),
    }
}

/// Reduces what is owed by what was granted for the same outage before.
fn concur(policy: &Policy, view: &View<'_>, sheet: &mut Sheet) -> Result<(), Refusal> {
    for granted in view.granted {
        let owes_nothing = sheet.owed().iter().all(|(_, owed)| *owed <= 0);
        let same_policy = granted.policy == policy.id;
        let mode =
            if same_policy { Concurrence::SetOff } else { policy.concurrence_with(granted.kind) };
        let by = if granted.policy.is_empty() { "earlier" } else { &granted.policy };
        let limit = match (mode, granted.money) {
            (Concurrence::Cumulative, _) => continue,
            (Concurrence::Unitary | Concurrence::SoleRemedy, _) => i64::MAX,
            (Concurrence::SetOff, Some(money)) if money.currency != policy.currency => {
                if owes_nothing {
                    continue; // From nothing nothing is set off, in whatever currency.
                }
                return Err(Refusal::OtherCurrency {
                    what: "an earlier grant".to_owned(),
                    found: money.currency.to_string(),
                    wanted: policy.currency.to_string(),
                });
            }
            (Concurrence::SetOff, Some(money)) => money.minor,
            (Concurrence::SetOff, None) => 0,
        };
        let only_once = matches!(mode, Concurrence::Unitary | Concurrence::SoleRemedy);
        let drops_grants = only_once || (same_policy && granted.money.is_none());
        if drops_grants && sheet.drop_grants() {
            let text = format!("already granted: {} by {by}", granted.kind.name());
            sheet.exclude("concurrence", &policy.source, text, "ALREADY_GRANTED");
        }
        let amount = granted.money.map_or_else(String::new, |money| format!("{money} "));
        let text = format!("already granted: {amount}{} by {by}", granted.kind.name());
        let left = set_off(policy, limit, &text, sheet)?;
        if same_policy && granted.money.is_some() && left > 0 {
            let more = Money::new(left, policy.currency);
            let text = format!("{more} more was granted than is owed now: it is not claimed back");
            sheet.exclude("concurrence", &policy.source, text, "OVERPAID_WAIVED");
        }
    }
    Ok(())
}

/// Subtracts up to `limit` minor units from what is owed, account by account, and gives what is left of the limit.
fn set_off(policy: &Policy, limit: i64, text: &str, sheet: &mut Sheet) -> Result<i64, Refusal> {
    let mut left = limit;
    let owed: Vec<(Account, i64)> = sheet.owed();
    for (account, owed) in owed {
        let part = owed.min(left);
        if part <= 0 {
            continue;
        }
        let line = TraceLine {
            rule: "concurrence".to_owned(),
            source: policy.source.clone(),
            text: text.to_owned(),
            before_rounding: Money::new(-part, policy.currency).decimal(),
            excluded: if part == owed { "ALREADY_GRANTED".to_owned() } else { String::new() },
            ..TraceLine::default()
        };
        sheet.add(account, Exact::whole(-part), line)?;
        left -= part;
    }
    Ok(left)
}
