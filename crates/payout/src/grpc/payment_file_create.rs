//! The creation of a payment file: what it draws on, as of which offsets, and how much of each partition.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use jiff::civil::Date;
use ristoro_domain::money::Currency;
use ristoro_domain::payment_file::{Command, Creation, Debtor};
use ristoro_log::Topic;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::payout::v1 as api;
use ristoro_runtime::command::CommandRequest;
use ristoro_runtime::edge;
use ristoro_runtime::status::{self, invalid, invalid_fields, refuse};
use ristoro_runtime::views::Views;
use sqlx::PgConnection;
use tonic::{Code, Status};
use uuid::Uuid;

use super::names::{WAIT, assessment_id};
use super::payment_file::{PaymentFiles, file_of, max_transfers};
use crate::files::transfer::debtor;
use crate::projections::{draw, payment_file};
use crate::sepa::{PaymentFileHeader, RuleViolation, rules};

/// Assessments that one file names at most.
const ASSESSMENTS: usize = 100;

impl PaymentFiles {
    pub(super) async fn create(
        &self,
        creator: &str,
        command: &CommandRequest,
        request: &api::CreatePaymentFileRequest,
    ) -> Result<(Option<api::PaymentFile>, String), Status> {
        let wish = Wish::read(creator, command, request)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let file = file_of(command.request_id);
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        // A retry must be the same command, though the tables have moved on since.
        let stored = payment_file::find(&mut view, &file).await.map_err(database)?;
        let creation = match stored {
            Some(row) if wish.is(&row.creation) => row.creation,
            Some(_) | None => wish.drawn(&mut view, self.commands.partition_count()).await?,
        };
        view.rollback().await.map_err(database)?;
        self.execute(&file, command, &Command::Create(Box::new(creation))).await
    }
}

/// What somebody wishes for, before it is known what there is.
struct Wish {
    assessments: BTreeSet<String>,
    execution_date: Date,
    debtor: Debtor,
    max_transfers: u64,
    created_by: String,
}

impl Wish {
    fn read(
        creator: &str,
        command: &CommandRequest,
        request: &api::CreatePaymentFileRequest,
    ) -> Result<Self, Status> {
        edge::count("assessments", request.assessments.len(), 0..=ASSESSMENTS)?;
        let assessments = request.assessments.iter();
        let assessments = assessments.map(|name| assessment_id("assessments", name));
        let execution_date = request.execution_date.parse();
        let execution_date = execution_date
            .map_err(|_| invalid("execution_date", "is no date: write YYYY-MM-DD"))?;
        let given = request.debtor.as_ref().ok_or_else(|| invalid("debtor", "is missing"))?;
        let text = |field: &str, value: &str, most| {
            edge::optional_text(&format!("debtor.{field}"), value, most)
                .map(|text| text.unwrap_or_default().to_owned())
        };
        let debtor = Debtor {
            name: edge::text("debtor.name", &given.name, 1..=70)?.to_owned(),
            iban: edge::text("debtor.iban", &given.iban, 1..=42)?.to_owned(),
            bic: text("bic", &given.bic, 11)?,
            town: text("town", &given.town, 35)?,
            country: text("country", &given.country, 2)?,
        };
        let wish = Self {
            assessments: assessments.collect::<Result<_, _>>()?,
            execution_date,
            debtor,
            max_transfers: max_transfers(request.max_transfers)?,
            created_by: creator.to_owned(),
        };
        wish.check(command)?;
        Ok(wish)
    }

    /// Refuses what the bank would refuse whatever is in the file.
    fn check(&self, command: &CommandRequest) -> Result<(), Status> {
        let header = PaymentFileHeader {
            file: Uuid::nil(),
            created_at: command.occurred_at,
            execution_date: self.execution_date,
            initiating_party: self.debtor.name.clone(),
            transfers_per_block: NonZeroUsize::MIN,
        };
        let creation = self.creation(Vec::new(), Vec::new(), Vec::new());
        let found = rules::violations(&header, &debtor(&creation), &[]);
        let violations: Vec<(String, String)> = found
            .iter()
            .filter(|violation| **violation != RuleViolation::NoTransfers)
            .map(|violation| (field_of(violation).to_owned(), violation.to_string()))
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(invalid_fields(violations)) }
    }

    fn creation(
        &self,
        payout_offsets: Vec<u64>,
        roster_offsets: Vec<u64>,
        partition_limits: Vec<u64>,
    ) -> Creation {
        Creation {
            currency: Currency::EUR,
            assessments: self.assessments.clone(),
            payout_offsets,
            roster_offsets,
            partition_limits,
            execution_date: self.execution_date,
            debtor: self.debtor.clone(),
            max_transfers: self.max_transfers,
            created_by: self.created_by.clone(),
        }
    }

    /// Tells whether a file was created by the same wish.
    fn is(&self, known: &Creation) -> bool {
        let again = self.creation(
            known.payout_offsets.clone(),
            known.roster_offsets.clone(),
            known.partition_limits.clone(),
        );
        again == *known
    }

    /// Says what the file draws on, as of one snapshot of the tables.
    async fn drawn(&self, view: &mut PgConnection, partitions: u32) -> Result<Creation, Status> {
        let database = |error| status::database(&error);
        for assessment in &self.assessments {
            if !draw::is_known(view, assessment).await.map_err(database)? {
                return Err(status::not_found("ristoro.dev/Assessment", assessment));
            }
        }
        let assessments: Vec<String> = self.assessments.iter().cloned().collect();
        let available = draw::available(view, &assessments, partitions).await.map_err(database)?;
        if available.iter().all(|people| *people == 0) {
            let message = "no released transfer is free for a payment file: see ListPayouts";
            let reason = ErrorReason::NothingToPay;
            return Err(refuse(Code::FailedPrecondition, reason, message, &[]));
        }
        let positions = Views::positions(view).await.map_err(database)?;
        let at = |topic: Topic| {
            let next = |partition| positions.get(&(topic, partition)).copied().unwrap_or(0);
            (0..partitions).map(next).collect::<Vec<u64>>()
        };
        let limits = limits(&available, self.max_transfers);
        Ok(self.creation(at(Topic::Payout), at(Topic::Subscriber), limits))
    }
}

/// Gives each partition its part of the transfers, the first ones first.
fn limits(available: &[u64], most: u64) -> Vec<u64> {
    let mut left = most;
    let part = |people: &u64| {
        let part = left.min(*people);
        left -= part;
        part
    };
    available.iter().map(part).collect()
}

/// Names the field that a rule is about.
fn field_of(violation: &RuleViolation) -> &'static str {
    match violation {
        RuleViolation::ExecutionDatePast { .. } => "execution_date",
        RuleViolation::InitiatingPartyName | RuleViolation::DebtorName => "debtor.name",
        RuleViolation::DebtorIban { .. } => "debtor.iban",
        RuleViolation::DebtorBic { .. } => "debtor.bic",
        RuleViolation::DebtorAddress | RuleViolation::DebtorAddressMissing { .. } => "debtor.town",
        RuleViolation::NoTransfers
        | RuleViolation::TooManyTransfers { .. }
        | RuleViolation::TooManyBlocks { .. }
        | RuleViolation::Amount { .. }
        | RuleViolation::EndToEndId { .. }
        | RuleViolation::DuplicateEndToEndId { .. }
        | RuleViolation::CreditorName { .. }
        | RuleViolation::CreditorIban { .. }
        | RuleViolation::Remittance { .. } => "max_transfers",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_spent_on_partitions_that_have_something() {
        assert_eq!(limits(&[0, 5, 7], 8), [0, 5, 3]);
        assert_eq!(limits(&[2, 0, 1], 1), [1, 0, 0]);
        assert_eq!(limits(&[2, 1], 100), [2, 1]);
    }
}
