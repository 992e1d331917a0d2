//! Waits until the notices of a case are sent, and says how many of how many.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use ristoro_local::MailCatcher;
use ristoro_proto::eligibility::v1 as eligibility;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::notifier::v1 as api;
use ristoro_proto::notifier::v1::NoticeState;
use ristoro_proto::notifier::v1::notice_service_client::NoticeServiceClient;
use tokio::time::{Instant, sleep};
use tonic::Code;
use tonic::transport::Channel;

use crate::client::{Caller, Service};
use crate::demo::OUTAGE;
use crate::progress::Progress;

/// How long all notices may take.
const BOUND: Duration = Duration::from_secs(120);
/// When no notice came for so long, no more are waited for.
const QUIET: Duration = Duration::from_secs(10);
/// When none came for so long, it is looked whether any is left.
const LOOK: Duration = Duration::from_secs(1);
/// Between two counts of the mails.
const PAUSE: Duration = Duration::from_millis(200);
/// The largest page that the service gives.
const PAGE: i32 = 1000;
/// What may still be sent.
const OPEN: [NoticeState; 3] = [NoticeState::Queued, NoticeState::Waiting, NoticeState::Sending];

/// The notices of a case.
pub struct Notices<'a> {
    caller: &'a Caller,
    client: NoticeServiceClient<Channel>,
    assessments: Vec<String>,
    /// How many there have to be.
    total: u64,
}

/// How many notices are in which state.
type States = BTreeMap<NoticeState, u64>;

impl<'a> Notices<'a> {
    /// Finds the assessments of the case that were completed: each owes a notice to everybody who gets something.
    pub async fn of_the_case(caller: &'a Caller) -> Result<Self> {
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
        let client = NoticeServiceClient::new(caller.channel(Service::Notifier)?);
        Ok(Self { caller, client, assessments, total })
    }

    /// Waits until nothing is left that can be sent, or none came for a while; then says what became of them.
    pub async fn wait_and_tell(&mut self, mail: &MailCatcher) -> Result<()> {
        println!("\n8. Notices, over SMTP to a mail server of our own");
        let states = self.wait(mail).await?;
        let sent = states.get(&NoticeState::Sent).copied().unwrap_or_default();
        println!("  {sent} notices came in; the first says:");
        if let Some(message) = mail.messages().first() {
            for line in String::from_utf8_lossy(&message.raw).lines() {
                println!("    {line}");
            }
        }
        let known: u64 = states.values().sum();
        let mut parts: Vec<String> =
            states.iter().map(|(state, count)| format!("{count} {}", told(*state))).collect();
        if known < self.total {
            parts.push(format!("{} not queued yet", self.total - known));
        }
        println!("  of {} notices: {}", self.total, parts.join(", "));
        Ok(())
    }

    async fn wait(&mut self, mail: &MailCatcher) -> Result<States> {
        let progress = Progress::new("notices sent");
        let begun = Instant::now();
        let (mut count, mut since, mut look_at) = (mail.count(), begun, begun + LOOK);
        loop {
            sleep(PAUSE).await;
            let now = Instant::now();
            if mail.count() != count {
                (count, since, look_at) = (mail.count(), now, now + LOOK);
            }
            progress.at(count as u64, self.total);
            let given_up = now - since > QUIET || now - begun > BOUND;
            if now < look_at && !given_up {
                continue;
            }
            let states = self.count().await?;
            let open = OPEN.iter().any(|state| states.contains_key(state));
            if given_up || (!open && states.values().sum::<u64>() == self.total) {
                return Ok(states);
            }
            look_at = Instant::now() + LOOK;
        }
    }

    /// Counts the notices by state, page by page.
    async fn count(&mut self) -> Result<States> {
        let mut states = States::new();
        for assessment in &self.assessments {
            let mut page_token = String::new();
            loop {
                let request = api::ListNoticesRequest {
                    parent: assessment.clone(),
                    page_size: PAGE,
                    page_token,
                    ..Default::default()
                };
                let page = match self.client.list_notices(self.caller.request(request)).await {
                    Ok(page) => page.into_inner(),
                    // The notifier has not heard of it yet.
                    Err(status) if status.code() == Code::NotFound => break,
                    Err(status) => return Err(status.into()),
                };
                for notice in page.notices {
                    *states.entry(notice.state()).or_default() += 1;
                }
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
        }
        Ok(states)
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
