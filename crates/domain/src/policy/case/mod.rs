//! Case files: one subscription, one outage and what is expected, as JSON. A policy's tests are a list of them.

mod combine;
mod input;
mod outcome;
mod refused;
mod resolve;
mod sole;

pub use input::CaseInput;
pub use outcome::CaseOutcome;
pub use refused::Refused;
pub use resolve::Case;

use std::collections::BTreeMap;

use super::{Evaluator, Policy};
use crate::remedy::Reason;
use input::ConcurrenceInput;

/// The largest case file, in bytes.
pub const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// A file that is no case and no list of cases.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CaseError {
    /// The text is not the JSON of a case.
    #[error("line {line}, column {column}: {message}")]
    NotACase {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong; it names unknown fields and the known ones.
        message: String,
    },
    /// The text is too long.
    #[error("the case file has {bytes} bytes: keep it within {SIZE_LIMIT}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
}

/// Says whether a case file is a list, which is answered with a list.
#[must_use]
pub fn is_list(json_text: &str) -> bool {
    json_text.trim_start().starts_with('[')
}

/// Reads a case file: one case or a list of them.
///
/// # Errors
/// `NotACase` with line and column, `TooLarge`.
pub fn parse_cases(json_text: &str) -> Result<Vec<CaseInput>, CaseError> {
    if json_text.len() > SIZE_LIMIT {
        return Err(CaseError::TooLarge { bytes: json_text.len() });
    }
    let not_a_case = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let place = format!(" at line {line} column {column}");
        let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
        CaseError::NotACase { line, column, message }
    };
    if is_list(json_text) {
        return serde_json::from_str(json_text).map_err(not_a_case);
    }
    serde_json::from_str(json_text).map(|case| vec![case]).map_err(not_a_case)
}

/// Decides a case under one policy, or under several with the case's concurrence.
#[must_use]
pub fn run(policies: &[Policy], case: &CaseInput) -> CaseOutcome {
    let decision = decide(policies, case);
    let difference = case.expect.as_ref().and_then(|expect| outcome::difference(expect, &decision));
    CaseOutcome { name: case.name.clone(), decision, difference, expected: case.expects() }
}

fn decide(policies: &[Policy], input: &CaseInput) -> Result<Reason, Refused> {
    if policies.is_empty() {
        return Err(Refused::invalid("policies", "there is none: name at least one"));
    }
    let mut versions: BTreeMap<&str, Vec<&Policy>> = BTreeMap::new();
    for policy in policies {
        versions.entry(policy.id()).or_default().push(policy);
    }
    let mut reasons = Vec::new();
    for versions in versions.into_values() {
        let latest = *versions.last().expect("a group has a member");
        reasons.push((latest, decide_under_versions(&versions, input)?));
    }
    if reasons.len() == 1 {
        return Ok(reasons.remove(0).1);
    }
    let mode = input.concurrence.unwrap_or(ConcurrenceInput::Cumulative);
    combine::combine(reasons, mode)
}

/// Decides under the versions of one policy: each gives what its own validity covers, and they add up.
fn decide_under_versions(versions: &[&Policy], input: &CaseInput) -> Result<Reason, Refused> {
    let [policy] = versions else {
        let mut reasons = Vec::new();
        for (place, policy) in versions.iter().enumerate() {
            if let Some(other) = versions[..place].iter().find(|other| other.overlaps(policy)) {
                let (id, version, before) = (policy.id(), policy.version(), other.version());
                let what = format!("versions {before} and {version} of {id} are in force together");
                return Err(Refused::invalid("policies", &what));
            }
            reasons.push((*policy, decide_under(policy, input)?));
        }
        return Ok(combine::versions(reasons));
    };
    decide_under(policy, input)
}

fn decide_under(policy: &Policy, input: &CaseInput) -> Result<Reason, Refused> {
    let case = Case::read(input, policy)?;
    let policy = policy.with_overrides(&case.overrides);
    let mut evaluator = Evaluator::new(&policy, &case.outage);
    let index = evaluator.decide(&case.subscription, &case.context())?;
    Ok(evaluator.reason(index).clone())
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod combine_tests;
