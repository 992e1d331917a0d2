//! A small provisioning client: pulls grants, makes them, and tells what became of each.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use ristoro_domain::remedy::Grant;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::grant_service_client::GrantServiceClient;
use ristoro_proto::types::remedy_in;
use tonic::transport::Channel;

use super::super::People;
use super::payout::{retry, short};
use crate::client::Service;
use crate::values;

/// Grants of one pull, and outcomes of one report.
const BATCH: u32 = 10_000;

struct Provisioning<'a> {
    people: &'a People,
    client: GrantServiceClient<Channel>,
    assessment: &'a str,
}

/// Makes all grants of an assessment; one fails, and is made at the second attempt.
pub async fn play(people: &People, assessment: &str) -> Result<()> {
    let client = GrantServiceClient::new(people.ada.channel(Service::Payout)?);
    let mut provisioning = Provisioning { people, client, assessment };
    let mut made = Made::default();
    loop {
        let grants = provisioning.pull().await?;
        if grants.is_empty() {
            break;
        }
        made.note(&grants);
        let failing = made.failed.get_or_insert_with(|| grants[0].clone()).payout.clone();
        provisioning.report(&grants, Some(&failing)).await?;
    }
    println!("  provisioning pulls the grants of libero-2023 and makes them:");
    for (what, count) in &made.by_kind {
        println!("    {what}: {count}");
    }
    let Some(failed) = made.failed else { bail!("there is nothing to pull") };
    println!(
        "  one fails, that of {}: no such mailbox; nobody gets it unasked",
        short(&failed.payout)
    );
    let attempt = retry(people, &failed.payout).await?;
    let again = provisioning.pull().await?;
    if again.len() != 1 || again[0].payout != failed.payout || again[0].key == failed.key {
        bail!("after the retry of {} came {again:?}", failed.key);
    }
    provisioning.report(&again, None).await?;
    println!("  bruno has it tried again: attempt {attempt}, pulled under a new key, made");
    Ok(())
}

/// What was pulled.
#[derive(Default)]
struct Made {
    by_kind: BTreeMap<String, u64>,
    /// The grant that fails at first.
    failed: Option<api::Grant>,
}

impl Made {
    fn note(&mut self, grants: &[api::Grant]) {
        for grant in grants {
            *self.by_kind.entry(kind(grant)).or_default() += 1;
        }
    }
}

/// Says what is given, leaving out the date that each person's term ends on.
fn kind(grant: &api::Grant) -> String {
    let remedy = grant.remedy.as_ref().and_then(|remedy| remedy_in(remedy).ok());
    let grant = remedy.map(|remedy| match remedy.grant {
        Grant::Term { months, days, new_end: _ } => Grant::Term { months, days, new_end: None },
        grant @ (Grant::Money(_) | Grant::Credit(_) | Grant::Voucher(_) | Grant::Quota { .. }) => {
            grant
        }
    });
    grant.map_or_else(String::new, |grant| values::grant_text(&grant))
}

impl Provisioning<'_> {
    async fn pull(&mut self) -> Result<Vec<api::Grant>> {
        let request = api::PullGrantsRequest {
            parent: self.assessment.to_owned(),
            max_grants: BATCH,
            lease_seconds: 600,
        };
        let ada = &self.people.ada;
        let mut leases = self.client.pull_grants(ada.request(request)).await?.into_inner();
        let mut grants = Vec::new();
        while let Some(lease) = leases.message().await? {
            grants.extend(lease.grants);
        }
        Ok(grants)
    }

    /// Reports every payout once; that of `failing` as failed.
    async fn report(&mut self, grants: &[api::Grant], failing: Option<&str>) -> Result<()> {
        let payouts: BTreeSet<&str> = grants.iter().map(|grant| grant.payout.as_str()).collect();
        let outcome = |payout: &&str| {
            let failed = failing == Some(*payout);
            let failure = if failed { "no such mailbox" } else { "" };
            api::GrantOutcome { payout: (*payout).to_owned(), failure: failure.to_owned() }
        };
        let outcomes: Vec<_> = payouts.iter().map(outcome).collect();
        for part in outcomes.chunks(BATCH as usize) {
            let (parent, outcomes) = (self.assessment.to_owned(), part.to_vec());
            let request = api::ReportGrantOutcomesRequest { parent, outcomes };
            let answer =
                self.client.report_grant_outcomes(self.people.ada.request(request)).await?;
            let answer = answer.into_inner();
            if (answer.delivered + answer.failed) as usize != part.len() {
                bail!("of {} outcomes {answer:?} were new", part.len());
            }
        }
        Ok(())
    }
}
