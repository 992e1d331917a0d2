//! Records that cannot be read, and a log that lost its end: against a service with a database of its own.

use std::time::Duration;

use bytes::Bytes;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::{Cause, Envelope, EventLog, LogConfig, NewRecord, Topic};
use ristoro_proto::ops::v1::ListPoisonRequest;
use ristoro_proto::ops::v1::poison_service_client::PoisonServiceClient;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use tokio::time::Instant;
use uuid::Uuid;

use super::world::declaration;
use super::{Case, Outcome, Refused, World};
use crate::stack::{Caller, Error, PEOPLE, Service, ends, token};

/// How long a consumer may take to come to a record.
const BOUND: Duration = Duration::from_secs(20);
/// Appends bytes that are no envelope, as a stray producer would.
const STRAY: &str = "with place as (update ristoro_log.partition set next_offset = next_offset + 1
        where topic = 2 and partition = 0 returning next_offset - 1 as at)
    insert into ristoro_log.record (topic, partition, \"offset\", value) select 2, 0, at, '\\xff' from place";
/// Takes away the last record of the outages.
const TRUNCATE: &str = "delete from ristoro_log.record where topic = 2 and partition = 0
        and \"offset\" = (select next_offset - 1 from ristoro_log.partition where topic = 2 and partition = 0);
    update ristoro_log.partition set next_offset = next_offset - 1 where topic = 2 and partition = 0";

/// A service on its own database, with one outage declared.
struct Alone {
    database: String,
    name: String,
    log: EventLog,
    settings: Vec<(String, String)>,
}

impl Alone {
    async fn new(world: &World, name: &str) -> Result<Self, Error> {
        let database = world.stack.postgres.create_database(name).await?;
        let config = LogConfig::Postgres { url: database.clone() };
        let log = EventLog::create(&config, Uuid::new_v4(), 1).await?;
        let mut settings = world.stack.settings().to_vec();
        for key in ["RISTORO_DATABASE_URL", "RISTORO_LOG"] {
            settings.push((key.to_owned(), database.clone()));
        }
        let alone = Self { database, name: name.to_owned(), log, settings };
        let service = alone.start().await?;
        let ada = alone.caller(&service).await?;
        let declared = ada.request(declaration("o-1", "2024-05-06T09:00:00", ""));
        OutageServiceClient::new(ada.channel.clone()).declare_outage(declared).await?;
        service.end().await?;
        Ok(alone)
    }

    async fn start(&self) -> Result<Service, Error> {
        let mut service = Service::start("outage", &self.settings)?;
        service.ready().await?;
        Ok(service)
    }

    async fn caller(&self, service: &Service) -> Result<Caller, Error> {
        Caller::connect(&service.endpoint, &token(PEOPLE[0])).await
    }

    /// Waits until the metrics page has this text; gives the page.
    async fn until(&self, service: &Service, text: &str) -> Result<(), Error> {
        let deadline = Instant::now() + BOUND;
        while !service.page("/metrics").await?.contains(text) {
            if Instant::now() > deadline {
                return Err(format!("the metrics never say {text}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Gives what the tables know of outages.
    async fn known(&self, world: &World) -> Result<String, Error> {
        let rows = "select count(*), max(version) from outage.outage";
        Ok(world.stack.postgres.execute(&self.name, rows).await?)
    }
}

/// A record that is no envelope is counted and has no effect: the service goes on.
async fn stray(world: &World) -> Outcome {
    let alone = Alone::new(world, "stray").await?;
    let before = alone.known(world).await?;
    world.stack.postgres.execute(&alone.name, STRAY).await?;
    let service = alone.start().await?;
    let counted = "verdict=\"undecodable\"} 1";
    alone.until(&service, counted).await?;
    assert_eq!(alone.known(world).await?, before, "the tables are as they were");
    let ada = alone.caller(&service).await?;
    let next = ada.request(declaration("o-2", "2024-05-06T09:00:00", ""));
    OutageServiceClient::new(ada.channel.clone()).declare_outage(next).await?;
    service.end().await?;
    Ok(Refused { code: "void".to_owned(), reason: String::new(), message: counted.to_owned() })
}

/// An accepted record whose payload cannot be read stops its partition, loudly.
async fn poison(world: &World) -> Outcome {
    let alone = Alone::new(world, "poisoned").await?;
    let before = alone.known(world).await?;
    let cause = Cause::Command(Uuid::new_v4());
    let envelope = Envelope {
        event_id: derived_event_id("outage/o-9", 1, &cause),
        stream: "outage/o-9".to_owned(),
        version: 1,
        previous: Uuid::nil(),
        kind: "OutageDeclared".to_owned(),
        occurred_at: "2024-05-06T09:00:00Z".parse()?,
        cause,
        command_id: None,
        actor: String::new(),
        traceparent: String::new(),
        payload: Bytes::from_static(b"\xff"),
    };
    alone.log.append(&[NewRecord { topic: Topic::Outage, partition: 0, envelope }]).await?;
    // It is never ready again, so that nobody waits for that.
    let service = Service::start("outage", &alone.settings)?;
    let deadline = Instant::now() + BOUND;
    let poison = loop {
        if let Ok(ada) = alone.caller(&service).await {
            let list = ada.request(ListPoisonRequest::default());
            let listed = PoisonServiceClient::new(ada.channel.clone()).list_poison(list).await?;
            if let Some(found) = listed.into_inner().poison.into_iter().next() {
                break found;
            }
        }
        if Instant::now() > deadline {
            return Err("the poison is never listed".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    alone.until(&service, "partition=\"0\"} 1").await?;
    assert_eq!(alone.known(world).await?, before, "the tables are as they were");
    let address = [("RISTORO_ENDPOINT", service.endpoint.as_str())];
    let told = world.run(&["poison", "list", "--output", "table"], &address).await?;
    service.end().await?;
    let message = format!("{}: {}\n{}", poison.position, poison.problem, told.message);
    Ok(Refused { code: "listed".to_owned(), reason: poison.consumer, message })
}

async fn truncated(world: &World) -> Outcome {
    let alone = Alone::new(world, "truncated").await?;
    let before = alone.known(world).await?;
    world.stack.postgres.execute(&alone.name, TRUNCATE).await?;
    let short = ends(&alone.log).await?;
    let own = [("RISTORO_DATABASE_URL", alone.database.as_str()), ("RISTORO_LOG", &alone.database)];
    let refused = world.run(&["outage"], &own).await?;
    assert_eq!(ends(&alone.log).await?, short, "nothing is written to a log that lost something");
    assert_eq!(alone.known(world).await?, before, "the tables are as they were");
    Ok(refused)
}

/// Gives the cases.
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            class: "truncated log",
            sent: "a log without the last record that the tables have",
            refused: ("exit 78", ""),
            words: &["ristoro.outage.v1/0/2", "the log ends at 1", "bring its records back"],
            run: |world| Box::pin(truncated(world)),
        },
        Case {
            class: "undecodable record",
            sent: "bytes that are no envelope",
            refused: ("void", ""),
            words: &["undecodable"],
            run: |world| Box::pin(stray(world)),
        },
        Case {
            class: "undecodable record",
            sent: "an envelope whose payload is no message",
            refused: ("listed", "outage.outages"),
            words: &["ristoro.outage.v1/0/2", "OutageDeclared", "outage/o-9"],
            run: |world| Box::pin(poison(world)),
        },
    ]
}
