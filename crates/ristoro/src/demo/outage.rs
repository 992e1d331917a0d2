//! The facts of January 2023 as declarations, restorations and a relapse, each at its own business time.
//!
//! Source: Italiaonline's communiques and the press of January and February 2023.

use anyhow::Result;
use ristoro_proto::outage::v1 as api;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use ristoro_proto::outage::v1::point_in_time::At;
use ristoro_proto::outage::v1::restore_impact_request::Whom;
use tonic::transport::Channel;

use crate::client::{Caller, ClientError, Service, request_id};

/// The outage's id.
pub const OUTAGE: &str = "libero-2023-01";
const NAME: &str = "outages/libero-2023-01";
/// The two brands that failed; certified mail did not.
const BRANDS: [&str; 2] = ["libero-mail", "virgilio-mail"];
/// When each cohort's mailboxes were back.
const COHORTS: [(&str, &str); 4] = [
    ("c1", "2023-01-26T14:45:00"),
    ("c2", "2023-01-27T11:00:00"),
    ("c3", "2023-01-27T21:30:00"),
    ("c4", "2023-01-28T19:00:00"),
];

fn at(local: &str) -> Option<api::PointInTime> {
    Some(api::PointInTime { at: Some(At::LocalTime(local.to_owned())) })
}

fn window(from: &str, to: Option<&str>) -> Option<api::WindowInput> {
    Some(api::WindowInput { from: at(from), to: to.and_then(at) })
}

fn impact(service: &str, component: &str, from: &str, to: Option<&str>) -> api::ImpactInput {
    api::ImpactInput {
        impact: format!("{service}-{component}"),
        service: service.to_owned(),
        component: component.to_owned(),
        severity: api::Severity::Total.into(),
        cohort: String::new(),
        window: window(from, to),
    }
}

/// Declares and amends the outage; prints a line for each fact.
pub struct Facts<'a> {
    caller: &'a Caller,
    client: OutageServiceClient<Channel>,
}

impl<'a> Facts<'a> {
    /// Makes a teller.
    pub fn new(caller: &'a Caller) -> Result<Self, ClientError> {
        Ok(Self { caller, client: OutageServiceClient::new(caller.channel(Service::Outage)?) })
    }

    /// Declares what was known on 23 January, and what was found on the next days.
    pub async fn declare(&mut self) -> Result<()> {
        let begin = "2023-01-23T00:00:00";
        let mut impacts = Vec::new();
        for brand in BRANDS {
            for component in ["mailbox", "ios-app", "accessory"] {
                impacts.push(impact(brand, component, begin, None));
            }
        }
        let request = api::DeclareOutageRequest {
            request_id: request_id(),
            outage: OUTAGE.to_owned(),
            provider: "italiaonline".to_owned(),
            title: "Libero Mail and Virgilio Mail unreachable".to_owned(),
            time_zone: "Europe/Rome".to_owned(),
            declared: window(begin, None),
            observed: window("2023-01-22T22:00:00", None),
            impacts,
            ..api::DeclareOutageRequest::default()
        };
        self.client.declare_outage(self.caller.request(request)).await?;
        println!("  23 Jan 00:00  declared for both brands; users had reported since 22 Jan 22:00");
        Ok(())
    }

    /// Tells of cohort after cohort, the single mailboxes that came later, the apps and the end.
    pub async fn restore(&mut self, late: Vec<String>) -> Result<()> {
        for (cohort, when) in COHORTS {
            for brand in BRANDS {
                self.back(brand, "mailbox", when, Whom::Cohort(cohort.to_owned())).await?;
            }
            let day: jiff::civil::DateTime = when.parse()?;
            println!("  {}  cohort {cohort} is back", day.strftime("%e %b %H:%M"));
        }
        let count = late.len();
        for brand in BRANDS {
            let prefix = if brand == "libero-mail" { "lm-" } else { "vm-" };
            let of_brand = late.iter().filter(|id| id.starts_with(prefix)).cloned().collect();
            let mailboxes = Whom::Mailboxes(api::Mailboxes { subscriptions: of_brand });
            self.back(brand, "mailbox", "2023-01-28T22:10:00", mailboxes).await?;
            let everyone = || Whom::Everyone(api::Everyone {});
            self.back(brand, "mailbox", "2023-01-28T19:00:00", everyone()).await?;
            for component in ["ios-app", "accessory"] {
                self.back(brand, component, "2023-02-02T12:00:00", everyone()).await?;
            }
        }
        println!("  28 Jan 22:10  {count} single mailboxes are back, the last");
        println!("   2 Feb 12:00  the iOS app and the accessory functions are back");
        Ok(())
    }

    async fn back(&mut self, brand: &str, component: &str, when: &str, whom: Whom) -> Result<()> {
        let request = api::RestoreImpactRequest {
            request_id: request_id(),
            name: NAME.to_owned(),
            impact: format!("{brand}-{component}"),
            restored_at: at(when),
            whom: Some(whom),
            ..api::RestoreImpactRequest::default()
        };
        self.client.restore_impact(self.caller.request(request)).await?;
        Ok(())
    }

    /// Tells of the end, the relapse of 3 February and its end.
    pub async fn relapse(&mut self) -> Result<()> {
        self.resolve("2023-02-02T12:00:00").await?;
        let (from, to) = ("2023-02-03T12:00:00", "2023-02-03T12:08:00");
        let again = |brand: &&str| api::ImpactInput {
            impact: format!("{brand}-relapse"),
            ..impact(brand, "mailbox", from, Some(to))
        };
        let request = api::ReopenOutageRequest {
            request_id: request_id(),
            name: NAME.to_owned(),
            reopened_at: at(from),
            impacts: BRANDS.iter().map(again).collect(),
            note: "reports again about noon".to_owned(),
            ..api::ReopenOutageRequest::default()
        };
        self.client.reopen_outage(self.caller.request(request)).await?;
        self.resolve(to).await?;
        println!("   3 Feb 12:00  a relapse of eight minutes");
        Ok(())
    }

    async fn resolve(&mut self, when: &str) -> Result<()> {
        let request = api::ResolveOutageRequest {
            request_id: request_id(),
            name: NAME.to_owned(),
            resolved_at: at(when),
            ..api::ResolveOutageRequest::default()
        };
        self.client.resolve_outage(self.caller.request(request)).await?;
        Ok(())
    }
}
