//! The case `libero-2023`: from a roster and an outage to decided, explained people.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ristoro::generate::{roster, write_csv};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::policy::shipped;
use ristoro_outage::feeds::{Format, Mapping, parse};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::policy_service_client::PolicyServiceClient;
use ristoro_proto::outage::v1::SubmitSignalsRequest;
use ristoro_proto::outage::v1::signal_service_client::SignalServiceClient;
use ristoro_proto::signal::signal_out;
use tonic::Code;

use super::money::{self, Owed};
use super::outage::{Facts, OUTAGE};
use super::{People, notices, why};
use crate::client::{Caller, Service, refusal, request_id};
use crate::progress::Progress;
use crate::verbs::assessment::{
    Assessments, Payment, propose, simulate, totals_text, until_decided,
};
use crate::verbs::subscriptions::{import, print_report};

/// The policies of the case: goodwill as it was given, and what the telecoms regulator's rules would give.
pub(super) const POLICIES: [&str; 2] = ["libero-2023", "agcom-347-18"];
/// Where the real feed lies, seen from the project's root.
const FEED: &str = "../shared/data/google-cloud/incidents.json";
/// The roster's seed.
pub(super) const SEED: u64 = 2023;

/// Plays the case.
pub async fn play(people: &People, subscribers: u64) -> Result<()> {
    println!("1. A roster of {subscribers} subscriptions, generated from seed {SEED}");
    let late = import_roster(&people.ada, subscribers).await?;
    println!("\n2. The outage of January 2023, as declarations at their own times");
    let mut facts = Facts::new(&people.ada)?;
    facts.declare().await?;
    facts.restore(late).await?;
    facts.relapse().await?;
    println!("\n3. Another provider's real feed as signals");
    feed(&people.ada, Path::new(FEED)).await?;
    println!("\n4. Two policies, published and simulated side by side");
    for policy in POLICIES {
        publish(&people.ada, policy).await?;
    }
    let policies = POLICIES.map(str::to_owned);
    let simulated = simulate(&people.ada, OUTAGE, (&policies, None), &Payment::default()).await?;
    println!("{}\n", crate::simulation::text(&simulated));
    println!("5. Proposed by one person, approved by another, decided chunk by chunk");
    let owed = settle(people).await?;
    println!("\n6. Why: one person of each plan");
    why::play(people, &owed).await?;
    money::play(people, &owed).await?;
    notices::play(people).await
}

/// Imports the generated roster; gives the mailboxes that came back last.
async fn import_roster(ada: &Caller, subscribers: u64) -> Result<Vec<String>> {
    let folder = std::env::temp_dir().join(format!("ristoro-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("roster.csv");
    let output = std::fs::File::create(&file)?;
    write_csv(roster(SEED, subscribers), std::io::BufWriter::new(output))?;
    let report = import(ada, &file, "Europe/Rome", false, request_id()).await;
    std::fs::remove_dir_all(&folder)?;
    print_report(&file, &report?);
    let mail = |id: &String| id.starts_with("lm-") || id.starts_with("vm-");
    let every = usize::try_from(subscribers / 300).unwrap_or(1).max(1);
    let ids = roster(SEED, subscribers).map(|row| row.subscription_id).filter(mail);
    Ok(ids.step_by(every).take(300).collect())
}

async fn feed(ada: &Caller, file: &Path) -> Result<()> {
    let Ok(bytes) = std::fs::read(file) else {
        println!("  skipped: {} is not there", file.display());
        return Ok(());
    };
    let parsed = parse(Format::GoogleCloud, &bytes, &Mapping::default())?;
    let signals: Vec<_> = parsed.signals.iter().map(signal_out).collect();
    let count = signals.len();
    let id = request_id();
    let messages: Vec<_> = signals
        .chunks(50)
        .map(|chunk| SubmitSignalsRequest {
            request_id: id.clone(),
            feed: "google-cloud".to_owned(),
            signals: chunk.to_vec(),
            ..SubmitSignalsRequest::default()
        })
        .collect();
    let mut client = SignalServiceClient::new(ada.channel(Service::Outage)?);
    client.submit_signals(ada.request(tokio_stream::iter(messages))).await?;
    println!("  {count} incidents went in as signals; each comes out as an outage of its own");
    Ok(())
}

/// Publishes a policy that is shipped.
pub(super) async fn publish(ada: &Caller, id: &str) -> Result<()> {
    let known = shipped().iter().find(|one| one.id == id).context("the policy is shipped")?;
    let request = api::PublishPolicyRequest {
        request_id: request_id(),
        validate_only: false,
        file: known.file.to_owned(),
        text: known.text.to_owned(),
    };
    let mut client = PolicyServiceClient::new(ada.channel(Service::Eligibility)?);
    let answer = client.publish_policy(ada.request(request)).await?.into_inner();
    println!("  {}", answer.policy.map(|policy| policy.name).unwrap_or_default());
    Ok(())
}

/// Settles both policies; gives what they owe.
async fn settle(people: &People) -> Result<Owed> {
    let first = propose(&people.ada, (OUTAGE, POLICIES[0]), None, &Payment::default()).await?;
    let second = propose(&people.ada, (OUTAGE, POLICIES[1]), None, &Payment::default()).await?;
    println!("  ada proposes {} and {}", POLICIES[0], POLICIES[1]);
    refused(approve(&people.ada, &second, None).await, "ada approves her own proposal")?;
    refused(approve(&people.bruno, &second, Some(100)).await, "bruno approves it up to 1.00 EUR")?;
    approve(&people.bruno, &first, None).await?;
    println!("  bruno approves {}", POLICIES[0]);
    decide(people, &first).await?;
    refused(
        approve(&people.bruno, &second, None).await,
        "bruno approves the second, proposed before the first gave something",
    )?;
    let again = propose(&people.ada, (OUTAGE, POLICIES[1]), None, &Payment::default()).await?;
    println!("  ada proposes {} again, knowing the first", POLICIES[1]);
    approve(&people.bruno, &again, None).await?;
    println!("  bruno approves it");
    decide(people, &again).await?;
    Ok(Owed { money: total(&again), goodwill: first.name, indemnity: again.name })
}

/// Gives what a proposal gives in money.
fn total(proposal: &api::Assessment) -> Money {
    let sums = proposal.totals.iter().flat_map(|totals| &totals.grants);
    let cents = sums.filter_map(|sum| sum.amount.as_ref()).map(|amount| amount.minor).sum();
    Money::new(cents, Currency::EUR)
}

/// Approves a proposal with its own total as the cap, or with another one in cents.
async fn approve(
    caller: &Caller,
    proposal: &api::Assessment,
    cap_cents: Option<i64>,
) -> Result<(), tonic::Status> {
    let cap = cap_cents.map_or_else(|| total(proposal), |cents| Money::new(cents, Currency::EUR));
    let request = api::ApproveAssessmentRequest {
        request_id: request_id(),
        name: proposal.name.clone(),
        digest: proposal.digest.clone(),
        cap: Some(ristoro_runtime::edge::money_message(cap)),
        ..api::ApproveAssessmentRequest::default()
    };
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    client.approve_assessment(caller.request(request)).await.map(|_| ())
}

/// Expects a refusal, and tells of it.
pub(super) fn refused(result: Result<(), tonic::Status>, what: &str) -> Result<()> {
    match result {
        Ok(()) => bail!("{what}: it should have been refused"),
        Err(status)
            if matches!(status.code(), Code::FailedPrecondition | Code::PermissionDenied) =>
        {
            println!("  {what}: refused, {}", refusal(&status));
            Ok(())
        }
        Err(status) => Err(status).with_context(|| what.to_owned()),
    }
}

async fn decide(people: &People, proposal: &api::Assessment) -> Result<()> {
    let progress = Progress::new("  decided");
    let told = |decided, total| progress.at(decided, total);
    let ended = until_decided(&people.carla, &proposal.name, told).await?;
    drop(progress);
    if ended.state() != api::AssessmentState::Completed {
        bail!("{} ended as {}: {}", ended.name, ended.state().as_str_name(), ended.note);
    }
    println!("  completed as simulated: {}", totals_text(ended.totals.as_ref()));
    println!("  digest {}", ended.digest);
    Ok(())
}
