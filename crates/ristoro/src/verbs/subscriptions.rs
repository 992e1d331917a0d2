//! `ristoro subscriptions`: generated rosters, and imports of CSV files.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use ristoro::generate::{roster, write_csv};
use ristoro::subscriptions::csv;
use ristoro_domain::time::zone;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::subscription_service_client::SubscriptionServiceClient;
use ristoro_proto::subscriber::{class_out, contact_out, fee_period_out, payee_out, segment_out};
use ristoro_proto::types::{date_out, timestamp};
use ristoro_runtime::edge::money_message;
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::Answer;
use crate::call::{Sending, done, outcome};
use crate::client::{Caller, Connection, Service};
use crate::output::{Output, print_one};
use crate::progress::Progress;

/// Rows of one message.
const ROWS_A_MESSAGE: usize = 500;
/// Messages that are read ahead of the service.
const MESSAGES_AHEAD: usize = 16;
/// How often it is told how much was read.
const TELL_INTERVAL: Duration = Duration::from_millis(500);

/// Works on rosters.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro subscriptions generate --subscriptions 1000 --seed 7 roster.csv
  ristoro subscriptions import roster.csv
  ristoro subscriptions set-account subscribers/p-17/subscriptions/lm-17 --in-arrears")]
pub struct Subscriptions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Writes a generated roster as CSV: the same for the same seed
    #[command(
        after_help = "Example: ristoro subscriptions generate --subscriptions 1000 --seed 7 roster.csv"
    )]
    Generate {
        /// How many subscriptions
        #[arg(long, default_value_t = 20_000)]
        subscriptions: u64,
        /// The seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The file to write
        file: PathBuf,
    },
    /// Imports a CSV file; rows that cannot be taken are told by line and column
    #[command(after_help = "Example: ristoro subscriptions import roster.csv --output json")]
    Import {
        #[command(flatten)]
        connection: Connection,
        /// Takes nothing if any row cannot be taken
        #[arg(long)]
        strict: bool,
        /// The zone of times without an offset
        #[arg(long, default_value = "Europe/Rome")]
        zone: String,
        /// A UUID that makes a retry the same import; a fresh one unless given
        #[arg(long)]
        request_id: Option<String>,
        /// The file
        input: PathBuf,
    },
    /// Says what is known of a subscription's account from now on; what is left out is not known
    #[command(
        after_help = "Example: ristoro subscriptions set-account subscribers/p-17/subscriptions/lm-17 --in-arrears \
                      --unpaid-since 2022-12-31"
    )]
    SetAccount {
        #[command(flatten)]
        connection: Connection,
        /// `subscribers/SUBSCRIBER/subscriptions/SUBSCRIPTION`
        name: String,
        #[command(flatten)]
        account: Account,
        #[command(flatten)]
        sending: Sending,
    },
}

/// What is known of a subscription beside its plans.
#[derive(Debug, Args)]
struct Account {
    /// Payments are overdue
    #[arg(long)]
    in_arrears: bool,
    /// The date of the oldest unpaid invoice, YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    unpaid_since: Option<Date>,
    /// Storage before any grant, in bytes
    #[arg(long, value_name = "BYTES")]
    quota_bytes: Option<u64>,
    /// The last day of the paid term, YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    term_end: Option<Date>,
}

/// What became of an import file.
#[derive(Debug)]
pub struct Report {
    /// The service's answer.
    pub answer: api::ImportSubscriptionsResponse,
    /// Rows that were no rows, as `line, column, reason`.
    pub unreadable: Vec<(u64, String, String)>,
}

impl Subscriptions {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        match self.verb {
            Verb::Generate { subscriptions, seed, file } => {
                let shown = file.display().to_string();
                let file =
                    File::create(&file).with_context(|| format!("{shown} cannot be written"))?;
                let rows = write_csv(roster(seed, subscriptions), BufWriter::new(file))?;
                let value = json!({"file": shown, "rows": rows, "subscriptions": subscriptions});
                print_one(output, &value)?;
                Ok(Answer::Yes)
            }
            Verb::Import { connection, strict, zone, request_id, input } => {
                let caller = connection.open().await?;
                let id = request_id.unwrap_or_else(crate::client::request_id);
                let report = import(&caller, &input, &zone, strict, id).await?;
                if output == Output::Table {
                    print_report(&input, &report);
                } else {
                    print_one(output, &value(&report))?;
                }
                let good = report.unreadable.is_empty() && report.answer.rejected == 0;
                Ok(if good { Answer::Yes } else { Answer::No })
            }
            Verb::SetAccount { connection, name, account, sending } => {
                set_account(&connection.open().await?, name, &account, &sending).await?;
                Ok(Answer::Yes)
            }
        }
    }
}

async fn set_account(
    caller: &Caller,
    name: String,
    account: &Account,
    sending: &Sending,
) -> Result<()> {
    let id = sending.id();
    let request = api::SetAccountRequest {
        request_id: id.clone(),
        validate_only: sending.validate_only,
        name,
        account: Some(api::Account {
            in_arrears: account.in_arrears,
            unpaid_since: date_out(account.unpaid_since),
            quota_bytes: account.quota_bytes,
            term_end: date_out(account.term_end),
        }),
        ..api::SetAccountRequest::default()
    };
    let mut client = SubscriptionServiceClient::new(caller.channel(Service::Eligibility)?);
    outcome(client.set_account(caller.request(request)).await, &id)?;
    done(sending, "proposals from now on see the account so");
    Ok(())
}

/// Sends a file's rows, while it is read.
pub async fn import(
    caller: &Caller,
    input: &Path,
    zone_name: &str,
    strict: bool,
    request_id: String,
) -> Result<Report> {
    let shown = input.display().to_string();
    let open = || {
        let file = File::open(input).with_context(|| format!("{shown} cannot be read"))?;
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        let counted = Counted { file, read: Arc::new(AtomicU64::new(0)) };
        let read = Arc::clone(&counted.read);
        let rows = csv::read(BufReader::new(counted), zone(zone_name)?);
        Ok::<_, anyhow::Error>((rows.with_context(|| shown.clone())?, read, size))
    };
    // Where one bad row refuses all, none is sent before all are read.
    let refused = match strict {
        true => open()?.0.filter_map(Result::err).map(unreadable).collect(),
        false => Vec::new(),
    };
    let (rows, read, size) = open()?;
    let (sender, receiver) = tokio::sync::mpsc::channel(MESSAGES_AHEAD);
    let nothing = !refused.is_empty();
    let reader = tokio::task::spawn_blocking(move || match nothing {
        true => refused,
        false => send(rows, &sender),
    });
    let request = move |rows| api::ImportSubscriptionsRequest {
        request_id: request_id.clone(),
        validate_only: false,
        strict,
        rows,
    };
    // The first message says what is asked, even where no row follows.
    let messages = std::iter::once(request(Vec::new()));
    let stream =
        tokio_stream::iter(messages).chain(ReceiverStream::new(receiver).map(request.clone()));
    let mut client = SubscriptionServiceClient::new(caller.channel(Service::Eligibility)?);
    let progress = Progress::new(format!("{shown}, bytes"));
    let call = client.import_subscriptions(caller.request(stream));
    let answer = watched(call, || progress.at(read.load(Ordering::Relaxed), size)).await?;
    Ok(Report { answer: answer.into_inner(), unreadable: reader.await? })
}

/// Waits for a call, and tells now and then how far it is.
async fn watched<T>(call: impl Future<Output = T>, tell: impl Fn()) -> T {
    let mut call = std::pin::pin!(call);
    loop {
        tokio::select! {
            done = &mut call => return done,
            () = tokio::time::sleep(TELL_INTERVAL) => tell(),
        }
    }
}

/// Sends rows in messages until nobody takes them any more; gives those that are no rows.
fn send(
    rows: impl Iterator<Item = Result<csv::Row, csv::RowError>>,
    messages: &tokio::sync::mpsc::Sender<Vec<api::SubscriptionRow>>,
) -> Vec<(u64, String, String)> {
    let (mut faulty, mut batch) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(row) => batch.push(message(&row)),
            Err(error) => faulty.push(unreadable(error)),
        }
        if batch.len() == ROWS_A_MESSAGE
            && messages.blocking_send(std::mem::take(&mut batch)).is_err()
        {
            return faulty;
        }
    }
    if !batch.is_empty() {
        // Whoever is gone has given the call's answer already.
        drop(messages.blocking_send(batch));
    }
    faulty
}

fn unreadable(error: csv::RowError) -> (u64, String, String) {
    (error.line, error.column.to_owned(), error.reason)
}

/// A file that counts what was read of it.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

fn message(row: &csv::Row) -> api::SubscriptionRow {
    let (line, row) = (row.line, &row.row);
    let profile = &row.profile;
    api::SubscriptionRow {
        row: line,
        subscription_id: row.subscription.clone(),
        subscriber_id: row.subscriber.clone(),
        service: profile.service.clone(),
        plan: profile.plan.clone(),
        segment: segment_out(profile.segment).into(),
        class: class_out(profile.class).into(),
        cohort: profile.cohort.clone().unwrap_or_default(),
        fee: profile.fee.map(money_message),
        fee_period: fee_period_out(profile.fee_period).into(),
        valid_from: Some(timestamp(row.valid_from)),
        valid_to: row.valid_to.map(timestamp),
        contact: Some(contact_out(&row.contact)),
        payee: Some(payee_out(row.payee.as_ref())),
    }
}

/// Gives the rows that were not taken, as `line, column, reason`, in the file's order.
fn faults(report: &Report) -> Vec<(u64, String, String)> {
    let rejects = report.answer.rejects.iter();
    let rejects = rejects.map(|one| (one.row, one.column.clone(), one.reason.clone()));
    let mut faults: Vec<_> = report.unreadable.iter().cloned().chain(rejects).collect();
    faults.sort();
    faults
}

fn value(report: &Report) -> Value {
    let answer = &report.answer;
    let fault = |(line, column, reason)| json!({"line": line, "column": column, "reason": reason});
    json!({
        "imported": answer.imported,
        "changed": answer.changed,
        "unchanged": answer.unchanged,
        "rejected": report.unreadable.len() as u64 + answer.rejected,
        "rejects": faults(report).into_iter().map(fault).collect::<Vec<_>>(),
        "consistency_token": answer.consistency_token,
    })
}

/// Tells of an import; at most ten faulty rows.
pub fn print_report(input: &Path, report: &Report) {
    let answer = &report.answer;
    let faults = faults(report);
    println!(
        "{} new subscriptions, {} changes, {} known already, {} rows refused",
        answer.imported,
        answer.changed,
        answer.unchanged,
        report.unreadable.len() as u64 + answer.rejected
    );
    let name = input.file_name().unwrap_or_default().to_string_lossy();
    for (line, column, reason) in faults.iter().take(10) {
        println!("  {name}:{line}: {column}: {reason}");
    }
    if faults.len() > 10 {
        println!("  and {} more", faults.len() - 10);
    }
}
