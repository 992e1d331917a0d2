//! `LedgerService`: balances, postings, and whether they agree with the payouts.

use ristoro_domain::ledger::Account;
use ristoro_log::{Position, Topic};
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::ledger_service_server::LedgerService;
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Role, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::status::{self, invalid};
use ristoro_runtime::stored::instant;
use ristoro_runtime::views::{self, Views};
use tonic::{Request, Response, Status};

use super::names::{ASSESSMENT, PAYMENT_FILE, WAIT};
use crate::projections::balance::{self, BalanceRow, PostingKey, PostingRow};
use crate::projections::check::{self, Difference};

/// Who may read the ledger.
const READERS: [Role; 2] = [Role::Treasury, Role::Analyst];
/// Differences that one answer tells of at most.
const DIFFERENCES: usize = 1_000;

/// Serves the ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    views: Views,
}

impl Ledger {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views) -> Self {
        Self { views }
    }
}

fn account(name: &str) -> Result<Option<Account>, Status> {
    if name.is_empty() {
        return Ok(None);
    }
    let unknown = || {
        let names = Account::ALL.map(Account::name).join(", ");
        invalid("account", format!("is no account: write one of {names}"))
    };
    Account::named(name).map(Some).ok_or_else(unknown)
}

fn balance_message(row: BalanceRow) -> api::Balance {
    api::Balance {
        account: row.account,
        debit: Some(edge::money_message(row.debit)),
        credit: Some(edge::money_message(row.credit)),
    }
}

fn difference_message(difference: Difference) -> api::LedgerDifference {
    api::LedgerDifference {
        subject: difference.subject,
        account: difference.account,
        ledger: Some(edge::money_message(difference.ledger)),
        payouts: Some(edge::money_message(difference.payouts)),
    }
}

/// Writes a resource's name; empty where there is no id.
fn name(pattern: &str, id: &str) -> String {
    if id.is_empty() { String::new() } else { edge::format_name(pattern, &[id]) }
}

fn posting_message(row: PostingRow) -> Result<api::Posting, Status> {
    let (partition, offset) = (row.key.partition, row.key.offset);
    let occurred_at = instant(row.occurred_at).map_err(|error| status::database(&error))?;
    Ok(api::Posting {
        position: Position { topic: Topic::Payout, partition, offset }.to_string(),
        account: row.key.account,
        debit: Some(edge::money_message(row.debit)),
        credit: Some(edge::money_message(row.credit)),
        reason: row.reason,
        assessment: name(ASSESSMENT, &row.assessment),
        chunk: row.key.chunk,
        payment_file: name(PAYMENT_FILE, &row.file),
        occurred_at: Some(edge::timestamp(occurred_at)),
    })
}

/// Writes a key as the token of a page keeps it; no part holds a slash.
fn key_text(key: &PostingKey) -> String {
    let PostingKey { partition, offset, chunk, account, currency } = key;
    format!("{partition}/{offset}/{chunk}/{account}/{currency}")
}

fn key(text: &str) -> Option<PostingKey> {
    let parts: Vec<&str> = text.split('/').collect();
    let &[partition, offset, chunk, account, currency] = parts.as_slice() else { return None };
    Some(PostingKey {
        partition: partition.parse().ok()?,
        offset: offset.parse().ok()?,
        chunk: chunk.parse().ok()?,
        account: account.to_owned(),
        currency: currency.to_owned(),
    })
}

#[tonic::async_trait]
impl LedgerService for Ledger {
    async fn get_balance(
        &self,
        request: Request<api::GetBalanceRequest>,
    ) -> Result<Response<api::GetBalanceResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        let account = account(&request.account)?;
        let account = account.ok_or_else(|| invalid("account", "is missing: name an account"))?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let balances = balance::balances(&mut view, Some(account)).await.map_err(database)?;
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        let balances = balances.into_iter().map(balance_message).collect();
        Ok(Response::new(api::GetBalanceResponse { balances, as_of }))
    }

    async fn list_postings(
        &self,
        request: Request<api::ListPostingsRequest>,
    ) -> Result<Response<api::ListPostingsResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        let account = account(&request.account)?;
        let assessment = match request.assessment.is_empty() {
            true => None,
            false => {
                let [id] = edge::parse_name("assessment", ASSESSMENT, &request.assessment)?;
                Some(id)
            }
        };
        let scope = format!("ListPostings {} {}", request.account, request.assessment);
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let after = page.after.as_deref().and_then(key).unwrap_or_default();
        let filter = (account, assessment.as_deref());
        let limit = i64::from(page.size) + 1;
        let mut rows = balance::list(&mut view, filter, &after, limit).await.map_err(database)?;
        let next_page_token = page.cut(&mut rows, |row| key_text(&row.key));
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        let postings = rows.into_iter().map(posting_message).collect::<Result<_, _>>()?;
        Ok(Response::new(api::ListPostingsResponse { postings, next_page_token, as_of }))
    }

    async fn get_trial_balance(
        &self,
        request: Request<api::GetTrialBalanceRequest>,
    ) -> Result<Response<api::GetTrialBalanceResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let balances = balance::balances(&mut view, None).await.map_err(database)?;
        let (differences, compared) = match request.check {
            true => check::check(&mut view, DIFFERENCES).await.map_err(database)?,
            false => (Vec::new(), 0),
        };
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        let balances = balances.into_iter().map(balance_message).collect();
        let differences = differences.into_iter().map(difference_message).collect();
        Ok(Response::new(api::GetTrialBalanceResponse { balances, differences, compared, as_of }))
    }
}
