//! Provisioning clients that race, lose what they pulled now and then, and record every grant that they make.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::grant_service_client::GrantServiceClient;
use tonic::{Code, Status};

use super::super::client::{Caller, Person, tolerated};
use super::super::random::Random;

/// The shortest lease.
const LEASE_SECONDS: u32 = 10;
/// After so many empty answers in a row, nothing is left: the last of them is several leases behind the first, since an
/// answer that is lost on its way lends everything for a lease more.
const EMPTY: u32 = 30;
const REST: Duration = Duration::from_secs(1);

/// What was made, by its key: what it was, and how often somebody was told to make it.
#[derive(Debug, Default)]
pub struct Workshop {
    made: Mutex<BTreeMap<String, Made>>,
}

/// One grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// Whose.
    pub payout: String,
    /// What, as it was told.
    pub remedy: Vec<u8>,
    /// How often it was lent; it was made the first time only.
    pub lent: u64,
}

impl Workshop {
    /// Makes a grant, once for its key.
    ///
    /// # Panics
    /// Where the same key stands for something else than before.
    fn make(&self, grant: &api::Grant) {
        let remedy = grant.remedy.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        let mut made = self.made.lock().expect("a panic here is a failure of the whole test");
        let known = made.entry(grant.key.clone()).or_insert_with(|| Made {
            payout: grant.payout.clone(),
            remedy: remedy.clone(),
            lent: 0,
        });
        assert_eq!((&known.payout, &known.remedy), (&grant.payout, &remedy), "{}", grant.key);
        known.lent += 1;
    }

    /// Gives everything that was made.
    ///
    /// # Panics
    /// Where a client panicked.
    #[must_use]
    pub fn made(&self) -> BTreeMap<String, Made> {
        self.made.lock().expect("a panic here is a failure of the whole test").clone()
    }
}

/// Pulls and makes grants of an assessment until nothing has been left for longer than a lease.
///
/// # Errors
/// A refusal that no race explains, or no answer at all.
pub async fn provision(
    person: Person,
    assessment: String,
    workshop: Arc<Workshop>,
    mut random: Random,
) -> Result<(), Status> {
    let mut empty = 0;
    while empty < EMPTY {
        let lent = pull(&person.payout, &assessment).await?;
        if lent.is_empty() {
            empty += 1;
            tokio::time::sleep(REST).await;
            continue;
        }
        empty = 0;
        let mut payouts: Vec<String> = Vec::new();
        for grant in &lent {
            workshop.make(grant);
            payouts.push(grant.payout.clone());
        }
        // A client that dies here has made everything and told nobody.
        if random.chance(150) {
            continue;
        }
        payouts.sort();
        payouts.dedup();
        report(&person.payout, &assessment, payouts).await?;
    }
    Ok(())
}

/// Pulls once; what came before a connection broke counts, and nothing is pulled again at once.
async fn pull(caller: &Caller, assessment: &str) -> Result<Vec<api::Grant>, Status> {
    let message = api::PullGrantsRequest {
        parent: format!("assessments/{assessment}"),
        max_grants: 60,
        lease_seconds: LEASE_SECONDS,
    };
    caller
        .ask(|channel| {
            let mut client = GrantServiceClient::new(channel);
            let request = caller.request(message.clone());
            async move {
                let mut answers = client.pull_grants(request).await?.into_inner();
                let mut grants = Vec::new();
                loop {
                    match answers.message().await {
                        Ok(Some(answer)) => grants.extend(answer.grants),
                        Ok(None) => return Ok(tonic::Response::new(grants)),
                        Err(_) if !grants.is_empty() => return Ok(tonic::Response::new(grants)),
                        Err(status) => return Err(status),
                    }
                }
            }
        })
        .await
}

async fn report(caller: &Caller, assessment: &str, payouts: Vec<String>) -> Result<(), Status> {
    let outcome = |payout| api::GrantOutcome { payout, failure: String::new() };
    let message = api::ReportGrantOutcomesRequest {
        parent: format!("assessments/{assessment}"),
        outcomes: payouts.into_iter().map(outcome).collect(),
    };
    let reported = caller
        .ask(|channel| {
            let mut client = GrantServiceClient::new(channel);
            let request = caller.request(message.clone());
            async move { client.report_grant_outcomes(request).await }
        })
        .await;
    match reported {
        // Others wrote too often; what is not reported is lent again.
        Err(status) if status.code() == Code::Aborted => Ok(()),
        outcome => tolerated(outcome).map(|_| ()),
    }
}
