//! More storage, in percent of what there was.
//!
//! Italiaonline, January 2023: free mailboxes grow by 20 % for ever, from 1 to 1.2 GB (Libero) and from 3 to 3.6 GB
//! (Virgilio).

use super::{Draft, Given, Value};
use crate::policy::error::Refusal;
use crate::policy::fields::ROUNDING_MODES;
use crate::policy::reader::Section;
use crate::remedy::Grant;
use crate::rounding::{Exact, RoundingMode};

/// A percentage of storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quota {
    /// The percentage added.
    percent: Exact,
    /// How parts of a byte are rounded.
    rounding: RoundingMode,
    /// The storage of plans, for subscriptions whose own is not known.
    bases: Vec<QuotaBase>,
}

/// The storage that comes with a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaBase {
    /// The service.
    service: String,
    /// The plan.
    plan: String,
    /// The storage in bytes.
    bytes: u64,
}

impl Quota {
    pub(super) fn read(section: &Section<'_, '_>) -> Option<Quota> {
        let percent = section.decimal("percent", "\"20\"");
        let rounding = section.choice("rounding", ROUNDING_MODES);
        let mut bases = Vec::new();
        let example = "[{ service = \"libero-mail\", plan = \"free\", bytes = 1_073_741_824 }]";
        for base in section.sections("base", example) {
            let service = base.text("service", "\"libero-mail\"").map(str::to_owned);
            let plan = base.text("plan", "\"free\"").map(str::to_owned);
            let bytes = base.whole("bytes", "1_073_741_824");
            base.finish();
            if let (Some(service), Some(plan), Some(bytes)) = (service, plan, bytes) {
                bases.push(QuotaBase { service, plan, bytes });
            }
        }
        Some(Quota { percent: percent?, rounding: rounding?, bases })
    }

    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        if given.units.is_empty() {
            return Ok(Vec::new());
        }
        let (service, plan) = (given.view.service, given.view.plan());
        let base = self.bases.iter().find(|base| base.service == service && base.plan == plan);
        let known = given.view.quota_bytes.or(base.map(|base| base.bytes));
        let Some(before) = known else {
            let (service, plan) = (service.to_owned(), plan.to_owned());
            return Err(Refusal::QuotaUnknown { rule: given.rule.id.clone(), service, plan });
        };
        let out_of_range = Refusal::out_of_range(&given.rule.id);
        let before_exact = Exact::ratio(i128::from(before), 1).map_err(&out_of_range)?;
        let grown = self.percent.over(100).and_then(|share| share.plus(Exact::ONE));
        let exact = grown.and_then(|factor| before_exact.times(factor)).map_err(&out_of_range)?;
        let rounded = exact.round(self.rounding).map_err(&out_of_range)?;
        let bytes = u64::try_from(rounded).unwrap_or(0);
        Ok(vec![Draft {
            text: format!("storage grows by {} % from {before} to {bytes} bytes", self.percent),
            quantity: before.to_string(),
            unit: "byte",
            rate: grown.map_err(&out_of_range)?.to_string(),
            grade: None,
            value: Value::Grant(Grant::Quota { bytes }),
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    /// Worked example L1.
    #[test]
    fn parts_of_a_byte_are_rounded_up() {
        let formula = |bytes: u64| {
            format!(
                r#"{{ formula = "quota", percent = "20", rounding = "up", base = [{{ service = "mail", plan = "plan", bytes = {bytes} }}] }}"#
            )
        };
        check(&formula(1_073_741_824), "outage", &[("free", 1)], &["quota 1288490189"]);
        check(&formula(3_221_225_472), "outage", &[("free", 1)], &["quota 3865470567"]);
        check(&formula(1_073_741_824), "outage", &[], &[]);
    }
}
