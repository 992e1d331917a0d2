//! `ristoro signals`: what feeds report, taken in.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use ristoro_proto::outage::v1::SubmitSignalsRequest;
use ristoro_proto::outage::v1::signal_service_client::SignalServiceClient;
use ristoro_proto::signal::signal_out;
use serde_json::json;

use crate::Answer;
use crate::call::{Sending, done, outcome};
use crate::client::{Connection, Service};
use crate::output::{Output, print_one};
use crate::verbs::outage::FeedFile;

/// Takes in what feeds report.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ristoro signals submit --feed google-cloud --format google-cloud incidents.json

`ristoro outage derive` shows without any server what a file tells of.")]
pub struct Signals {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Submits the signals of a feed file; outages are derived from them as they come in
    #[command(
        after_help = "Example: ristoro signals submit --feed google-cloud --format google-cloud incidents.json"
    )]
    Submit {
        /// The feed's name
        #[arg(long)]
        feed: String,
        #[command(flatten)]
        file: FeedFile,
        #[command(flatten)]
        sending: Sending,
    },
}

/// Signals of one message: far below the limit in number and, with long updates, in bytes.
const SIGNALS_A_MESSAGE: usize = 50;

impl Signals {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let Verb::Submit { feed, file, sending } = self.verb;
        let parsed = file.read()?;
        let signals: Vec<_> = parsed.signals.iter().map(signal_out).collect();
        if signals.is_empty() {
            bail!("the file holds no signal: nothing was submitted");
        }
        let (id, validate_only) = (sending.id(), sending.validate_only);
        let message = |chunk: &[_]| SubmitSignalsRequest {
            request_id: id.clone(),
            validate_only,
            feed: feed.clone(),
            signals: chunk.to_vec(),
        };
        let messages: Vec<_> = signals.chunks(SIGNALS_A_MESSAGE).map(message).collect();
        let caller = self.connection.open().await?;
        let mut client = SignalServiceClient::new(caller.channel(Service::Outage)?);
        let answer = client.submit_signals(caller.request(tokio_stream::iter(messages))).await;
        let answer = outcome(answer, &id)?.into_inner();
        done(&sending, "the signals are taken in");
        let value = json!({
            "received": answer.received,
            "records": answer.records,
            "consistency_token": answer.consistency_token,
        });
        print_one(output, &value)?;
        Ok(if parsed.problems.is_empty() { Answer::Yes } else { Answer::No })
    }
}
