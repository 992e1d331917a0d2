//! How the reasons of several policies meet: all of them, the best of them, or each only for what exceeds the others.
//!
//! Policies are taken in the order of their ids, so that the order in which they were named is not seen.

use super::super::Policy;
use super::super::error::Refusal;
use super::super::sheet::merge;
use super::input::ConcurrenceInput;
use super::refused::Refused;
use super::sole;
use crate::money::Money;
use crate::remedy::{Grant, Reason, Remedy, TraceLine};
use crate::rounding::OutOfRange;

/// Puts the reasons of several policies together.
pub(super) fn combine(
    mut reasons: Vec<(&Policy, Reason)>,
    mode: ConcurrenceInput,
) -> Result<Reason, Refused> {
    reasons.sort_by(|(left, _), (right, _)| left.id().cmp(right.id()));
    for (policy, reason) in &mut reasons {
        for line in &mut reason.trace {
            line.rule = format!("{}/{}", policy.id(), line.rule);
        }
    }
    sole::drop_others(&mut reasons);
    match mode {
        ConcurrenceInput::Cumulative => Ok(together(reasons)),
        ConcurrenceInput::BestOf => best_of(reasons),
        ConcurrenceInput::SetOff => set_off(reasons),
    }
}

/// Adds up what the versions of one policy give, the earlier ones first.
pub(super) fn versions(mut reasons: Vec<(&Policy, Reason)>) -> Reason {
    reasons.sort_by_key(|(policy, _)| policy.valid_from());
    together(reasons)
}

fn together(reasons: Vec<(&Policy, Reason)>) -> Reason {
    let mut all = Reason::default();
    for (_, reason) in reasons {
        for remedy in reason.remedies {
            merge(&mut all.remedies, remedy);
        }
        all.trace.extend(reason.trace);
    }
    all.remedies.sort();
    all
}

/// Gives the reason that is worth most; a tie goes to the lower policy id.
fn best_of(reasons: Vec<(&Policy, Reason)>) -> Result<Reason, Refused> {
    let mut valued = Vec::new();
    for (policy, reason) in reasons {
        let value = value(policy, &reason)?;
        valued.push((policy, reason, value));
    }
    let wanted = valued.first().map(|(policy, _, _)| policy.currency());
    if let Some((other, _, _)) =
        valued.iter().find(|(policy, _, _)| Some(policy.currency()) != wanted)
    {
        return Err(Refused::from(Refusal::OtherCurrency {
            what: format!("policy {:?}", other.id()),
            found: other.currency().to_string(),
            wanted: wanted.map_or_else(String::new, |currency| currency.to_string()),
        }));
    }
    let mut best = 0;
    for (place, (_, _, value)) in valued.iter().enumerate() {
        if value.minor > valued[best].2.minor {
            best = place;
        }
    }
    let Some((winner, mut chosen, most)) = (best < valued.len()).then(|| valued.remove(best))
    else {
        return Ok(Reason::default());
    };
    for (policy, _, value) in valued {
        chosen.trace.push(TraceLine {
            rule: format!("{}/best-of", policy.id()),
            source: policy.source().to_owned(),
            text: format!("worth {value}; {} is worth {most}", winner.id()),
            excluded: "NOT_THE_BEST".to_owned(),
            ..TraceLine::default()
        });
    }
    Ok(chosen)
}

/// Values a reason: amounts as they are, other grants by the policy's own estimate.
fn value(policy: &Policy, reason: &Reason) -> Result<Money, Refused> {
    let mut sum = Money::new(0, policy.currency());
    let add = |sum: Money, other: Money| sum.checked_add(other).map_err(|_| out_of_range(policy));
    for amount in reason.remedies.iter().filter_map(|remedy| remedy.grant.amount()) {
        sum = add(sum, amount)?;
    }
    if reason.remedies.iter().all(|remedy| remedy.grant.amount().is_some()) {
        return Ok(sum);
    }
    let gives = |id: &str| {
        let wanted = format!("{}/{id}", policy.id());
        reason.trace.iter().any(|line| line.rule == wanted && line.excluded.is_empty())
    };
    for rule in policy.rules().iter().filter(|rule| gives(&rule.id)) {
        if let Some(estimate) = rule.estimate {
            sum = add(sum, estimate)?;
        }
    }
    Ok(sum)
}

fn out_of_range(policy: &Policy) -> Refused {
    Refused::from(Refusal::out_of_range(policy.id())(OutOfRange))
}

/// Gives each policy's money only so far as it exceeds what the policies before it gave.
fn set_off(reasons: Vec<(&Policy, Reason)>) -> Result<Reason, Refused> {
    let mut given: Option<Money> = None;
    let mut reduced = Vec::new();
    for (policy, mut reason) in reasons {
        let mut own: Option<Money> = None;
        let mut left = given;
        for remedy in &mut reason.remedies {
            let Grant::Money(amount) = &mut remedy.grant else { continue };
            own = Some(
                own.unwrap_or(Money::new(0, amount.currency))
                    .checked_add(*amount)
                    .map_err(|_| out_of_range(policy))?,
            );
            let Some(available) = left.as_mut() else { continue };
            if available.currency != amount.currency {
                return Err(Refused::from(Refusal::OtherCurrency {
                    what: format!("policy {:?}", policy.id()),
                    found: amount.currency.to_string(),
                    wanted: available.currency.to_string(),
                }));
            }
            let part = available.minor.min(amount.minor);
            if part > 0 {
                available.minor -= part;
                amount.minor -= part;
                reason.trace.push(set_off_line(
                    policy,
                    Money::new(-part, amount.currency),
                    amount.minor,
                ));
            }
        }
        reason.remedies.retain(is_something);
        given = match (given, own) {
            (Some(given), Some(own)) => {
                Some(Money::new(given.minor.max(own.minor), given.currency))
            }
            (given, own) => given.or(own),
        };
        reduced.push((policy, reason));
    }
    Ok(together(reduced))
}

fn is_something(remedy: &Remedy) -> bool {
    remedy.grant.amount().is_none_or(|amount| amount.minor > 0)
}

fn set_off_line(policy: &Policy, amount: Money, rest: i64) -> TraceLine {
    TraceLine {
        rule: format!("{}/set-off", policy.id()),
        source: policy.source().to_owned(),
        text: "set off against what the other policies give".to_owned(),
        before_rounding: amount.decimal(),
        amount: Some(amount),
        excluded: if rest == 0 { "ALREADY_GRANTED".to_owned() } else { String::new() },
        ..TraceLine::default()
    }
}
