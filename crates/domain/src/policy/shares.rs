//! What is owed, shared between payers in whole minor units.

use super::Policy;
use super::error::Refusal;
use super::fields::PAYERS;
use super::reader::Section;
use super::rule::{Rule, read_source};
use super::sheet::Sheet;
use crate::money::{Money, MoneyError};
use crate::remedy::{Payer, TraceLine};
use crate::rounding::{Exact, OutOfRange};

/// How much of what is owed each payer bears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shares {
    /// The weights of the payers, in the order in which an odd minor unit goes to one of them.
    pub weights: Vec<(Payer, u32)>,
    /// Where the rule comes from.
    pub source: String,
}

/// Weights are up to this, so that hundredths of a percent can be written.
const WEIGHT_LIMIT: u64 = 10_000;

impl Shares {
    pub(crate) fn read(section: Section<'_, '_>) -> Option<Shares> {
        let mut weights = Vec::new();
        for (name, payer) in PAYERS {
            let Some(weight) = section.whole(name, "1") else { continue };
            let fits = (1..=WEIGHT_LIMIT).contains(&weight);
            if !fits {
                let what = format!("{name} bears {weight} parts");
                section.fault(name, what, format!("write 1 to {WEIGHT_LIMIT}"));
            }
            weights.extend(u32::try_from(weight).ok().filter(|_| fits).map(|one| (*payer, one)));
        }
        let source = read_source(&section);
        section.finish();
        (weights.len() == PAYERS.len()).then_some(())?;
        Some(Shares { weights, source: source? })
    }

    /// Notes rules that name a payer of their own: who bears what would be said twice.
    pub(crate) fn check(top: &Section<'_, '_>, rules: &[Rule]) {
        let mut own = rules.iter().filter(|one| one.fund.is_some() || one.payer != Payer::Operator);
        if let Some(rule) = own.next() {
            let what = format!("rule {:?} names who pays, and [shares] does as well", rule.id);
            top.fault("shares", what, "keep one of the two");
        }
    }

    /// Moves the other payers' parts from the operator, who owes everything so far, to them.
    pub(crate) fn apply(&self, policy: &Policy, sheet: &mut Sheet) -> Result<(), Refusal> {
        let weights: Vec<u32> = self.weights.iter().map(|(_, weight)| *weight).collect();
        for (account, owed) in sheet.owed() {
            let owed = Money::new(owed, policy.currency);
            // Where a policy rounds to whole euros, the parts are whole euros too.
            let step = policy.rounding.step_minor;
            let steps = Money::new(owed.minor / step, policy.currency);
            let parts = steps.split(&weights).map_err(|_: MoneyError| out_of_range())?;
            for ((payer, weight), part) in self.weights.iter().zip(parts) {
                let part = Money::new(part.minor * step, policy.currency);
                if *payer == Payer::Operator || part.minor <= 0 {
                    continue;
                }
                let of: u32 = weights.iter().sum();
                let text = format!("{} bears {weight} of {of} parts of {owed}", payer.name());
                let less = Money::new(-part.minor, policy.currency);
                sheet.add(account, Exact::whole(less.minor), self.line(text.clone(), less))?;
                let (kind, pays_in, _) = account;
                let line = self.line(text, part);
                sheet.add((kind, pays_in, *payer), Exact::whole(part.minor), line)?;
            }
        }
        Ok(())
    }

    fn line(&self, text: String, amount: Money) -> TraceLine {
        TraceLine {
            rule: "shares".to_owned(),
            source: self.source.clone(),
            text,
            before_rounding: amount.decimal(),
            ..TraceLine::default()
        }
    }
}

fn out_of_range() -> Refusal {
    Refusal::out_of_range("shares")(OutOfRange)
}
