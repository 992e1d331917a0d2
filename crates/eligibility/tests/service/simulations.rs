//! What callers see of simulations: one walk for all policies, who gains, and policies that were written for others.

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::google::r#type::Money;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::settlements::{OUTAGE, approve, ended, propose, ready};
use crate::support::{Running, as_anna, row};

async fn simulate(
    running: &Running,
    policies: &[&str],
    as_if: Option<&[&str]>,
) -> Result<api::SimulateAssessmentResponse, Status> {
    let components = |components: &[&str]| components.iter().map(|&one| one.to_owned()).collect();
    let request = api::SimulateAssessmentRequest {
        outage: OUTAGE.to_owned(),
        policies: policies.iter().map(|policy| format!("policies/{policy}")).collect(),
        as_if: as_if.map(|names| api::AsIf { components: components(names) }),
        ..api::SimulateAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    client.simulate_assessment(as_anna(request)).await.map(tonic::Response::into_inner)
}

fn euros(units: i64) -> Money {
    Money { currency_code: "EUR".to_owned(), units, nanos: 0 }
}

/// Gives (value, people who get something, cents) of each group of a dimension.
fn groups<'a>(simulation: &'a api::Simulation, dimension: &str) -> Vec<(&'a str, u64, i64)> {
    let of_dimension = simulation.groups.iter().filter(|group| group.dimension == dimension);
    let figures = of_dimension.map(|group| {
        let totals = group.totals.as_ref().unwrap();
        let cents = totals.grants.iter().filter_map(|sum| sum.amount.as_ref()).map(|sum| sum.minor);
        (group.value.as_str(), totals.entitled, cents.sum())
    });
    figures.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_policies_give_in_one_walk_what_each_gives_alone() {
    let running = ready(50).await;
    let both = simulate(&running, &["libero-2023", "agcom-347-18"], None).await.unwrap();
    for (place, policy) in ["libero-2023", "agcom-347-18"].into_iter().enumerate() {
        let alone = simulate(&running, &[policy], None).await.unwrap();
        assert_eq!(alone.simulations[0], both.simulations[place]);
        assert_eq!(alone.comparisons, []);
        assert_eq!(propose(&running, policy).await.digest, both.simulations[place].digest);
    }
    // 16 free at 5.00, 34 paying at 30.00, all of it the operator's.
    let indemnity = &both.simulations[1];
    let classes = [("free", 16, 8_000), ("principal", 34, 102_000)];
    assert_eq!(groups(indemnity, "class"), classes);
    assert_eq!(groups(indemnity, "payer"), [("operator", 50, 110_000)]);
    assert_eq!(groups(indemnity, "cohort"), [("c1", 50, 110_000)]);
    let [comparison] = both.comparisons.as_slice() else { panic!("one comparison") };
    assert_eq!(comparison.gain, Some(api::Change { people: 50, sums: vec![euros(1_100)] }));
    let drivers: Vec<_> =
        comparison.drivers.iter().map(|one| (one.people, one.differences.clone())).collect();
    assert_eq!(drivers, [(34, vec![euros(1_020)]), (16, vec![euros(80)])]);
    let first = comparison.drivers[0].first.as_ref().unwrap();
    assert_eq!(first.rules, ["longer-term"]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_for_others_give_as_if_they_were_for_this_outage() {
    let running = ready(6).await;
    let francs = Money { currency_code: "CHF".to_owned(), units: 20, nanos: 0 };
    let abroad = api::SubscriptionRow { fee: Some(francs), ..row(7, "plus-5gb") };
    running.import(vec![abroad]).await;
    for policy in ["arera-2025", "eu-261", "att-guarantee", "tkg-58"] {
        running.publish(policy).await;
    }
    let all = ["eu-261", "agcom-347-18", "arera-2025", "att-guarantee", "tkg-58"];
    let as_they_are = simulate(&running, &all, None).await.unwrap();
    let entitled: Vec<u64> = as_they_are
        .simulations
        .iter()
        .map(|simulation| simulation.totals.as_ref().unwrap().entitled)
        .collect();
    assert_eq!(entitled, [0, 7, 0, 0, 0]);

    // What was given for the outage before is no part of what others would give.
    let given = propose(&running, "agcom-347-18").await;
    approve(&running, &given, 10_000).await.unwrap();
    assert_eq!(ended(&running, &given.name).await.state(), api::AssessmentState::Completed);

    let found = simulate(&running, &all, Some(&["mailbox"])).await.unwrap();
    let [flights, italy, supply, guarantee, germany] = found.simulations.as_slice() else {
        panic!("five simulations")
    };
    assert!(found.simulations.iter().all(|one| one.digest.is_empty()));
    assert_eq!(flights.not_applicable, "it counts passengers, not time without a service");
    assert_eq!((flights.totals.as_ref(), flights.groups.len()), (None, 0));
    assert_eq!(italy.assumptions, ["nothing was granted before"]);
    assert_eq!(groups(italy, "class"), [("free", 2, 1_000), ("principal", 5, 15_000)]);
    assert_eq!(supply.assumptions[0], "mailbox taken for supply");
    // 112 hours: 34.50, and 17.25 for each of 26 further blocks.
    assert_eq!(groups(supply, "class"), [("free", 0, 0), ("principal", 5, 5 * 48_300)]);
    let mut currencies: Vec<String> = guarantee
        .amounts
        .iter()
        .map(|bucket| bucket.amount.as_ref().unwrap().currency_code.clone())
        .collect();
    currencies.sort();
    assert_eq!(currencies, ["CHF", "EUR"]);
    let refused = "the fee is in CHF, but the policy counts in EUR";
    assert!(germany.not_applicable.starts_with(refused), "{}", germany.not_applicable);

    // The first that applies is compared with the others that do.
    let compared: Vec<(&str, &str)> =
        found.comparisons.iter().map(|one| (one.first.as_str(), one.other.as_str())).collect();
    let name = |policy: &str| format!("policies/{policy}/versions/1");
    let (first, others) = (name("agcom-347-18"), [name("arera-2025"), name("att-guarantee")]);
    assert_eq!(compared, [(first.as_str(), others[0].as_str()), (&first, &others[1])]);
    assert_eq!(found.comparisons[1].incomparable, 1);

    let refused = simulate(&running, &all, Some(&["fridge"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let fields = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "as_if.components");
    running.end().await;
}
