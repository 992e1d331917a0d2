//! `SimulateAssessment`: what each policy depends on, bent where that is asked for, and the outcome as messages.

use std::collections::BTreeSet;
use std::sync::Arc;

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::types::totals_out;
use ristoro_runtime::edge;
use ristoro_runtime::status;
use ristoro_runtime::views::Views;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::assessment_message::{assess_status, outage_id, policy_name, policy_text, stated};
use crate::assess::Inputs;
use crate::assess::compare::{Change, Comparison, Driver, Effect, Grounds};
use crate::assess::inputs::PolicyName;
use crate::assess::simulate::{Purpose, simulate};
use crate::assess::summary::Simulation;

/// The most policies that are simulated at once.
const POLICY_LIMIT: usize = 20;
/// The most components that stand for a principal one.
const COMPONENT_LIMIT: usize = 50;

/// A policy that was asked for.
struct Asked {
    policy: String,
    assumptions: Vec<String>,
    /// Why it cannot apply at all; then it is in no walk.
    not_applicable: Option<String>,
}

/// Simulates the policies of a request in one walk.
///
/// # Errors
/// INVALID_ARGUMENT for the request's fields, and what the assessment refuses.
pub(super) async fn run(
    views: &Views,
    partition_count: u32,
    request: &api::SimulateAssessmentRequest,
) -> Result<(Vec<api::Simulation>, Vec<api::Comparison>), Status> {
    let mut asked = Vec::new();
    let mut walked = Vec::new();
    for inputs in read(views, partition_count, request).await? {
        let policy = policy_text(&inputs.pins);
        let bent = match &request.as_if {
            Some(as_if) => bend(inputs, as_if)?,
            None => Bent::Applies(Box::new(inputs), Vec::new()),
        };
        let (assumptions, not_applicable) = match bent {
            Bent::Applies(inputs, assumptions) => {
                walked.push(*inputs);
                (assumptions, None)
            }
            Bent::Not(why) => (Vec::new(), Some(why)),
        };
        asked.push(Asked { policy, assumptions, not_applicable });
    }
    let purpose = if request.as_if.is_some() { Purpose::Try } else { Purpose::Propose };
    let walked = Arc::new(walked);
    let simulated = simulate(views, &walked, purpose).await;
    let simulated = simulated.map_err(|error| assess_status(&error))?;
    let names: Vec<String> = walked.iter().map(|inputs| policy_text(&inputs.pins)).collect();
    let applies: Vec<bool> =
        simulated.simulations.iter().map(|simulation| simulation.refused.is_none()).collect();
    let mut comparisons = Vec::new();
    for (place, comparison) in (1..).zip(&simulated.comparisons) {
        if applies[0] && applies[place] {
            comparisons.push(comparison_message((&names[0], &names[place]), comparison)?);
        }
    }
    let mut found = simulated.simulations.iter();
    let messages = asked.into_iter().map(|one| message(one, &mut found)).collect();
    Ok((messages, comparisons))
}

/// Reads what the policies depend on, all in one consistent state.
async fn read(
    views: &Views,
    partition_count: u32,
    request: &api::SimulateAssessmentRequest,
) -> Result<Vec<Inputs>, Status> {
    edge::count("policies", request.policies.len(), 1..=POLICY_LIMIT)?;
    let stated = stated(request.known_at.as_ref(), &request.payment_day)?;
    let outage = outage_id("outage", &request.outage)?;
    let named = request.policies.iter().map(|policy| policy_name("policies", policy));
    let names = named.collect::<Result<Vec<PolicyName>, Status>>()?;
    let mut view = views.begin().await.map_err(|error| status::database(&error))?;
    let mut policies = Vec::with_capacity(names.len());
    for name in &names {
        let inputs = Inputs::now(&mut view, &outage, name, stated, partition_count).await;
        policies.push(inputs.map_err(|error| assess_status(&error))?);
    }
    view.rollback().await.map_err(|error| status::database(&error))?;
    Ok(policies)
}

/// A policy as if it had been written for the outage.
enum Bent {
    /// It applies, under these assumptions.
    Applies(Box<Inputs>, Vec<String>),
    /// It does not, and why.
    Not(String),
}

fn bend(mut inputs: Inputs, as_if: &api::AsIf) -> Result<Bent, Status> {
    edge::count("as_if.components", as_if.components.len(), 0..=COMPONENT_LIMIT)?;
    let failed = inputs.outage.impacts.iter().map(|impact| impact.component.as_str());
    let failed: BTreeSet<&str> = failed.collect();
    if as_if.components.iter().any(|component| !failed.contains(component.as_str())) {
        let failed = failed.into_iter().collect::<Vec<_>>().join(", ");
        let problem = format!("names what did not fail: write some of {failed}");
        return Err(status::invalid("as_if.components", problem));
    }
    let mut bent = match inputs.policy.as_if(&inputs.outage, &as_if.components) {
        Ok(bent) => bent,
        Err(why) => return Ok(Bent::Not(why.to_string())),
    };
    if !inputs.earlier.is_empty() {
        inputs.earlier.clear();
        bent.assumptions.push("nothing was granted before".to_owned());
    }
    if inputs.carried_from().is_some() {
        inputs.pins.leftovers = None;
        bent.assumptions.push("nothing was carried over from before".to_owned());
    }
    (inputs.policy, inputs.outage) = (bent.policy, bent.outage);
    Ok(Bent::Applies(Box::new(inputs), bent.assumptions))
}

/// Writes what a policy gives, or why it gives nothing; those in the walk take its outcomes in order.
fn message<'a>(
    asked: Asked,
    outcomes: &mut impl Iterator<Item = &'a Simulation>,
) -> api::Simulation {
    let Asked { policy, assumptions, not_applicable } = asked;
    let message = api::Simulation { policy, assumptions, ..api::Simulation::default() };
    if let Some(not_applicable) = not_applicable {
        return api::Simulation { not_applicable, ..message };
    }
    let simulation = outcomes.next().expect("each policy in the walk has an outcome");
    if let Some(refused) = &simulation.refused {
        return api::Simulation { not_applicable: refused.clone(), ..message };
    }
    let digest = simulation.digests.iter().fold(Sha256::new(), |sum, part| sum.chain_update(part));
    let digest = (!simulation.digests.is_empty()).then(|| edge::hex(&digest.finalize()));
    let groups = simulation.groups.iter().map(|((dimension, value), totals)| {
        let (dimension, value) = ((*dimension).to_owned(), value.clone());
        api::SimulationGroup { dimension, value, totals: Some(totals_out(totals)) }
    });
    let amounts = simulation.amounts.iter().map(|(amount, count)| api::AmountBucket {
        amount: Some(edge::money_message(*amount)),
        count: *count,
    });
    let zeros = simulation.zeros.iter();
    let zeros =
        zeros.map(|(reason, count)| api::ZeroReason { reason: reason.clone(), count: *count });
    api::Simulation {
        totals: Some(totals_out(&simulation.totals)),
        digest: digest.unwrap_or_default(),
        groups: groups.collect(),
        amounts: amounts.collect(),
        zeros: zeros.collect(),
        ..message
    }
}

fn comparison_message(
    (first, other): (&str, &str),
    comparison: &Comparison,
) -> Result<api::Comparison, Status> {
    let ranked = comparison.ranked().map_err(|error| assess_status(&error.into()))?;
    let drivers = ranked.shown.iter().map(|(driver, change)| driver_message(driver, change));
    Ok(api::Comparison {
        first: first.to_owned(),
        other: other.to_owned(),
        gain: Some(change_message(&comparison.gain)),
        loss: Some(change_message(&comparison.loss)),
        same: comparison.same,
        incomparable: comparison.incomparable,
        drivers: drivers.collect(),
        more_drivers: ranked.left as u64,
        rest: Some(change_message(&ranked.rest)),
    })
}

fn change_message(change: &Change) -> api::Change {
    let sums = change.amounts().map(edge::money_message).collect();
    api::Change { people: change.people, sums }
}

fn driver_message(driver: &Driver, change: &Change) -> api::Driver {
    let effect = match driver.effect {
        Effect::Gain => api::Effect::Gain,
        Effect::Loss => api::Effect::Loss,
        Effect::Same => api::Effect::Same,
        Effect::Incomparable => api::Effect::Incomparable,
    };
    let grounds = |grounds: &Grounds| match grounds {
        Grounds::Rules(rules) => api::Grounds { rules: rules.clone(), reason: String::new() },
        Grounds::Nothing(reason) => api::Grounds { rules: Vec::new(), reason: reason.clone() },
    };
    api::Driver {
        effect: effect.into(),
        first: Some(grounds(&driver.first)),
        other: Some(grounds(&driver.other)),
        people: change.people,
        differences: change.amounts().map(edge::money_message).collect(),
    }
}
