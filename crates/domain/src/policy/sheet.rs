//! The sheet on which a decision is drawn up: lines that sum to remedies, rounded where the policy says.

use std::collections::BTreeMap;

use super::amount::{Draft, Value};
use super::error::Refusal;
use super::fields::{Rounding, RoundingPoint};
use super::rule::{PaysIn, Rule};
use crate::money::{Currency, Money};
use crate::remedy::{Carried, Grant, Payer, Reason, Remedy, RemedyKind, TraceLine};
use crate::rounding::Exact;

/// What is summed to one remedy.
pub(crate) type Account = (RemedyKind, PaysIn, Payer);

/// An exact sum and what its lines show of it so far.
#[derive(Clone, Copy)]
struct Sum {
    exact: Exact,
    shown: i64,
}

/// A decision that is drawn up line by line.
pub(crate) struct Sheet {
    currency: Currency,
    rounding: Rounding,
    lines: Vec<TraceLine>,
    sums: BTreeMap<Account, Sum>,
    grants: Vec<Remedy>,
    /// What was carried over from before, and what is to the next one.
    carried: BTreeMap<RemedyKind, (i64, i64)>,
}

impl Sheet {
    pub(crate) fn new(currency: Currency, rounding: Rounding) -> Self {
        let (lines, sums) = (Vec::new(), BTreeMap::new());
        Self { currency, rounding, lines, sums, grants: Vec::new(), carried: BTreeMap::new() }
    }

    /// Writes a line that gives nothing, and why.
    pub(crate) fn exclude(&mut self, rule: &str, source: &str, text: String, excluded: &str) {
        let (rule, source, excluded) = (rule.to_owned(), source.to_owned(), excluded.to_owned());
        self.lines.push(TraceLine { rule, source, text, excluded, ..TraceLine::default() });
    }

    /// Writes a line that only explains.
    pub(crate) fn note(&mut self, rule: &str, source: &str, text: String) {
        self.exclude(rule, source, text, "");
    }

    /// Writes a rule's line and gives what it adds: exact minor units, rounded where lines are.
    pub(crate) fn draft(
        &mut self,
        (rule, payer): (&Rule, Payer),
        draft: Draft,
    ) -> Result<Exact, Refusal> {
        let mut line = TraceLine {
            rule: rule.id.clone(),
            source: rule.source.clone(),
            text: draft.text,
            quantity: draft.quantity,
            unit: draft.unit.to_owned(),
            rate: draft.rate,
            ..TraceLine::default()
        };
        match draft.value {
            Value::Money(exact) => {
                let account = (rule.kind, rule.pays_in, payer);
                self.add(account, exact, line)
            }
            Value::Grant(grant) => {
                self.lines.push(line);
                self.grants.push(Remedy { kind: rule.kind, grant, payer });
                Ok(Exact::ZERO)
            }
            Value::Nothing(excluded) => {
                line.excluded = excluded.to_owned();
                self.lines.push(line);
                Ok(Exact::ZERO)
            }
        }
    }

    /// Adds an exact amount, negative for a cap or a set-off, to an account under a line of its own.
    pub(crate) fn add(
        &mut self,
        account: Account,
        exact: Exact,
        mut line: TraceLine,
    ) -> Result<Exact, Refusal> {
        let rule = line.rule.clone();
        let out_of_range = Refusal::out_of_range(&rule);
        let added = match self.rounding.point {
            RoundingPoint::Unit | RoundingPoint::Line => {
                Exact::whole(self.rounding.round(exact).map_err(&out_of_range)?)
            }
            RoundingPoint::End => exact,
        };
        let before = self.sums.get(&account).copied();
        let before = before.unwrap_or(Sum { exact: Exact::ZERO, shown: 0 });
        let sum = before.exact.plus(added).map_err(&out_of_range)?;
        let shown = self.rounding.round(sum).map_err(&out_of_range)?;
        let amount = shown.checked_sub(before.shown).ok_or(crate::rounding::OutOfRange);
        line.amount = Some(Money::new(amount.map_err(&out_of_range)?, self.currency));
        if line.before_rounding.is_empty() {
            line.before_rounding = exact.amount(self.currency.exponent());
        }
        self.sums.insert(account, Sum { exact: sum, shown });
        self.lines.push(line);
        Ok(added)
    }

    /// Notes what is carried over, in minor units: from before, and to the next. Its lines are written apart, and refuse
    /// what leaves 64 bits.
    pub(crate) fn carry(&mut self, kind: RemedyKind, (before, left): (i64, i64)) {
        let sums = self.carried.entry(kind).or_default();
        *sums = (sums.0.saturating_add(before), sums.1.saturating_add(left));
    }

    /// Ends the calculation: what follows (earlier grants, interest, payers) works on the rounded sums.
    pub(crate) fn settle(&mut self) {
        for sum in self.sums.values_mut() {
            sum.exact = Exact::whole(sum.shown);
        }
    }

    /// Gives what is owed so far on each account, in minor units.
    pub(crate) fn owed(&self) -> Vec<(Account, i64)> {
        self.sums.iter().map(|(account, sum)| (*account, sum.shown)).collect()
    }

    /// Drops what is no money, and says whether there was any.
    pub(crate) fn drop_grants(&mut self) -> bool {
        let dropped = !self.grants.is_empty();
        self.grants.clear();
        dropped
    }

    /// Closes the sheet. One remedy stands for each kind, grant type, currency and payer.
    pub(crate) fn finish(mut self) -> Reason {
        let mut remedies = Vec::new();
        for ((kind, pays_in, payer), sum) in &self.sums {
            if sum.shown > 0 {
                let grant = pays_in.grant(Money::new(sum.shown, self.currency));
                remedies.push(Remedy { kind: *kind, grant, payer: *payer });
            }
        }
        for grant in self.grants.drain(..) {
            merge(&mut remedies, grant);
        }
        remedies.sort();
        let explained = self.lines.iter().any(|line| !line.excluded.is_empty());
        if remedies.is_empty() && !explained {
            self.exclude("result", "", "the lines sum to nothing".to_owned(), "NOTHING_OWED");
        }
        let carried = self.carried.iter().map(|(kind, (before, left))| Carried {
            kind: *kind,
            before: Money::new(*before, self.currency),
            left: Money::new(*left, self.currency),
        });
        Reason { remedies, carried: carried.collect(), trace: self.lines }
    }
}

/// Adds a remedy to one of the same kind, grant type, currency and payer, or beside the others.
pub(crate) fn merge(remedies: &mut Vec<Remedy>, remedy: Remedy) {
    for other in remedies.iter_mut() {
        if other.kind != remedy.kind || other.payer != remedy.payer {
            continue;
        }
        if let Some(grant) = merged(&other.grant, &remedy.grant) {
            other.grant = grant;
            return;
        }
    }
    remedies.push(remedy);
}

fn merged(left: &Grant, right: &Grant) -> Option<Grant> {
    let sum = |left: &Money, right: &Money| left.checked_add(*right).ok();
    match (left, right) {
        (Grant::Money(left), Grant::Money(right)) => sum(left, right).map(Grant::Money),
        (Grant::Credit(left), Grant::Credit(right)) => sum(left, right).map(Grant::Credit),
        (Grant::Voucher(left), Grant::Voucher(right)) => sum(left, right).map(Grant::Voucher),
        (Grant::Quota { bytes: left }, Grant::Quota { bytes: right }) => {
            Some(Grant::Quota { bytes: *left.max(right) })
        }
        (
            Grant::Term { months, days, new_end },
            Grant::Term { months: more_months, days: more_days, new_end: other_end },
        ) => Some(Grant::Term {
            months: months.checked_add(*more_months)?,
            days: days.checked_add(*more_days)?,
            new_end: new_end.zip(*other_end).and_then(|(end, _)| {
                let months = jiff::Span::new().try_months(*more_months).ok()?;
                let days = jiff::Span::new().try_days(*more_days).ok()?;
                end.checked_add(months).ok()?.checked_add(days).ok()
            }),
        }),
        (
            Grant::Money(_)
            | Grant::Credit(_)
            | Grant::Voucher(_)
            | Grant::Term { .. }
            | Grant::Quota { .. },
            _,
        ) => None,
    }
}
