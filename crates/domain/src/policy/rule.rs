//! One rule of a policy: what it counts, what it gives for that, to whom and up to what.

use super::amount::Amount;
use super::caps::Cap;
use super::condition::Condition;
use super::count::{Count, Counted};
use super::fields::{KINDS, PAYERS, SEGMENTS};
use super::reader::Section;
use crate::facts::{Cause, Segment};
use crate::money::{Currency, Money};
use crate::remedy::{Grant, Payer, RemedyKind};
use crate::rounding::Exact;

/// A rule of a policy.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Its id in the trace, unique in the file.
    pub id: String,
    /// The legal nature of what it gives.
    pub kind: RemedyKind,
    /// Who bears it.
    pub payer: Payer,
    /// The part that a fund bears.
    pub fund: Option<Fund>,
    /// What amounts are given in.
    pub pays_in: PaysIn,
    /// Where it comes from, with a remark where that is doubtful.
    pub source: String,
    /// What it counts.
    pub count: Count,
    /// What it gives.
    pub amount: Amount,
    /// The most that it gives.
    pub caps: Vec<Cap>,
    /// Who is eligible.
    pub conditions: Vec<Condition>,
    /// What a grant without a price is worth, for comparing policies.
    pub estimate: Option<Money>,
}

/// The part of a rule that a fund bears: what accrues within the first hours of an interruption.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fund {
    /// The cause of outages for which it does.
    pub cause: Cause,
    /// Within how many hours.
    pub first_hours: u32,
    /// Where it comes from.
    pub source: String,
}

/// What amounts are given in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PaysIn {
    /// Money, by transfer or on an invoice.
    Money,
    /// Service credits.
    Credit,
    /// Vouchers.
    Voucher,
}

pub(crate) const PAYS_IN: &[(&str, PaysIn)] =
    &[("money", PaysIn::Money), ("credit", PaysIn::Credit), ("voucher", PaysIn::Voucher)];

/// A factor on amounts and caps for one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Multiplier {
    /// Whom it is for.
    pub segment: Segment,
    /// The factor.
    pub factor: Exact,
    /// Where it comes from, with a remark where that is doubtful.
    pub source: String,
}

/// Reads where a rule comes from; a remark says what is doubtful about it.
pub(crate) fn read_source(section: &Section<'_, '_>) -> Option<String> {
    let source = section.text("source", "\"regulation, article\"");
    let remark = section.optional_text("remark", "\"from memory\"");
    let source = source?;
    Some(remark.map_or_else(|| source.to_owned(), |remark| format!("{source} ({remark})")))
}

impl Rule {
    pub(crate) fn read(section: Section<'_, '_>, currency: Currency) -> Option<Rule> {
        let id = section.text("id", "\"outage-days\"").map(str::to_owned);
        let kind = section.choice("kind", KINDS);
        let payer = section.optional_choice("payer", PAYERS).unwrap_or(Payer::Operator);
        let pays_in = section.optional_choice("pays_in", PAYS_IN).unwrap_or(PaysIn::Money);
        let source = read_source(&section);
        let count = section.section("count", "{ unit = \"local_day\" }").and_then(Count::read);
        let has_grades = count.is_some_and(|count| count.has_grades());
        let amount = section.section("amount", "{ formula = \"per_unit\", each = \"6.00\" }");
        let amount =
            count.zip(amount).and_then(|(count, amount)| Amount::read(amount, currency, &count));
        let fund = section
            .optional_section("fund", "{ cause = \"force_majeure\", first_hours = 72 }")
            .and_then(|fund| Fund::read(fund, count));
        let caps = section.sections("caps", "[{ amount = \"300.00\", source = \"...\" }]");
        let caps: Vec<Cap> =
            caps.into_iter().filter_map(|cap| Cap::read(cap, currency, has_grades)).collect();
        if fund.is_some() && !caps.is_empty() {
            let what = "a cap on what a fund and the operator share has no stated order";
            section.fault("caps", what, "write most_hours in the count instead");
        }
        let conditions = section.sections("condition", "[[rule.condition]]");
        let conditions = conditions.into_iter().filter_map(Condition::read).collect();
        let estimate = section.optional_money("estimate", currency);
        if amount.as_ref().is_some_and(Amount::needs_estimate) && estimate.is_none() {
            let what = format!("{} gives something without a price", section.name());
            section.fault(
                "estimate",
                what,
                "write estimate = \"10.00\", its worth when policies are compared",
            );
        }
        section.finish();
        Some(Rule {
            id: id?,
            kind: kind?,
            payer,
            fund,
            pays_in,
            source: source?,
            count: count?,
            amount: amount?,
            caps,
            conditions,
            estimate,
        })
    }
}

impl Fund {
    fn read(section: Section<'_, '_>, count: Option<Count>) -> Option<Fund> {
        let cause = section.choice("cause", super::gates::CAUSES);
        let first_hours = section.whole("first_hours", "72").and_then(|h| u32::try_from(h).ok());
        let source = read_source(&section);
        if let Some(count) = count
            && !matches!(count.what, Counted::HourBlock(_))
        {
            let what = "a fund bears the first hours, but this rule counts no hours";
            section.fault("first_hours", what, "write count = { unit = \"hour_block\", ... }");
        }
        section.finish();
        Some(Fund { cause: cause?, first_hours: first_hours?, source: source? })
    }
}

impl PaysIn {
    /// Makes the grant of an amount.
    pub(crate) fn grant(self, amount: Money) -> Grant {
        match self {
            PaysIn::Money => Grant::Money(amount),
            PaysIn::Credit => Grant::Credit(amount),
            PaysIn::Voucher => Grant::Voucher(amount),
        }
    }
}

impl Multiplier {
    pub(crate) fn read(section: Section<'_, '_>) -> Option<Multiplier> {
        let segment = section.choice("segment", SEGMENTS);
        let factor = section.decimal("factor", "\"2\"");
        let source = read_source(&section);
        section.finish();
        Some(Multiplier { segment: segment?, factor: factor?, source: source? })
    }
}
