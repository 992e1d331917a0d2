//! `ristoro payment-file`: transfers that go to the bank together, made by one person and approved by another.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payment_file_service_client::PaymentFileServiceClient;
use ristoro_runtime::edge;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tonic::transport::Channel;

use crate::Answer;
use crate::call::{Paging, Sending, done, name, outcome};
use crate::client::{Caller, Connection, Service};
use crate::output::{Columns, Output, print_list, print_one};
use crate::progress::Progress;
use crate::values;

/// Creates, approves, submits and downloads payment files.
#[derive(Debug, Args)]
#[command(after_help = "Examples, by two people:
  ristoro payment-file create --execution-date 2026-12-01 --debtor-name \"Italiaonline S.p.A.\" --debtor-iban IT60X0542811101000000123456
  ristoro payment-file approve 77d0... --digest 9a41...
  ristoro payment-file submit 77d0...
  ristoro payment-file download 77d0... --to transfers.xml")]
pub struct PaymentFiles {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Begins a file and waits until all it pays is reserved
    #[command(
        after_help = "Example: ristoro payment-file create --execution-date 2026-12-01 --debtor-name \"Italiaonline S.p.A.\" --debtor-iban IT60X0542811101000000123456"
    )]
    Create(Create),
    /// Approves what was reserved; never by who created it
    #[command(after_help = "Example: ristoro payment-file approve 77d0... --digest 9a41...")]
    Approve {
        /// The file
        file: String,
        /// The digest that was seen
        #[arg(long)]
        digest: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Sends an approved file to the bank
    #[command(after_help = "Example: ristoro payment-file submit 77d0...")]
    Submit {
        /// The file
        file: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Calls a file off and frees its payouts; never after it was submitted
    #[command(
        after_help = "Example: ristoro payment-file cancel 77d0... --note \"the wrong account pays\""
    )]
    Cancel {
        /// The file
        file: String,
        /// Why; it stands on the log
        #[arg(long)]
        note: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Shows one file
    #[command(after_help = "Example: ristoro payment-file get 77d0...")]
    Get {
        /// The file
        file: String,
    },
    /// Lists files, the newest last
    #[command(after_help = "Example: ristoro payment-file list")]
    List(Paging),
    /// Writes the bytes of a submitted file, after a look at their digest
    #[command(after_help = "Example: ristoro payment-file download 77d0... --to transfers.xml")]
    Download {
        /// The file
        file: String,
        /// Where to; stdout unless given
        #[arg(long, value_name = "PATH")]
        to: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// When the bank is to execute it, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    execution_date: String,
    /// Only payouts of these assessments, separated by commas; all that were released unless given
    #[arg(long, value_delimiter = ',')]
    assessments: Vec<String>,
    /// Transfers at most
    #[arg(long, default_value_t = 100_000, value_name = "COUNT")]
    max_transfers: u32,
    /// The name of who pays
    #[arg(long)]
    debtor_name: String,
    /// The IBAN of who pays
    #[arg(long)]
    debtor_iban: String,
    /// The identifier of the bank of who pays
    #[arg(long, default_value = "", hide_default_value = true)]
    debtor_bic: String,
    /// The town of who pays; needed for banks outside the European Economic Area
    #[arg(long, default_value = "", hide_default_value = true, requires = "debtor_country")]
    debtor_town: String,
    /// The country of the town, such as IT
    #[arg(long, default_value = "", hide_default_value = true)]
    debtor_country: String,
    /// Does not wait until the file is full
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    sending: Sending,
}

type Client = PaymentFileServiceClient<Channel>;

/// How often a file that is being filled is looked at.
const INTERVAL: Duration = Duration::from_millis(250);
const COLLECTION: &str = "paymentFiles";
const STATE: &str = "PAYMENT_FILE_STATE_";

const COLUMNS: Columns<'static> = &[
    ("payment file", "name"),
    ("state", "state"),
    ("transfers", "transfers"),
    ("total", "total"),
    ("execution", "execution_date"),
    ("created by", "created_by"),
    ("approved by", "approved_by"),
];

impl PaymentFiles {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let caller = self.connection.open().await?;
        let mut client = Client::new(caller.channel(Service::Payout)?);
        match self.verb {
            Verb::Create(asked) => {
                let file = create(&caller, &mut client, asked).await?;
                print_one(output, &value(&file))?;
            }
            Verb::Approve { file, digest, sending } => {
                let file = approve(&caller, &mut client, (file, digest), &sending).await?;
                told(output, &sending, "it is approved", file)?;
            }
            Verb::Submit { file, sending } => {
                let file = submit(&caller, &mut client, file, &sending).await?;
                told(output, &sending, "it is submitted", file)?;
            }
            Verb::Cancel { file, note, sending } => {
                let file = cancel(&caller, &mut client, (file, note), &sending).await?;
                told(output, &sending, "it is cancelled", file)?;
            }
            Verb::Get { file } => {
                let file = get(&caller, &mut client, &name(COLLECTION, &file), "").await?;
                print_one(output, &value(&file))?;
            }
            Verb::List(paging) => {
                let files = list(&caller, &mut client, paging).await?;
                print_list(output, &files.iter().map(value).collect::<Vec<_>>(), COLUMNS)?;
            }
            Verb::Download { file, to } => {
                let file = name(COLLECTION, &file);
                download(&caller, &mut client, &file, to.as_deref()).await?;
            }
        }
        Ok(Answer::Yes)
    }
}

async fn approve(
    caller: &Caller,
    client: &mut Client,
    (file, digest): (String, String),
    sending: &Sending,
) -> Result<Option<api::PaymentFile>> {
    let id = sending.id();
    let request = api::ApprovePaymentFileRequest {
        request_id: id.clone(),
        validate_only: sending.validate_only,
        name: name(COLLECTION, &file),
        digest,
        etag: String::new(),
    };
    let answer = client.approve_payment_file(caller.request(request)).await;
    Ok(outcome(answer, &id)?.into_inner().payment_file)
}

async fn submit(
    caller: &Caller,
    client: &mut Client,
    file: String,
    sending: &Sending,
) -> Result<Option<api::PaymentFile>> {
    let id = sending.id();
    let request = api::SubmitPaymentFileRequest {
        request_id: id.clone(),
        validate_only: sending.validate_only,
        name: name(COLLECTION, &file),
        etag: String::new(),
    };
    let answer = client.submit_payment_file(caller.request(request)).await;
    Ok(outcome(answer, &id)?.into_inner().payment_file)
}

async fn cancel(
    caller: &Caller,
    client: &mut Client,
    (file, note): (String, String),
    sending: &Sending,
) -> Result<Option<api::PaymentFile>> {
    let id = sending.id();
    let request = api::CancelPaymentFileRequest {
        request_id: id.clone(),
        validate_only: sending.validate_only,
        name: name(COLLECTION, &file),
        note,
        etag: String::new(),
    };
    let answer = client.cancel_payment_file(caller.request(request)).await;
    Ok(outcome(answer, &id)?.into_inner().payment_file)
}

fn told(
    output: Output,
    sending: &Sending,
    what: &str,
    file: Option<api::PaymentFile>,
) -> Result<()> {
    done(sending, what);
    file.map_or(Ok(()), |file| print_one(output, &value(&file)))
}

/// Begins a file, and waits until every partition has reserved its part.
async fn create(caller: &Caller, client: &mut Client, asked: Create) -> Result<api::PaymentFile> {
    let id = asked.sending.id();
    let request = api::CreatePaymentFileRequest {
        request_id: id.clone(),
        validate_only: asked.sending.validate_only,
        assessments: asked.assessments.iter().map(|one| name("assessments", one)).collect(),
        execution_date: asked.execution_date,
        debtor: Some(api::Debtor {
            name: asked.debtor_name,
            iban: asked.debtor_iban,
            bic: asked.debtor_bic,
            town: asked.debtor_town,
            country: asked.debtor_country,
        }),
        max_transfers: asked.max_transfers,
        min_position: String::new(),
    };
    let answer = client.create_payment_file(caller.request(request)).await;
    let answer = outcome(answer, &id)?.into_inner();
    done(&asked.sending, "it is begun; another person approves its digest once it is full");
    let file = answer.payment_file.context("the answer has no payment file")?;
    if asked.no_wait || asked.sending.validate_only {
        return Ok(file);
    }
    let progress = Progress::new("partitions filled");
    loop {
        let file = get(caller, client, &file.name, &answer.consistency_token).await?;
        progress.at(file.filled_partitions.into(), file.partitions.into());
        if file.state() != api::PaymentFileState::Filling {
            return Ok(file);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn get(
    caller: &Caller,
    client: &mut Client,
    name: &str,
    min_position: &str,
) -> Result<api::PaymentFile> {
    let (name, min_position) = (name.to_owned(), min_position.to_owned());
    let request = api::GetPaymentFileRequest { name, min_position };
    let answer = client.get_payment_file(caller.request(request)).await?.into_inner();
    answer.payment_file.context("the answer has no payment file")
}

async fn list(
    caller: &Caller,
    client: &mut Client,
    paging: Paging,
) -> Result<Vec<api::PaymentFile>> {
    let fetch = async |page_size, page_token| {
        let min_position = String::new();
        let request = api::ListPaymentFilesRequest { page_size, page_token, min_position };
        let page = client.list_payment_files(caller.request(request)).await?.into_inner();
        Ok((page.payment_files, page.next_page_token))
    };
    paging.read(fetch).await
}

/// Writes nothing unless the bytes are those whose digest the file's record has.
async fn download(
    caller: &Caller,
    client: &mut Client,
    name: &str,
    to: Option<&Path>,
) -> Result<()> {
    let file = get(caller, client, name, "").await?;
    let request = api::DownloadPaymentFileRequest { name: name.to_owned() };
    let mut parts = client.download_payment_file(caller.request(request)).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(part) = parts.message().await? {
        bytes.extend_from_slice(&part.data);
    }
    let digest = edge::hex(&Sha256::digest(&bytes));
    if digest != file.sha256 {
        bail!(
            "{name}: the bytes have the digest {digest}, and the record of the submission has {}: do not use them, \
             and tell an operator",
            file.sha256
        );
    }
    match to {
        None => Ok(std::io::stdout().lock().write_all(&bytes)?),
        Some(path) => {
            std::fs::write(path, &bytes)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            eprintln!("{}: {} bytes, SHA-256 {digest}", path.display(), bytes.len());
            Ok(())
        }
    }
}

fn value(file: &api::PaymentFile) -> Value {
    let debtor = file.debtor.clone().unwrap_or_default();
    json!({
        "name": file.name,
        "state": values::word(file.state().as_str_name(), STATE),
        "etag": file.etag,
        "assessments": file.assessments,
        "execution_date": file.execution_date,
        "debtor": {
            "name": debtor.name, "iban": debtor.iban, "bic": values::optional(&debtor.bic),
            "town": values::optional(&debtor.town), "country": values::optional(&debtor.country),
        },
        "transfers": file.transfers,
        "total": values::money(file.total.as_ref()),
        "digest": values::optional(&file.digest),
        "filled_partitions": file.filled_partitions,
        "partitions": file.partitions,
        "created_by": file.created_by,
        "approved_by": values::optional(&file.approved_by),
        "note": values::optional(&file.note),
        "created_at": values::time(file.created_at.as_ref()),
        "message_id": values::optional(&file.message_id),
        "submitted_at": values::time(file.submitted_at.as_ref()),
        "sha256": values::optional(&file.sha256),
    })
}
