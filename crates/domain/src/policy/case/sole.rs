//! A policy that calls its remedy the only one: what the others give of that kind is dropped.
//!
//! It is the only one where it gives something. Of two such policies the one with the lower id wins.

use super::super::Policy;
use super::super::fields::Concurrence;
use crate::money::Money;
use crate::remedy::{Reason, RemedyKind, TraceLine};

/// Drops what others give beside a sole remedy. The reasons are in the order of the policies' ids.
pub(super) fn drop_others(reasons: &mut [(&Policy, Reason)]) {
    let mut wins = reasons.iter().filter(|(policy, reason)| claims_any(policy) && gives(reason));
    let Some(winner) = wins.next().map(|(policy, _)| *policy) else { return };
    for (policy, reason) in reasons.iter_mut().filter(|(policy, _)| policy.id() != winner.id()) {
        let Reason { remedies, trace, carried: _ } = reason;
        remedies.retain(|remedy| {
            let dropped = is_sole(winner, remedy.kind);
            if dropped {
                trace.push(line(policy, winner, remedy.kind, remedy.grant.amount()));
            }
            !dropped
        });
    }
}

fn gives(reason: &Reason) -> bool {
    !reason.remedies.is_empty()
}

fn is_sole(policy: &Policy, kind: RemedyKind) -> bool {
    policy.concurrence_with(kind) == Concurrence::SoleRemedy
}

fn claims_any(policy: &Policy) -> bool {
    policy.concurrence.values().any(|mode| *mode == Concurrence::SoleRemedy)
}

fn line(policy: &Policy, winner: &Policy, kind: RemedyKind, amount: Option<Money>) -> TraceLine {
    let less = amount.map(|amount| Money::new(-amount.minor, amount.currency));
    TraceLine {
        rule: format!("{}/sole-remedy", policy.id()),
        source: winner.source().to_owned(),
        text: format!("no {} beside the sole remedy of {}", kind.name(), winner.id()),
        before_rounding: less.map_or_else(String::new, Money::decimal),
        amount: less,
        excluded: "SOLE_REMEDY".to_owned(),
        ..TraceLine::default()
    }
}
