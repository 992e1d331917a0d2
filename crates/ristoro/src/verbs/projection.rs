//! `ristoro projection`: the tables that services fold from the log, built anew beside the live ones.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use ristoro_proto::ops::v1 as api;
use ristoro_proto::ops::v1::projection_service_client::ProjectionServiceClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::Answer;
use crate::call::{Sending, done, outcome};
use crate::client::{Caller, Connection, Service};
use crate::output::{Columns, Output, print_list, print_one};
use crate::values;

mod back;
mod estimate;
mod rebuild;
mod which;

use rebuild::Rebuild;
use which::Which;

/// Lists, rebuilds, switches and drops the tables that services fold from the log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro projection list
  ristoro projection rebuild --all
  ristoro projection rebuild --service payout --pace 25 --no-switch
  ristoro projection back --all
  ristoro projection switch projections/payout/schemas/2")]
pub struct Projections {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the schemas of all services with how far each has come
    #[command(after_help = "Example: ristoro projection list")]
    List,
    /// Builds tables anew beside the live ones, waits for them, checks them and switches to them
    Rebuild(Rebuild),
    /// Follows a schema that is being built until it can be switched to
    #[command(after_help = "Example: ristoro projection watch projections/payout/schemas/2")]
    Watch {
        /// projections/SERVICE/schemas/NUMBER
        name: String,
    },
    /// Sets how fast a schema is built: 0 lets it stand still where it is, and 100 is as fast as it goes
    #[command(after_help = "Example: ristoro projection pace projections/payout/schemas/2 25

25 leaves it a quarter of the time: it takes four times as long and uses a quarter of what it would. A schema that stands
still goes on where it is at the next pace, or with `ristoro projection rebuild`; `ristoro projection drop` calls it off.")]
    Pace {
        /// projections/SERVICE/schemas/NUMBER
        name: String,
        /// Of its time, in percent, that each process spends on it
        #[arg(value_parser = clap::value_parser!(u32).range(0..=100))]
        percent: u32,
        #[command(flatten)]
        sending: Sending,
    },
    /// Makes the tables live again that were built before those that are
    #[command(after_help = "Examples:
  ristoro projection back --all
  ristoro projection back --service payout")]
    Back(Which),
    /// Makes another schema the live one; the old one is fed on, so that switching back loses nothing
    #[command(
        after_help = "Example: ristoro projection switch projections/payout/schemas/2 --live projections/payout/schemas/1"
    )]
    Switch {
        /// projections/SERVICE/schemas/NUMBER
        name: String,
        /// The schema that is believed to be live: refused if another is
        #[arg(long, default_value = "", hide_default_value = true)]
        live: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Removes a schema that is not live, with all its tables
    #[command(after_help = "Example: ristoro projection drop projections/payout/schemas/1")]
    Drop {
        /// projections/SERVICE/schemas/NUMBER
        name: String,
        #[command(flatten)]
        sending: Sending,
    },
}

type Client = ProjectionServiceClient<Channel>;

const STATE: &str = "PROJECTION_STATE_";

const COLUMNS: Columns<'static> = &[
    ("schema", "name"),
    ("live", "live"),
    ("state", "state"),
    ("folded", "folded"),
    ("of", "records"),
    ("pace %", "pace_percent"),
    ("partitions", "partitions"),
];

impl Projections {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let caller = self.connection.open().await?;
        match self.verb {
            Verb::List => {
                let all = list(&caller).await?;
                let values: Vec<Value> = all.iter().map(|one| shown(output, one)).collect();
                print_list(output, &values, COLUMNS)?;
            }
            Verb::Rebuild(asked) => return asked.run(&caller, output).await,
            Verb::Watch { name } => {
                let built = rebuild::watch(&caller, &name).await?;
                print_one(output, &shown(output, &built))?;
            }
            Verb::Pace { name, percent, sending } => {
                let paced = pace(&caller, &name, percent, &sending).await?;
                done(&sending, "it has its pace");
                paced.map_or(Ok(()), |paced| print_one(output, &shown(output, &paced)))?;
            }
            Verb::Back(which) => back::run(&which, &caller, output).await?,
            Verb::Switch { name, live, sending } => {
                let built = switch(&caller, &name, &live, &sending).await?;
                done(&sending, "its tables are live");
                built.map_or(Ok(()), |built| print_one(output, &shown(output, &built)))?;
            }
            Verb::Drop { name, sending } => {
                let id = sending.id();
                let request = api::DropProjectionRequest {
                    request_id: id.clone(),
                    validate_only: sending.validate_only,
                    name: name.clone(),
                };
                let mut client = client_of(&caller, &name)?;
                outcome(client.drop_projection(caller.request(request)).await, &id)?;
                done(&sending, "it is removed");
            }
        }
        Ok(Answer::Yes)
    }
}

/// Lists the schemas of all services behind all addresses.
async fn list(caller: &Caller) -> Result<Vec<api::Projection>> {
    let mut all = Vec::new();
    for (_, channel) in caller.channels()? {
        let request = caller.request(api::ListProjectionsRequest {});
        all.extend(Client::new(channel).list_projections(request).await?.into_inner().projections);
    }
    Ok(all)
}

async fn pace(
    caller: &Caller,
    name: &str,
    pace_percent: u32,
    sending: &Sending,
) -> Result<Option<api::Projection>> {
    let id = sending.id();
    let request = api::PaceRebuildRequest {
        request_id: id.clone(),
        validate_only: sending.validate_only,
        name: name.to_owned(),
        pace_percent,
    };
    let mut client = client_of(caller, name)?;
    let answer = client.pace_rebuild(caller.request(request)).await;
    Ok(outcome(answer, &id)?.into_inner().projection)
}

async fn switch(
    caller: &Caller,
    name: &str,
    live: &str,
    sending: &Sending,
) -> Result<Option<api::Projection>> {
    let id = sending.id();
    let request = api::SwitchProjectionRequest {
        request_id: id.clone(),
        validate_only: sending.validate_only,
        name: name.to_owned(),
        etag: live.to_owned(),
    };
    let mut client = client_of(caller, name)?;
    let answer = client.switch_projection(caller.request(request)).await;
    Ok(outcome(answer, &id)?.into_inner().projection)
}

/// Gives the connection to the service that a schema's name names.
fn client_of(caller: &Caller, name: &str) -> Result<Client> {
    Ok(Client::new(caller.channel(service_of(name)?)?))
}

fn service_of(name: &str) -> Result<Service> {
    let mut parts = name.split('/');
    let service = (parts.next() == Some("projections")).then(|| parts.next()).flatten();
    let service = service.and_then(|word| Service::ALL.into_iter().find(|one| one.name() == word));
    service.with_context(|| {
        format!("{name} names no schema: write projections/SERVICE/schemas/NUMBER, from `ristoro projection list`")
    })
}

/// Gives how many records of a partition a consumer has folded, and how many there are.
fn folded(partition: &api::PartitionProgress) -> (u64, u64) {
    (partition.next_offset.min(partition.end_offset), partition.end_offset)
}

/// Gives how many records are folded in all, and how many there are.
fn folded_in_all(projection: &api::Projection) -> (u64, u64) {
    projection
        .partitions
        .iter()
        .map(folded)
        .fold((0, 0), |(folded, all), one| (folded + one.0, all + one.1))
}

/// A schema's JSON; in a table the number of its partitions stands for them.
fn shown(output: Output, projection: &api::Projection) -> Value {
    let (folded, records) = folded_in_all(projection);
    let partition = |one: &api::PartitionProgress| {
        json!({
            "consumer": one.consumer, "topic": one.topic, "partition": one.partition,
            "next_offset": one.next_offset, "end_offset": one.end_offset,
        })
    };
    let partitions = match output {
        Output::Table => Value::from(projection.partitions.len()),
        Output::Json | Output::Ndjson => projection.partitions.iter().map(partition).collect(),
    };
    json!({
        "name": projection.name,
        "live": projection.live,
        "state": values::word(projection.state().as_str_name(), STATE),
        "folded": folded,
        "records": records,
        "pace_percent": projection.pace_percent,
        "partitions": partitions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_s_name_names_its_service() {
        let of = |name: &str| service_of(name).map_err(|error| error.to_string());
        assert_eq!(of("projections/payout/schemas/2"), Ok(Service::Payout));
        for wrong in ["payout/schemas/2", "projections/ledger/schemas/2", ""] {
            assert!(of(wrong).unwrap_err().contains("names no schema"), "{wrong}");
        }
    }
}
