//! Payment files: filled while payouts are held, some cancelled, all others approved by somebody else, submitted and
//! handed to a bank that records every transfer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payment_file_service_client::PaymentFileServiceClient;
use tonic::{Code, Status};

use super::super::client::{Caller, Command, Person, Told, tolerated};
use super::super::random::Random;

/// How often a file that fills is looked at.
const INTERVAL: Duration = Duration::from_millis(200);
/// How many files are made while payouts are held.
const FILES: u64 = 8;

/// One transfer as the bank got it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Transfer {
    /// Its `EndToEndId`.
    pub end_to_end_id: String,
    /// Its amount, as written.
    pub amount: String,
}

/// What the bank got and what was called off.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bank {
    /// Every transfer of every submitted file, in the order of arrival.
    pub transfers: Vec<Transfer>,
    /// Submitted files.
    pub files: Vec<String>,
    /// Cancelled files.
    pub cancelled: Vec<String>,
}

/// Makes some files of these assessments, a few of which are called off, while they are being filled or after.
///
/// # Errors
/// A refusal that no race explains, or no answer at all.
pub async fn pay_some(
    people: &[Person; 3],
    assessments: &[String],
    mut random: Random,
) -> Result<Bank, Status> {
    let [ada, _, carla] = people;
    let mut bank = Bank::default();
    for _ in 0..FILES {
        let most = u32::try_from(10 + random.below(60)).expect("it is small");
        let Some(file) = create(&ada.payout, assessments, most).await? else { continue };
        if random.chance(200) {
            cancel(&carla.payout, &file).await?;
            bank.cancelled.push(file);
            continue;
        }
        let file = filled(&carla.payout, &file).await?;
        if random.chance(250) || file.transfers == 0 {
            cancel(&carla.payout, &file.name).await?;
            bank.cancelled.push(file.name);
            continue;
        }
        hand_over(people, &file, &mut bank).await?;
    }
    Ok(bank)
}

/// Makes files until nothing is left to pay.
///
/// # Errors
/// A refusal, or no answer at all.
pub async fn pay_rest(
    people: &[Person; 3],
    assessments: &[String],
    bank: &mut Bank,
) -> Result<(), Status> {
    while let Some(file) = create(&people[0].payout, assessments, 0).await? {
        let file = filled(&people[2].payout, &file).await?;
        if file.transfers == 0 {
            // What is held counts as something to pay, so the last file may be an empty one.
            cancel(&people[2].payout, &file.name).await?;
            bank.cancelled.push(file.name);
            break;
        }
        hand_over(people, &file, bank).await?;
    }
    Ok(())
}

/// Approves and submits a file, and gives the bank its bytes.
async fn hand_over(
    [_, bruno, carla]: &[Person; 3],
    file: &api::PaymentFile,
    bank: &mut Bank,
) -> Result<(), Status> {
    approve(&bruno.payout, file).await?;
    submit(&carla.payout, file).await?;
    let bytes = download(&carla.payout, &file.name).await?;
    bank.transfers.extend(transfers(&String::from_utf8_lossy(&bytes)));
    bank.files.push(file.name.clone());
    Ok(())
}

/// Reads the transfers of a pain.001 file as a bank would: by its elements alone.
fn transfers(text: &str) -> Vec<Transfer> {
    let between = |text: &str, begin: &str, end: &str| {
        let rest = text.split_once(begin)?.1;
        Some(rest.split_once(end)?.0.to_owned())
    };
    let each = text.split("<CdtTrfTxInf>").skip(1);
    each.map(|one| {
        let id = between(one, "<EndToEndId>", "</EndToEndId>");
        let amount = between(one, "<InstdAmt Ccy=\"EUR\">", "</InstdAmt>");
        Transfer {
            end_to_end_id: id.expect("each transfer has an EndToEndId"),
            amount: amount.expect("each transfer has an amount in EUR"),
        }
    })
    .collect()
}

/// Gives tomorrow as YYYY-MM-DD: days since the epoch as a civil date, by Howard Hinnant's algorithm.
fn tomorrow() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    let days = now.as_secs() / 86_400 + 1 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Begins a file; none where nothing is left to pay.
async fn create(
    caller: &Caller,
    assessments: &[String],
    most: u32,
) -> Result<Option<String>, Status> {
    let command = Command::new("CreatePaymentFile");
    let debtor = api::Debtor {
        name: "Provider S.p.A.".to_owned(),
        iban: "IT60X0542811101000000123456".to_owned(),
        town: "Milano".to_owned(),
        country: "IT".to_owned(),
        ..api::Debtor::default()
    };
    let message = api::CreatePaymentFileRequest {
        request_id: command.id(),
        assessments: assessments.iter().map(|id| format!("assessments/{id}")).collect(),
        execution_date: tomorrow(),
        debtor: Some(debtor),
        max_transfers: most,
        ..api::CreatePaymentFileRequest::default()
    };
    let told = |answer: &api::CreatePaymentFileResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = PaymentFileServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.create_payment_file(request).await }
    };
    match caller.command(command, told, call).await {
        Err(status) if status.code() == Code::FailedPrecondition => Ok(None),
        outcome => Ok(tolerated(outcome)?.and_then(|it| it.payment_file).map(|file| file.name)),
    }
}

async fn filled(caller: &Caller, name: &str) -> Result<api::PaymentFile, Status> {
    let asked = api::GetPaymentFileRequest { name: name.to_owned(), ..Default::default() };
    loop {
        let answer = caller
            .ask(|channel| {
                let mut client = PaymentFileServiceClient::new(channel);
                let request = caller.request(asked.clone());
                async move { client.get_payment_file(request).await }
            })
            .await?;
        let file = answer.payment_file.unwrap_or_default();
        if file.state() != api::PaymentFileState::Filling {
            return Ok(file);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn approve(caller: &Caller, file: &api::PaymentFile) -> Result<(), Status> {
    let command = Command::new("ApprovePaymentFile");
    let message = api::ApprovePaymentFileRequest {
        request_id: command.id(),
        name: file.name.clone(),
        digest: file.digest.clone(),
        ..api::ApprovePaymentFileRequest::default()
    };
    let told = |answer: &api::ApprovePaymentFileResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = PaymentFileServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.approve_payment_file(request).await }
    };
    caller.command(command, told, call).await.map(|_| ())
}

async fn submit(caller: &Caller, file: &api::PaymentFile) -> Result<(), Status> {
    let command = Command::new("SubmitPaymentFile");
    let message = api::SubmitPaymentFileRequest {
        request_id: command.id(),
        name: file.name.clone(),
        ..api::SubmitPaymentFileRequest::default()
    };
    let told = |answer: &api::SubmitPaymentFileResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = PaymentFileServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.submit_payment_file(request).await }
    };
    caller.command(command, told, call).await.map(|_| ())
}

async fn cancel(caller: &Caller, name: &str) -> Result<(), Status> {
    let command = Command::new("CancelPaymentFile");
    let message = api::CancelPaymentFileRequest {
        request_id: command.id(),
        name: name.to_owned(),
        note: "a drill".to_owned(),
        ..api::CancelPaymentFileRequest::default()
    };
    let told = |answer: &api::CancelPaymentFileResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = PaymentFileServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.cancel_payment_file(request).await }
    };
    caller.command(command, told, call).await.map(|_| ())
}

/// Downloads a file twice, in case somebody is frozen meanwhile: both times it is the same.
async fn download(caller: &Caller, name: &str) -> Result<Vec<u8>, Status> {
    let request = api::DownloadPaymentFileRequest { name: name.to_owned() };
    let once = collect(caller, &request).await?;
    let again = collect(caller, &request).await?;
    match once == again {
        true => Ok(once),
        false => Err(Status::data_loss(format!("{name} has other bytes the second time"))),
    }
}

async fn collect(
    caller: &Caller,
    message: &api::DownloadPaymentFileRequest,
) -> Result<Vec<u8>, Status> {
    caller
        .ask_long(|channel| {
            let mut client = PaymentFileServiceClient::new(channel);
            let request = caller.request(message.clone());
            async move {
                let mut parts = client.download_payment_file(request).await?.into_inner();
                let mut bytes = Vec::new();
                while let Some(part) = parts.message().await? {
                    bytes.extend_from_slice(&part.data);
                }
                Ok(tonic::Response::new(bytes))
            }
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_reads_every_transfer() {
        let one = |id: &str, amount: &str| {
            format!(
                "<CdtTrfTxInf><PmtId><EndToEndId>{id}</EndToEndId></PmtId><Amt>\
                 <InstdAmt Ccy=\"EUR\">{amount}</InstdAmt></Amt></CdtTrfTxInf>"
            )
        };
        let text = format!("<Document>{}{}</Document>", one("a", "5.00"), one("b", "36.00"));
        let found = transfers(&text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], Transfer { end_to_end_id: "b".into(), amount: "36.00".into() });
    }

    #[test]
    fn tomorrow_is_a_date() {
        let parts: Vec<u64> = tomorrow().split('-').map(|part| part.parse().unwrap()).collect();
        assert!(parts[0] >= 2024 && (1..=12).contains(&parts[1]) && (1..=31).contains(&parts[2]));
    }
}
