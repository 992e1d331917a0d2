//! What becomes of a case: its decision as JSON, and whether it is the expected one.

use serde::Serialize;

use super::super::fields::{KINDS, PAYERS};
use super::input::{AmountInput, ExpectInput, GrantInput, RemedyInput};
use super::refused::Refused;
use super::resolve::{date, word};
use crate::money::Money;
use crate::remedy::{Grant, Payer, Reason, Remedy, TraceLine};

/// What becomes of a case. It serialises to `{"name", "remedies", "trace"}` or `{"name", "refused", "message"}`.
#[derive(Clone, PartialEq, Debug)]
pub struct CaseOutcome {
    /// The case's name.
    pub name: String,
    /// The decision, or why there is none.
    pub decision: Result<Reason, Refused>,
    /// How it differs from what the case expects; none where it does not, or where the case expects nothing.
    pub difference: Option<String>,
    /// Whether the case expects something.
    pub expected: bool,
}

impl CaseOutcome {
    /// Says whether the command that ran the case should succeed: it met its expectation, or had none and was decided.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.difference.is_none() && (self.expected || self.decision.is_ok())
    }
}

/// Compares a decision with what a case expects.
pub(super) fn difference(
    expect: &ExpectInput,
    decision: &Result<Reason, Refused>,
) -> Option<String> {
    match (decision, &expect.refused) {
        (Err(refused), Some(wanted)) => (refused.reason != wanted)
            .then(|| format!("refused as {} instead of {wanted}", refused.reason)),
        (Err(refused), None) => Some(format!("refused: {refused}")),
        (Ok(_), Some(wanted)) => Some(format!("decided instead of refused as {wanted}")),
        (Ok(reason), None) => differs(expect, reason),
    }
}

fn differs(expect: &ExpectInput, reason: &Reason) -> Option<String> {
    for wanted in &expect.excluded {
        if !reason.trace.iter().any(|line| line.excluded == *wanted) {
            return Some(format!("no line of the trace is excluded as {wanted}"));
        }
    }
    let wanted = expect.remedies.as_ref()?.iter().map(remedy).collect::<Result<Vec<_>, _>>();
    match wanted {
        Err(refused) => Some(refused.to_string()),
        Ok(mut wanted) => {
            wanted.sort();
            let mut found = reason.remedies.clone();
            found.sort();
            (wanted != found).then(|| format!("expected {}, found {}", list(&wanted), list(&found)))
        }
    }
}

fn list(remedies: &[Remedy]) -> String {
    let shown = remedies.iter().map(|remedy| {
        let grant = serde_json::to_string(&GrantJson::from(&remedy.grant)).unwrap_or_default();
        format!("{} {grant} by {}", remedy.kind.name(), remedy.payer.name())
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(" and ") }
}

fn remedy(input: &RemedyInput) -> Result<Remedy, Refused> {
    let field = "expect.remedies";
    let money = |amount: &AmountInput| {
        let refuse = |error| Refused::invalid(field, &format!("{error}"));
        Money::parse(&amount.amount, amount.currency.parse().map_err(refuse)?).map_err(refuse)
    };
    let payer = input.payer.as_deref().map(|payer| word(field, payer, PAYERS)).transpose()?;
    let grant = match &input.grant {
        GrantInput::Money(amount) => Grant::Money(money(amount)?),
        GrantInput::Credit(amount) => Grant::Credit(money(amount)?),
        GrantInput::Voucher(amount) => Grant::Voucher(money(amount)?),
        GrantInput::Term(term) => Grant::Term {
            months: term.months,
            days: term.days,
            new_end: term.new_end.as_deref().map(|end| date(field, end)).transpose()?,
        },
        GrantInput::Quota(quota) => Grant::Quota { bytes: quota.bytes },
    };
    let kind = word(field, &input.kind, KINDS)?;
    Ok(Remedy { kind, grant, payer: payer.unwrap_or(Payer::Operator) })
}

#[derive(Serialize)]
struct DecidedJson<'a> {
    name: &'a str,
    remedies: Vec<RemedyJson<'a>>,
    trace: Vec<LineJson<'a>>,
}

#[derive(Serialize)]
struct RefusedJson<'a> {
    name: &'a str,
    refused: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct RemedyJson<'a> {
    kind: &'a str,
    grant: GrantJson,
    payer: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum GrantJson {
    Money(AmountJson),
    Credit(AmountJson),
    Voucher(AmountJson),
    Term(TermJson),
    Quota { bytes: u64 },
}

#[derive(Serialize)]
struct AmountJson {
    amount: String,
    currency: String,
}

#[derive(Serialize)]
struct TermJson {
    #[serde(skip_serializing_if = "is_zero")]
    months: u32,
    #[serde(skip_serializing_if = "is_zero")]
    days: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_end: Option<String>,
}

#[derive(Serialize)]
struct LineJson<'a> {
    rule: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    quantity: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rate: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    before_rounding: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<AmountJson>,
    #[serde(skip_serializing_if = "str::is_empty")]
    excluded: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl From<&Money> for AmountJson {
    fn from(money: &Money) -> Self {
        Self { amount: money.decimal(), currency: money.currency.to_string() }
    }
}

impl From<&Grant> for GrantJson {
    fn from(grant: &Grant) -> Self {
        match grant {
            Grant::Money(money) => GrantJson::Money(money.into()),
            Grant::Credit(money) => GrantJson::Credit(money.into()),
            Grant::Voucher(money) => GrantJson::Voucher(money.into()),
            Grant::Term { months, days, new_end } => GrantJson::Term(TermJson {
                months: *months,
                days: *days,
                new_end: new_end.map(|end| end.to_string()),
            }),
            Grant::Quota { bytes } => GrantJson::Quota { bytes: *bytes },
        }
    }
}

impl<'a> From<&'a TraceLine> for LineJson<'a> {
    fn from(line: &'a TraceLine) -> Self {
        Self {
            rule: &line.rule,
            source: &line.source,
            text: &line.text,
            quantity: &line.quantity,
            unit: &line.unit,
            rate: &line.rate,
            before_rounding: &line.before_rounding,
            amount: line.amount.as_ref().map(AmountJson::from),
            excluded: &line.excluded,
        }
    }
}

impl Serialize for CaseOutcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = &self.name;
        match &self.decision {
            Ok(reason) => {
                let remedies = reason.remedies.iter().map(|remedy| RemedyJson {
                    kind: remedy.kind.name(),
                    grant: GrantJson::from(&remedy.grant),
                    payer: remedy.payer.name(),
                });
                let trace = reason.trace.iter().map(LineJson::from).collect();
                DecidedJson { name, remedies: remedies.collect(), trace }.serialize(serializer)
            }
            Err(Refused { reason, message }) => {
                RefusedJson { name, refused: reason, message }.serialize(serializer)
            }
        }
    }
}
