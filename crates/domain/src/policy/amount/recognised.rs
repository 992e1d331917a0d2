//! The damages that were proven and recognised.
//!
//! Damages (risarcimento) are what was recognised on the claim; what is deducted from them is the policy's concurrence.

use super::{Draft, Given, Value};
use crate::policy::error::Refusal;
use crate::rounding::Exact;

/// Gives a line for each claim.
pub(super) fn drafts(given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
    let mut drafts = Vec::new();
    for unit in given.units {
        let place = usize::try_from(unit.index).unwrap_or(0).saturating_sub(1);
        let claim = given.view.seen.claims.get(place);
        let Some(money) = claim.and_then(|claim| claim.recognised) else { continue };
        given.same_currency("what was recognised", money)?;
        drafts.push(Draft {
            text: format!("damages recognised on the claim of {}", unit.day),
            quantity: "1".to_owned(),
            unit: given.unit_name,
            rate: money.decimal(),
            grade: None,
            value: Value::Money(Exact::whole(money.minor)),
        });
    }
    Ok(drafts)
}
