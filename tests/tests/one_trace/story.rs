//! The story that is traced: one subscriber, outages that are over, and two people who settle them.

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::google::r#type::Money;
use ristoro_proto::outage::v1 as outage;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use ristoro_runtime::edge::timestamp;
use ristoro_tests::stack::prepare::{id, import_and_publish, window};
use ristoro_tests::stack::{Caller, Error, PEOPLE, Stack};
use tonic::Streaming;
use tonic::transport::Channel;

/// The people and their connections.
pub struct Story {
    outage: Caller,
    ada: Caller,
    bruno: Caller,
    imported: String,
}

impl Story {
    /// Imports the subscriber and publishes the policy.
    pub async fn new(stack: &Stack) -> Result<Self, Error> {
        let [ada, bruno] = PEOPLE;
        let outage = stack.caller("outage", ada).await?;
        let bruno = stack.caller("eligibility", bruno).await?;
        let ada = stack.caller("eligibility", ada).await?;
        let row = api::SubscriptionRow {
            row: 1,
            subscription_id: "mailbox-1".to_owned(),
            subscriber_id: "person-1".to_owned(),
            service: "libero-mail".to_owned(),
            plan: "free".to_owned(),
            segment: api::Segment::Consumer.into(),
            class: api::Class::Free.into(),
            valid_from: Some(timestamp("2022-01-01T00:00:00Z".parse()?)),
            contact: Some(api::Contact {
                email: "person@mail.example".to_owned(),
                locale: "en".to_owned(),
                ..api::Contact::default()
            }),
            ..api::SubscriptionRow::default()
        };
        let imported = import_and_publish(&ada, row).await?;
        Ok(Self { outage, ada, bruno, imported })
    }

    /// Declares an outage that is over and proposes to settle it; the declaration is a part of the trace, if any.
    async fn propose(
        &self,
        name: &str,
        traceparent: Option<&str>,
    ) -> Result<api::Assessment, Error> {
        let window = window("2024-05-06T09:00:00", "2024-05-08T09:00:00");
        let impact = outage::ImpactInput {
            component: "mailbox".to_owned(),
            severity: outage::Severity::Total.into(),
            window: Some(window.clone()),
            ..outage::ImpactInput::default()
        };
        let declare = outage::DeclareOutageRequest {
            request_id: id(),
            outage: name.to_owned(),
            provider: "provider".to_owned(),
            title: "Mail was down".to_owned(),
            time_zone: "Europe/Rome".to_owned(),
            declared: Some(window),
            impacts: vec![impact],
            ..outage::DeclareOutageRequest::default()
        };
        let declare = match traceparent {
            Some(traceparent) => self.outage.traced(declare, traceparent),
            None => self.outage.request(declare),
        };
        let mut outages = OutageServiceClient::new(self.outage.channel.clone());
        let declared = outages.declare_outage(declare).await?.into_inner();
        let propose = api::ProposeAssessmentRequest {
            request_id: id(),
            outage: format!("outages/{name}"),
            policy: "policies/libero-2023".to_owned(),
            min_position: format!("{},{}", self.imported, declared.consistency_token),
            ..api::ProposeAssessmentRequest::default()
        };
        let answer = self.assessments().propose_assessment(self.ada.request(propose)).await?;
        answer.into_inner().assessment.ok_or_else(|| "the answer has no assessment".into())
    }

    /// Settles an outage in a trace; gives the assessment's id.
    pub async fn settle(&self, name: &str, traceparent: Option<&str>) -> Result<String, Error> {
        let proposed = self.propose(name, traceparent).await?;
        let approve = api::ApproveAssessmentRequest {
            request_id: id(),
            name: proposed.name.clone(),
            digest: proposed.digest,
            cap: Some(Money { currency_code: "EUR".to_owned(), ..Money::default() }),
            ..api::ApproveAssessmentRequest::default()
        };
        let approve = self.bruno.traced(approve, traceparent.unwrap_or_default());
        self.assessments().approve_assessment(approve).await?;
        Ok(proposed.name.trim_start_matches("assessments/").to_owned())
    }

    /// Watches a proposal that nobody approves.
    pub async fn watch_a_proposal(
        &self,
        name: &str,
    ) -> Result<Streaming<api::WatchAssessmentResponse>, Error> {
        let proposed = self.propose(name, None).await?;
        let watch = self.ada.request(api::WatchAssessmentRequest { name: proposed.name });
        Ok(self.assessments().watch_assessment(watch).await?.into_inner())
    }

    fn assessments(&self) -> AssessmentServiceClient<Channel> {
        AssessmentServiceClient::new(self.ada.channel.clone())
    }
}
