//! Reads a whole policy file and checks what no single section can.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::amount::Amount;
use super::caps::Cap;
use super::condition::Condition;
use super::conventions::Conventions;
use super::count::{Clock, Count, Counted};
use super::error::PolicyError;
use super::exclusions::Exclusions;
use super::faults::Source;
use super::fields::{
    COMPONENT_CLASSES, CONCURRENCES, Concurrence, Cover, Deadline, KINDS, Rounding, Trigger,
    TriggerMode, VERSION_SELECTORS, VersionSelector,
};
use super::interest::Interest;
use super::minimum::{Below, MinimumPayout};
use super::reader::Section;
use super::rule::{Multiplier, Rule};
use super::shares::Shares;
use super::view::Sees;
use super::{Policy, SettledBy, Settlement};
use crate::facts::Class;
use crate::money::Currency;
use crate::remedy::RemedyKind;

/// The largest policy file, in bytes.
const SIZE_LIMIT: usize = 256 * 1024;

pub(super) const SETTLED_BY: &[(&str, SettledBy)] = &[
    ("invoice_credit", SettledBy::InvoiceCredit),
    ("transfer", SettledBy::Transfer),
    ("voucher", SettledBy::Voucher),
    ("provisioning", SettledBy::Provisioning),
];

pub(super) fn parse(file: &str, text: &str) -> Result<Policy, Vec<PolicyError>> {
    let source = Source::new(file, text);
    if text.len() > SIZE_LIMIT {
        let what = format!("the file has {} bytes", text.len());
        source.fault(&(0..0), what, format!("keep it within {SIZE_LIMIT}"));
        return Err(source.into_faults());
    }
    let (table, broken) = DeTable::parse_recoverable(text);
    for error in broken {
        let what = format!("this is not TOML: {}", error.message());
        source.fault(&error.span().unwrap_or(0..0), what, "correct the syntax".to_owned());
    }
    if !source.is_sound() {
        return Err(source.into_faults());
    }
    let top = Section::new(&source, table.get_ref(), 0..0, "the policy".to_owned());
    let policy = read(top);
    match policy {
        Some(policy) if source.is_sound() => Ok(policy),
        Some(_) | None => Err(source.into_faults()),
    }
}

/// Reads everything before it gives up, so that all faults are found in one go.
fn read(top: Section<'_, '_>) -> Option<Policy> {
    let id = top.text("id", "\"agcom-347-18\"").map(str::to_owned);
    let version = top.text("version", "\"1\"").map(str::to_owned);
    let title = top.text("title", "\"a title for people\"").map(str::to_owned);
    let source = super::rule::read_source(&top);
    let valid_from = top.date("valid_from", "2018-07-18");
    let valid_to = top.optional_date("valid_to", "2025-01-01");
    if let (Some(from), Some(to)) = (valid_from, valid_to)
        && to <= from
    {
        top.fault("valid_to", format!("valid_to {to} is not after {from}"), "write a later day");
    }
    let zone = read_zone(&top);
    let currency = read_currency(&top);
    let version_selector = top.choice("version_selector", VERSION_SELECTORS);
    let free_plans = top.texts("free_plans", "[\"free\"]");
    let components = read_components(&top);
    // Amounts are read in euros where the currency is unknown, so that their own faults are found as well.
    let in_currency = currency.unwrap_or(Currency::EUR);
    let rounding = top
        .section("rounding", "{ mode = \"half_up\", point = \"line\" }")
        .and_then(|section| Rounding::read(section, in_currency.exponent()));
    let trigger = top.section("trigger", "{ mode = \"automatic\" }").and_then(Trigger::read);
    let exclusions =
        top.section("exclusions", "{ planned = \"covered\" }").and_then(Exclusions::read);
    let multiplier = top
        .optional_section("multiplier", "{ segment = \"business\", factor = \"2\" }")
        .and_then(Multiplier::read);
    let interest = top
        .optional_section("interest", "{ rates = \"italy\", from = \"claim\" }")
        .and_then(Interest::read);
    let shares =
        top.optional_section("shares", "{ operator = 2, fund = 1 }").and_then(Shares::read);
    let minimum_payout = top
        .optional_section("minimum_payout", "{ amount = \"1.00\", below = \"forfeited\" }")
        .and_then(|section| MinimumPayout::read(section, in_currency));
    let concurrence = read_concurrence(&top);
    let settlement = read_settlement(&top, in_currency);
    let caps = top.sections("cap", "[[cap]]");
    let caps = caps.into_iter().filter_map(|cap| Cap::read_of_policy(cap, in_currency)).collect();
    let conditions = top.sections("condition", "[[condition]]");
    let conditions: Vec<Condition> = conditions.into_iter().filter_map(Condition::read).collect();
    let rules = read_rules(&top, in_currency);
    let conventions = top
        .section("conventions", "{ day_count = \"local_days\" }")
        .map(|section| Conventions::read(section, &needs(&rules)));
    check_rates(&top, valid_from, &rules);
    check_cycles(&top, trigger.as_ref(), &rules);
    if shares.is_some() {
        Shares::check(&top, &rules);
    }
    top.finish();
    let mut policy = Policy {
        id: id?,
        version: version?,
        title: title?,
        source: source?,
        valid_from: valid_from?,
        valid_to,
        zone: zone?,
        currency: currency?,
        version_selector: version_selector?,
        free_plans,
        components,
        rounding: rounding?,
        trigger: trigger?,
        exclusions: exclusions?,
        conventions: conventions?,
        concurrence,
        settlement,
        multiplier,
        interest,
        minimum_payout,
        shares,
        caps,
        conditions,
        rules,
        sees: Sees::default(),
        follows_fees: false,
    };
    policy.sees = sees(&policy);
    Some(policy)
}

fn read_zone(top: &Section<'_, '_>) -> Option<jiff::tz::TimeZone> {
    let name = top.text("zone", "\"Europe/Rome\"")?;
    match crate::time::zone(name) {
        Ok(zone) => Some(zone),
        Err(error) => {
            top.fault("zone", error.to_string(), "write zone = \"Europe/Rome\"");
            None
        }
    }
}

fn read_currency(top: &Section<'_, '_>) -> Option<Currency> {
    let code = top.text("currency", "\"EUR\"")?;
    match code.parse() {
        Ok(currency) => Some(currency),
        Err(error) => {
            let error: crate::money::MoneyError = error;
            top.fault("currency", error.to_string(), "write currency = \"EUR\"");
            None
        }
    }
}

fn read_components(top: &Section<'_, '_>) -> BTreeMap<String, Class> {
    let Some(section) = top.section("components", "{ mailbox = \"principal\" }") else {
        return BTreeMap::new();
    };
    let components: BTreeMap<String, Class> =
        section.entries(COMPONENT_CLASSES).into_iter().collect();
    if components.is_empty() {
        let fix = "write mailbox = \"principal\"";
        top.fault("components", "[components] names no component", fix);
    }
    components
}

fn read_concurrence(top: &Section<'_, '_>) -> BTreeMap<RemedyKind, Concurrence> {
    let Some(section) = top.section("concurrence", "{ indemnity = \"set_off\" }") else {
        return BTreeMap::new();
    };
    let kinds = KINDS.iter().filter_map(|(name, kind)| {
        let mode = section.choice(name, CONCURRENCES)?;
        Some((*kind, mode))
    });
    let kinds = kinds.collect();
    section.finish();
    kinds
}

fn read_settlement(top: &Section<'_, '_>, currency: Currency) -> Option<Settlement> {
    let section = top.optional_section("settlement", "{ by = \"transfer\", days = 30 }")?;
    let by = section.choice("by", SETTLED_BY);
    let days = section.whole("days", "45").and_then(|days| u32::try_from(days).ok());
    let payable_above = section.optional_money("payable_above", currency);
    let source = super::rule::read_source(&section);
    section.finish();
    Some(Settlement { by: by?, days: days?, payable_above, source: source? })
}

fn read_rules(top: &Section<'_, '_>, currency: Currency) -> Vec<Rule> {
    let sections = top.sections("rule", "[[rule]]");
    if sections.is_empty() {
        top.fault(
            "rule",
            "the policy has no rule",
            "write a [[rule]] with id, kind, count and amount",
        );
    }
    let mut rules: Vec<Rule> = Vec::new();
    let mut ids = BTreeSet::new();
    for section in sections {
        let taken = section.peek_text("id").filter(|id| !ids.insert((*id).to_owned()));
        if let Some(id) = taken {
            section.fault("id", format!("two rules are called {id:?}"), "give each its own id");
        }
        rules.extend(Rule::read(section, currency));
    }
    rules
}

/// Notes rules whose dated rates begin after the policy does: the days before would have none.
fn check_rates(top: &Section<'_, '_>, valid_from: Option<jiff::civil::Date>, rules: &[Rule]) {
    for rule in rules {
        if let Some((first, from)) = rule.amount.first_day().zip(valid_from)
            && first > from
        {
            let what = format!("rule {:?} has no rate before {first}", rule.id);
            top.fault(
                "valid_from",
                what,
                format!("write valid_from = {first}, or an earlier rate"),
            );
        }
    }
}

/// Notes a deadline in billing cycles where the rules count several kinds of them.
fn check_cycles(top: &Section<'_, '_>, trigger: Option<&Trigger>, rules: &[Rule]) {
    let deadline = trigger.and_then(|trigger| trigger.deadline);
    let Some(Deadline::BillingCycles(_)) = deadline else { return };
    let mut cycles = rules.iter().filter_map(|rule| Some((rule, rule.count.billing_cycle()?)));
    let Some((first, cycle)) = cycles.next() else { return };
    if let Some((other, _)) = cycles.find(|(_, other)| *other != cycle) {
        let what = format!(
            "the deadline counts billing cycles, and those of rules {:?} and {:?} begin on different days",
            first.id, other.id
        );
        top.fault("trigger", what, "write the deadline in days or calendar_months");
    }
}

/// Names each convention that a rule depends on.
fn needs(rules: &[Rule]) -> Vec<(&'static str, String)> {
    let needs =
        rules.iter().flat_map(|rule| rule.count.needs().iter().map(|key| (*key, rule.id.clone())));
    let mut needs: Vec<(&'static str, String)> = needs.collect();
    needs.sort();
    needs.dedup_by_key(|(key, _)| *key);
    needs
}

fn all_caps(policy: &Policy) -> impl Iterator<Item = &Cap> {
    policy.caps.iter().chain(policy.rules.iter().flat_map(|rule| &rule.caps))
}

/// Finds which optional facts the policy looks at.
fn sees(policy: &Policy) -> Sees {
    let conditions =
        || policy.conditions.iter().chain(policy.rules.iter().flat_map(|rule| &rule.conditions));
    let mentions = |variable: &str, field: &str| {
        conditions().any(|condition| condition.mentions(variable, field))
    };
    let any_amount =
        |looks: fn(&Amount) -> bool| policy.rules.iter().any(|rule| looks(&rule.amount));
    let (by_report, by_claim) = match policy.trigger.mode {
        TriggerMode::Automatic => (false, false),
        TriggerMode::AfterReport => (true, false),
        TriggerMode::OnClaim | TriggerMode::OptIn => (false, true),
    };
    let counts = |looks: fn(&Count) -> bool| policy.rules.iter().any(|rule| looks(&rule.count));
    let interest_from =
        |clock: Clock| policy.interest.as_ref().is_some_and(|one| one.from == clock);
    let rates_by_report = policy.conventions.rate_version == VersionSelector::ReportDate
        && policy.rules.iter().any(|rule| rule.amount.first_day().is_some());
    Sees {
        fee_term: any_amount(Amount::sees_fee_term),
        declaration: interest_from(Clock::Declaration)
            || counts(|count| count.clock == Clock::Declaration),
        fee: any_amount(Amount::sees_fee) || all_caps(policy).any(Cap::sees_fee),
        quota: any_amount(Amount::sees_quota),
        term: any_amount(Amount::sees_term),
        arrears: policy.exclusions.arrears == Cover::Excluded
            || mentions("subscription", "in_arrears"),
        reports: by_report
            || rates_by_report
            || Sees::by_report(policy.version_selector)
            || interest_from(Clock::Report)
            || counts(|count| count.clock == Clock::Report),
        carried: policy.minimum_payout.as_ref().is_some_and(|one| one.below == Below::CarriedOver),
        claims: by_claim
            || interest_from(Clock::Claim)
            || counts(|count| {
                matches!(count.what, Counted::LateAnswerDay { .. } | Counted::RecognisedClaim)
                    || count.clock == Clock::Claim
            })
            || mentions("claim", "count")
            || mentions("claim", "answered"),
        appointments: counts(|count| count.what == Counted::Appointment),
        activation: counts(|count| count.what == Counted::LateStartDay),
        journey: counts(|count| count.what == Counted::Passenger),
        charges: any_amount(Amount::sees_charges),
        known_day: policy.trigger.deadline.is_some()
            || interest_from(Clock::Known)
            || counts(|count| count.clock == Clock::Known),
        paid_on: policy.interest.is_some(),
        start: counts(|count| matches!(count.what, Counted::Uptime(of) if of.sees_start())),
    }
}
