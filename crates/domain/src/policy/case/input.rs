//! A case as it is written: JSON, with unknown fields refused.

use serde::Deserialize;

/// One case of a case file, before its times and amounts are read in a policy's zone and currency.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseInput {
    /// The case's name, a sentence.
    pub name: String,
    pub(super) subscription: SubscriptionInput,
    pub(super) outage: OutageInput,
    pub(super) known_at: Option<String>,
    pub(super) announced_at: Option<String>,
    pub(super) paid_on: Option<String>,
    #[serde(default)]
    pub(super) reports: Vec<ReportInput>,
    #[serde(default)]
    pub(super) claims: Vec<ClaimInput>,
    #[serde(default)]
    pub(super) appointments: Vec<AppointmentInput>,
    pub(super) activation: Option<ActivationInput>,
    pub(super) journey: Option<JourneyInput>,
    #[serde(default)]
    pub(super) charges: Vec<ChargeInput>,
    #[serde(default)]
    pub(super) invoices: Vec<InvoiceInput>,
    #[serde(default)]
    pub(super) granted: Vec<GrantedInput>,
    #[serde(default)]
    pub(super) carried: Vec<GrantedInput>,
    #[serde(default)]
    pub(super) conventions: ConventionsInput,
    pub(super) concurrence: Option<ConcurrenceInput>,
    pub(super) expect: Option<ExpectInput>,
}

impl CaseInput {
    /// Says whether the case expects something.
    #[must_use]
    pub fn expects(&self) -> bool {
        self.expect.is_some()
    }
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionInput {
    #[serde(default)]
    pub id: String,
    pub service: String,
    pub segment: Option<String>,
    pub class: Option<String>,
    pub cohort: Option<String>,
    pub quota_bytes: Option<u64>,
    pub term_end: Option<String>,
    #[serde(default)]
    pub in_arrears: bool,
    #[serde(default)]
    pub periods: Vec<PeriodInput>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeriodInput {
    pub plan: String,
    pub fee: Option<String>,
    pub fee_period: Option<String>,
    pub currency: Option<String>,
    pub from: String,
    pub to: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutageInput {
    #[serde(default)]
    pub id: String,
    pub cause: Option<String>,
    pub works_done_at: Option<String>,
    #[serde(default)]
    pub declared: bool,
    pub declared_at: Option<String>,
    #[serde(default)]
    pub impacts: Vec<ImpactInput>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImpactInput {
    pub service: Option<String>,
    pub component: String,
    pub severity: String,
    pub cohort: Option<String>,
    pub from: String,
    pub to: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportInput {
    pub at: String,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimInput {
    pub received: String,
    pub answered: Option<String>,
    pub recognised: Option<AmountInput>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AmountInput {
    pub amount: String,
    pub currency: String,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppointmentInput {
    pub on: String,
    pub outcome: String,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivationInput {
    pub promised: String,
    pub done: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JourneyInput {
    pub distance_km: u32,
    pub intra_eu: bool,
    pub delay_minutes: u32,
    pub passengers: Option<u32>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChargeInput {
    pub from: String,
    pub to: String,
    pub amount: String,
    pub currency: String,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InvoiceInput {
    pub on: String,
    #[serde(default)]
    pub unpaid: bool,
    pub amount: String,
    pub currency: String,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantedInput {
    pub kind: String,
    pub amount: Option<String>,
    pub currency: Option<String>,
    #[serde(default)]
    pub policy: String,
}

#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConventionsInput {
    pub day_count: Option<String>,
    pub block: Option<String>,
    pub restoration_day: Option<String>,
    pub accessory: Option<String>,
    pub signed_knowing: Option<String>,
    pub rate_version: Option<String>,
    pub rounding_point: Option<String>,
    pub rounding_mode: Option<String>,
    pub relapse_merge_minutes: Option<u64>,
    pub minimum_minutes: Option<u64>,
}

/// How several policies meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConcurrenceInput {
    Cumulative,
    BestOf,
    SetOff,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectInput {
    pub remedies: Option<Vec<RemedyInput>>,
    pub refused: Option<String>,
    /// Reasons that must be found among the trace's `excluded`.
    #[serde(default)]
    pub excluded: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemedyInput {
    pub kind: String,
    pub grant: GrantInput,
    pub payer: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum GrantInput {
    Money(AmountInput),
    Credit(AmountInput),
    Voucher(AmountInput),
    Term(TermInput),
    Quota(QuotaInput),
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TermInput {
    #[serde(default)]
    pub months: u32,
    #[serde(default)]
    pub days: u32,
    pub new_end: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuotaInput {
    pub bytes: u64,
}
