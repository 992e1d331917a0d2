//! What became of the case's notices, as the notifier tells it.

use std::collections::BTreeMap;

use anyhow::Result;
use futures::future::try_join_all;
use ristoro_proto::eligibility::v1 as eligibility;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::notifier::v1 as api;
use ristoro_proto::notifier::v1::NoticeState;
use ristoro_proto::notifier::v1::notice_service_client::NoticeServiceClient;
use tonic::Code;

use super::{OUTAGE, People};
use crate::client::{Caller, Service};

/// The largest page that the service gives.
const PAGE: i32 = 1000;

/// How many notices are in which state.
pub type States = BTreeMap<NoticeState, u64>;

/// The notices of a case.
pub struct Notices {
    caller: Caller,
    assessments: Vec<String>,
    /// How many there have to be.
    pub total: u64,
}

/// Shows how far the notices are while they go out.
pub async fn play(people: &People) -> Result<()> {
    println!("\n8. Notices: one a person and assessment, none before the own mailbox is back");
    let notices = Notices::of_the_case(&people.carla).await?;
    let states = notices.count().await?;
    println!("  {}", notices.text(&states));
    Ok(())
}

impl Notices {
    /// Finds the assessments of the case that were completed: each owes a notice to everybody who gets something.
    pub async fn of_the_case(caller: &Caller) -> Result<Self> {
        let mut assessments = AssessmentServiceClient::new(caller.channel(Service::Eligibility)?);
        let request = eligibility::ListAssessmentsRequest {
            outage: format!("outages/{OUTAGE}"),
            page_size: PAGE,
            ..Default::default()
        };
        let found = assessments.list_assessments(caller.request(request)).await?.into_inner();
        let mut completed = found.assessments;
        completed.retain(|one| one.state() == eligibility::AssessmentState::Completed);
        let entitled =
            |one: &eligibility::Assessment| one.totals.as_ref().map_or(0, |all| all.entitled);
        let total = completed.iter().map(entitled).sum();
        let assessments = completed.into_iter().map(|one| one.name).collect();
        Ok(Self { caller: caller.clone(), assessments, total })
    }

    /// Counts the notices by state.
    pub async fn count(&self) -> Result<States> {
        let counts = self.assessments.iter().map(|assessment| self.count_of(assessment));
        let mut states = States::new();
        for (state, count) in try_join_all(counts).await?.into_iter().flatten() {
            *states.entry(state).or_default() += count;
        }
        Ok(states)
    }

    async fn count_of(&self, assessment: &str) -> Result<States> {
        let mut states = States::new();
        let every = NoticeState::Unspecified;
        self.walk((assessment, every, PAGE), |notice| {
            *states.entry(notice.state()).or_default() += 1;
            true
        })
        .await?;
        Ok(states)
    }

    /// Tells whether any notice is in one of these states.
    pub async fn any(&self, wished: &[NoticeState]) -> Result<bool> {
        for assessment in &self.assessments {
            for state in wished {
                let mut found = false;
                self.walk((assessment, *state, 1), |_| {
                    found = true;
                    false
                })
                .await?;
                if found {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Gives the notices of an assessment in a state to `look`, page by page, as long as it says so.
    async fn walk(
        &self,
        (assessment, state, page_size): (&str, NoticeState, i32),
        mut look: impl FnMut(&api::Notice) -> bool,
    ) -> Result<()> {
        let mut client = NoticeServiceClient::new(self.caller.channel(Service::Notifier)?);
        let mut page_token = String::new();
        loop {
            let request = api::ListNoticesRequest {
                parent: assessment.to_owned(),
                state: state.into(),
                page_size,
                page_token,
                ..Default::default()
            };
            let page = match client.list_notices(self.caller.request(request)).await {
                Ok(page) => page.into_inner(),
                // The notifier has not heard of it yet.
                Err(status) if status.code() == Code::NotFound => return Ok(()),
                Err(status) => return Err(status.into()),
            };
            page_token = page.next_page_token;
            if !page.notices.iter().all(&mut look) || page_token.is_empty() {
                return Ok(());
            }
        }
    }

    /// Tells whether every notice that there has to be is in a state.
    pub async fn are_all_known(&self) -> Result<bool> {
        Ok(self.count().await?.values().sum::<u64>() == self.total)
    }

    /// Says how many of how many are in which state.
    pub fn text(&self, states: &States) -> String {
        let known: u64 = states.values().sum();
        let mut parts: Vec<String> =
            states.iter().map(|(state, count)| format!("{count} {}", told(*state))).collect();
        if known < self.total {
            parts.push(format!("{} not queued yet", self.total - known));
        }
        format!("of {} notices: {}", self.total, parts.join(", "))
    }
}

fn told(state: NoticeState) -> &'static str {
    match state {
        NoticeState::Unspecified => "in a state that this program does not know",
        NoticeState::Queued => "queued",
        NoticeState::Waiting => "waiting to be sent",
        NoticeState::Sending => "going out",
        NoticeState::Sent => "sent",
        NoticeState::Refused => "refused by the mail server",
        NoticeState::Unknown => "of which nobody knows whether they arrived",
        NoticeState::NoChannel => "without an address",
        NoticeState::Deferred => "put off by the mail server",
        NoticeState::Bounced => "came back",
        NoticeState::Voided => "voided",
    }
}
