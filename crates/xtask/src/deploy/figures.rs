//! What can be asked through the API and of the mail catcher, so that it can be compared before and after faults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{http, images, system};
use crate::process::{bounded, output};

/// How long it may take until nothing moves any more.
const BOUND: Duration = Duration::from_secs(240);
const INTERVAL: Duration = Duration::from_secs(2);
const CALL_BOUND: Duration = Duration::from_secs(60);
/// Where the compose file publishes the mail catcher.
const MAIL: &str = "127.0.0.1:8025";
/// Notices that may still move.
const MOVING: [&str; 3] = ["NOTICE_STATE_QUEUED", "NOTICE_STATE_WAITING", "NOTICE_STATE_SENDING"];
const SENT: &str = "NOTICE_STATE_SENT";
/// A process died between a mail and the report of it.
const UNKNOWN: &str = "NOTICE_STATE_UNKNOWN";

/// Asks, as the analyst of the case.
pub struct Figures {
    client: PathBuf,
    authorization: String,
}

/// All answers at one time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answers {
    /// By what was asked.
    lists: BTreeMap<String, Vec<Value>>,
    trial_balance: Value,
    /// The ids of all mails.
    mails: Vec<String>,
}

impl Figures {
    /// Takes the token that the case's people have.
    pub fn new(cache: &Path, folder: &Path) -> Result<Self> {
        let tokens = std::fs::read_to_string(folder.join("tokens.toml"))?;
        let line = tokens.lines().find_map(|line| line.strip_prefix("carla = "));
        let token = line.context("carla has no token")?.trim().trim_matches('"');
        let authorization = format!("authorization: Bearer {token}");
        Ok(Self { client: images::grpcurl(cache)?, authorization })
    }

    /// Asks until two answers in a row agree and no notice is on its way, and checks that they fit each other.
    pub fn settled(&self) -> Result<Answers> {
        let begun = Instant::now();
        let mut last = Err(anyhow::anyhow!("nothing was asked"));
        loop {
            let answers = self.all();
            if let (Ok(last), Ok(answers)) = (&last, &answers)
                && last == answers
                && answers.moving() == 0
            {
                break;
            }
            last = answers;
            if begun.elapsed() > BOUND {
                let left = last.context("the API does not answer")?.moving();
                bail!("after {BOUND:?} the answers still change; {left} notices are on their way");
            }
            std::thread::sleep(INTERVAL);
        }
        let answers = last?;
        answers.check()?;
        Ok(answers)
    }

    fn all(&self) -> Result<Answers> {
        let mut answers = Answers::default();
        let eligibility = "eligibility.v1.AssessmentService/ListAssessments";
        let assessments = self.list(eligibility, "assessments", json!({}))?;
        for assessment in &assessments {
            let name = assessment["name"].as_str().unwrap_or_default();
            for (method, field) in [
                ("eligibility.v1.EntitlementService/ListEntitlements", "entitlements"),
                ("payout.v1.PayoutService/ListPayouts", "payouts"),
                ("notifier.v1.NoticeService/ListNotices", "notices"),
            ] {
                let list = self.list(method, field, json!({"parent": name}))?;
                answers.lists.insert(format!("{name}/{field}"), list);
            }
        }
        answers.lists.insert("assessments".to_owned(), assessments);
        for (method, field) in [
            ("outage.v1.OutageService/ListOutages", "outages"),
            ("payout.v1.PaymentFileService/ListPaymentFiles", "paymentFiles"),
        ] {
            answers.lists.insert(field.to_owned(), self.list(method, field, json!({}))?);
        }
        let check = json!({"check": true});
        answers.trial_balance = self.call("payout.v1.LedgerService/GetTrialBalance", &check)?;
        if let Some(fields) = answers.trial_balance.as_object_mut() {
            fields.remove("asOf");
        }
        answers.mails = mails()?;
        Ok(answers)
    }

    /// Asks for all pages of a list.
    fn list(&self, method: &str, field: &str, mut request: Value) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        request["page_size"] = json!(500);
        loop {
            let mut answer = self.call(method, &request)?;
            if let Value::Array(page) = answer[field].take() {
                all.extend(page);
            }
            match answer["nextPageToken"].as_str() {
                Some(token) if !token.is_empty() => request["page_token"] = json!(token),
                _ => return Ok(all),
            }
        }
    }

    fn call(&self, method: &str, request: &Value) -> Result<Value> {
        let service = method.split('.').next().unwrap_or_default();
        let (request, address) = (request.to_string(), system::address(service)?);
        let method = format!("ristoro.{method}");
        let arguments = ["-plaintext", "-max-msg-sz", "33554432", "-H", &self.authorization];
        let mut command = bounded(CALL_BOUND, &self.client, &arguments);
        command.args(["-d", &request, &address, &method]);
        Ok(serde_json::from_str(&output(&mut command, &method)?)?)
    }
}

/// Gives the ids of all mails that were caught.
fn mails() -> Result<Vec<String>> {
    let mut ids = Vec::new();
    loop {
        let path = format!("/api/v1/messages?start={}&limit=1000", ids.len());
        let answer = http::get(MAIL, &path)?;
        let page = answer["messages"].as_array().context("the mail catcher lists no mails")?;
        let id = |mail: &Value| mail["MessageID"].as_str().unwrap_or_default().to_owned();
        ids.extend(page.iter().map(id));
        if page.is_empty() {
            ids.sort();
            return Ok(ids);
        }
    }
}

impl Answers {
    fn moving(&self) -> usize {
        MOVING.iter().map(|state| self.notices(state)).sum()
    }

    fn of(&self, field: &str) -> impl Iterator<Item = &Value> {
        let ending = format!("/{field}");
        self.lists
            .iter()
            .filter(move |(name, _)| name.ends_with(&ending))
            .flat_map(|(_, list)| list)
    }

    fn notices(&self, state: &str) -> usize {
        self.of("notices").filter(|notice| notice["state"] == state).count()
    }

    /// Checks what must be true at any time when nothing moves.
    fn check(&self) -> Result<()> {
        let balance = &self.trial_balance;
        let differences = balance["differences"].as_array().map_or(0, Vec::len);
        ensure!(differences == 0, "the ledger differs: {}", balance["differences"]);
        ensure!(balance["compared"].is_string(), "the ledger compared nothing: {balance}");
        let owed =
            |one: &&Value| one["reason"]["remedies"].as_array().is_some_and(|all| !all.is_empty());
        let (entitled, told) =
            (self.of("entitlements").filter(owed).count(), self.of("notices").count());
        ensure!(entitled > 0, "nobody is owed anything");
        ensure!(entitled == told, "{entitled} people are owed something, and {told} have a notice");
        let (sent, unknown) = (self.notices(SENT), self.notices(UNKNOWN));
        let mails = self.mails.len();
        ensure!(sent > 0, "no notice was sent");
        ensure!(
            (sent..=sent + unknown).contains(&mails),
            "{sent} notices were sent and {unknown} may have been, but {mails} mails came"
        );
        let different: BTreeSet<&String> = self.mails.iter().collect();
        ensure!(different.len() == mails, "{} mails came twice", mails - different.len());
        Ok(())
    }

    /// Compares with later answers: nothing may be gone, added or changed.
    pub fn compare(&self, later: &Self) -> Result<()> {
        for (name, list) in &self.lists {
            let now = later.lists.get(name);
            if now != Some(list) {
                let now = now.map_or(&[][..], Vec::as_slice);
                let first = list.iter().zip(now).find(|(before, after)| before != after);
                bail!(
                    "{name}: {} before, {} after the faults; the first difference: {first:?}",
                    list.len(),
                    now.len()
                );
            }
        }
        ensure!(self.trial_balance == later.trial_balance, "the ledger is another one");
        ensure!(self.mails == later.mails, "the mails are others");
        ensure!(self.lists.len() == later.lists.len(), "there are more assessments than before");
        Ok(())
    }

    /// Says in a line how much there is.
    pub fn summary(&self) -> String {
        format!(
            "{} entitlements, {} payouts, {} notices ({} sent, {} unknown), {} mails, none twice; \
             the ledger agrees at {} places",
            self.of("entitlements").count(),
            self.of("payouts").count(),
            self.of("notices").count(),
            self.notices(SENT),
            self.notices(UNKNOWN),
            self.mails.len(),
            self.trial_balance["compared"].as_str().unwrap_or("no"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        let remedies = json!({"remedies": [{}]});
        let mut answers = Answers {
            trial_balance: json!({"compared": "4"}),
            mails: vec!["a".to_owned(), "b".to_owned()],
            ..Answers::default()
        };
        let entitlements = vec![json!({"reason": remedies}), json!({"reason": remedies})];
        answers.lists.insert("assessments/x/entitlements".to_owned(), entitlements);
        let notices = vec![json!({"state": SENT}), json!({"state": UNKNOWN})];
        answers.lists.insert("assessments/x/notices".to_owned(), notices);
        answers
    }

    fn check(change: impl FnOnce(&mut Answers), expected: &str) {
        let mut answers = answers();
        change(&mut answers);
        let problem =
            answers.check().map_or_else(|problem| problem.to_string(), |()| String::new());
        assert!(
            problem.contains(expected) && problem.is_empty() == expected.is_empty(),
            "{problem}"
        );
    }

    #[test]
    fn what_is_lost_or_doubled_is_seen() {
        check(|_| {}, "");
        check(|answers| answers.mails.truncate(1), "");
        check(|answers| answers.mails.clear(), "0 mails came");
        check(|answers| answers.mails.push("c".to_owned()), "3 mails came");
        check(|answers| answers.mails[1] = "a".to_owned(), "1 mails came twice");
        check(|answers| answers.trial_balance["differences"] = json!([{}]), "the ledger differs");
        check(|answers| answers.trial_balance = json!({}), "compared nothing");
        let fewer = |answers: &mut Answers| {
            answers.lists.insert("assessments/x/notices".to_owned(), vec![json!({"state": SENT})]);
        };
        check(fewer, "2 people are owed something, and 1 have a notice");
    }

    #[test]
    fn answers_are_compared_whole() {
        let before = answers();
        before.compare(&answers()).unwrap();
        let mut after = answers();
        after.lists.clear();
        before.compare(&after).unwrap_err();
        let mut after = answers();
        after.trial_balance["compared"] = json!("5");
        before.compare(&after).unwrap_err();
    }
}
