//! The smallest amount that is paid out, and what becomes of less.

use super::Policy;
use super::error::Refusal;
use super::reader::Section;
use super::rule::{PaysIn, read_source};
use super::sheet::Sheet;
use super::view::View;
use crate::money::{Currency, Money};
use crate::remedy::{Payer, TraceLine};
use crate::rounding::Exact;

/// The smallest amount that is paid out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MinimumPayout {
    /// The smallest amount.
    pub amount: Money,
    /// What becomes of less.
    pub below: Below,
    /// Where it comes from.
    pub source: String,
}

/// What becomes of an amount below the minimum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Below {
    /// It is added to the next one.
    CarriedOver,
    /// It is lost.
    Forfeited,
}

pub(crate) const BELOW: &[(&str, Below)] =
    &[("carried_over", Below::CarriedOver), ("forfeited", Below::Forfeited)];

impl MinimumPayout {
    pub(crate) fn read(section: Section<'_, '_>, currency: Currency) -> Option<MinimumPayout> {
        let amount = section.money("amount", currency);
        let below = section.choice("below", BELOW);
        let source = read_source(&section);
        section.finish();
        Some(MinimumPayout { amount: amount?, below: below?, source: source? })
    }

    /// Adds what was carried over, then takes away what is still below the minimum.
    pub(crate) fn apply(
        &self,
        policy: &Policy,
        view: &View<'_>,
        sheet: &mut Sheet,
    ) -> Result<(), Refusal> {
        for carried in view.carried {
            let Some(money) = carried.money else { continue };
            if money.currency != policy.currency {
                return Err(Refusal::OtherCurrency {
                    what: "what is carried over".to_owned(),
                    found: money.currency.to_string(),
                    wanted: policy.currency.to_string(),
                });
            }
            let mut rules = policy.rules.iter().filter(|rule| rule.kind == carried.kind);
            let pays_in = rules.next().map_or(PaysIn::Money, |rule| rule.pays_in);
            let account = (carried.kind, pays_in, Payer::Operator);
            let line = self.line("carried over from before".to_owned(), money, "");
            sheet.add(account, Exact::whole(money.minor), line)?;
            sheet.carry(carried.kind, (money.minor, 0));
        }
        for (account, owed) in sheet.owed() {
            if owed <= 0 || owed >= self.amount.minor {
                continue;
            }
            let less = Money::new(-owed, policy.currency);
            if self.below == Below::CarriedOver {
                sheet.carry(account.0, (0, owed));
            }
            let becomes = match self.below {
                Below::CarriedOver => "carried over",
                Below::Forfeited => "forfeited",
            };
            let text = format!("below the minimum payout of {}: {becomes}", self.amount);
            let line = self.line(text, less, "BELOW_MINIMUM_PAYOUT");
            sheet.add(account, Exact::whole(less.minor), line)?;
        }
        Ok(())
    }

    fn line(&self, text: String, amount: Money, excluded: &str) -> TraceLine {
        TraceLine {
            rule: "minimum-payout".to_owned(),
            source: self.source.clone(),
            text,
            before_rounding: amount.decimal(),
            excluded: excluded.to_owned(),
            ..TraceLine::default()
        }
    }
}
