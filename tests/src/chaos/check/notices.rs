//! Nobody is told twice, nobody before their own mailbox is back, and nobody knows only where the log says so.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_log::Topic;
use ristoro_proto::notifier::v1 as api;
use ristoro_proto::notifier::v1::notice_service_client::NoticeServiceClient;
use tonic::Status;

use super::super::Error;
use super::super::client::Caller;
use super::super::cluster::Cluster;
use super::super::reader::columns::payload;
use super::super::reader::{Entry, Story};
use super::Findings;
use super::decisions::Assessed;

/// Places of one block. A report is about places of one block only.
const BLOCK: usize = 50;

/// A mail as it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Mail {
    message_id: String,
    reference: String,
}

/// A wave as the log tells it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Wave {
    places: Vec<u32>,
    owned: bool,
    /// How many places are through: reported, or left in doubt.
    through: usize,
}

/// All dispatches, folded by hand.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Told {
    /// What became of each notice; it is in a wave that has come to its block.
    pub outcomes: BTreeMap<(String, u64), api::DispatchOutcome>,
    /// Waves that were taken over from an owner.
    pub takeovers: u64,
    /// Waves that were handed back in order.
    pub handed_back: u64,
    /// Places that got a second outcome, and reports of what was not next.
    pub strange: Vec<String>,
}

impl Told {
    /// Folds the log.
    #[must_use]
    pub fn read(story: &Story, assessed: &Assessed) -> Self {
        let mut told = Self::default();
        let mut dispatches: BTreeMap<&str, BTreeMap<u64, Wave>> = BTreeMap::new();
        for entry in story.accepted(Topic::Notice) {
            let stream = entry.envelope.stream.as_str();
            let Some(rest) = stream.strip_prefix("dispatch/") else { continue };
            let mut parts = rest.split('/');
            let mut part = || parts.next().expect("a dispatch names its chunk");
            let (assessment, partition, chunk) = (part(), part(), part());
            let number = |text: &str| text.parse::<u64>().expect("parts are numbers");
            let partition = u32::try_from(number(partition)).expect("partitions are few");
            let key = (assessment.to_owned(), partition, number(chunk));
            let people: Vec<u64> = assessed.queued[&key].iter().copied().collect();
            told.fold(entry, (assessment, &people), dispatches.entry(stream).or_default());
        }
        told
    }

    fn fold(
        &mut self,
        entry: &Entry,
        (assessment, people): (&str, &[u64]),
        waves: &mut BTreeMap<u64, Wave>,
    ) {
        let mut note = |places: &[u32], outcomes: &[api::DispatchOutcome]| {
            for (place, outcome) in places.iter().zip(outcomes) {
                let key = (assessment.to_owned(), people[*place as usize]);
                if let Some(before) = self.outcomes.insert(key, *outcome) {
                    let (stream, version) = (&entry.envelope.stream, entry.envelope.version);
                    let text = format!("{stream} {version}: place {place} is {outcome:?}");
                    self.strange.push(format!("{text}, and was {before:?}"));
                }
            }
        };
        match entry.envelope.r#type.as_str() {
            "DispatchStarted" => {
                let event: api::DispatchStarted = payload(entry);
                let started: BTreeSet<u32> =
                    waves.values().flat_map(|wave| wave.places.iter().copied()).collect();
                let places = event.places.into_iter().filter(|place| !started.contains(place));
                let wave = Wave { places: places.collect(), owned: true, through: 0 };
                waves.insert(entry.envelope.version, wave);
            }
            "DispatchTakenOver" => {
                let event: api::DispatchTakenOver = payload(entry);
                let Some(wave) = waves.get_mut(&event.started_version) else { return };
                if wave.owned {
                    self.takeovers += 1;
                    let block = wave.rest_of_block().to_vec();
                    let unknown = vec![api::DispatchOutcome::Unknown; block.len()];
                    note(&block, &unknown);
                    wave.through += block.len();
                }
                wave.owned = true;
            }
            "DispatchHandedBack" => {
                let event: api::DispatchHandedBack = payload(entry);
                let Some(wave) = waves.get_mut(&event.started_version) else { return };
                self.handed_back += 1;
                wave.owned = false;
            }
            "DispatchReported" => {
                let event: api::DispatchReported = payload(entry);
                let Some(wave) = waves.get_mut(&event.started_version) else { return };
                let outcomes: Vec<api::DispatchOutcome> = event.outcomes().collect();
                let block = wave.rest_of_block().to_vec();
                note(&block, &outcomes);
                let is_next = wave.through / BLOCK == event.block as usize;
                if !is_next || outcomes.len() > block.len() {
                    self.strange.push(format!("{} reports what is not next", entry.position));
                }
                wave.through += outcomes.len();
            }
            other => panic!("{other} does not belong to {}", entry.envelope.stream),
        }
    }

    /// Counts an outcome.
    #[must_use]
    pub fn count(&self, outcome: api::DispatchOutcome) -> usize {
        self.outcomes.values().filter(|found| **found == outcome).count()
    }

    /// Compares the notices that the service lists with the log and with the mails.
    ///
    /// # Errors
    /// Where the mails cannot be read, or the service does not answer.
    pub async fn check(
        &self,
        (cluster, caller): (&Cluster, &Caller),
        (told, silent): (&[String], &[String]),
        findings: &mut Findings,
    ) -> Result<(), Error> {
        self.strange.iter().for_each(|text| findings.add(text.clone()));
        let mut mails: BTreeMap<String, u64> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for mail in received(cluster)? {
            *mails.entry(mail.reference).or_default() += 1;
            let once = ids.insert(mail.message_id.clone());
            findings.holds(|| format!("{} came in twice", mail.message_id), once);
        }
        for assessment in told.iter().chain(silent) {
            for notice in list(caller, assessment).await? {
                let came = mails.remove(&notice.reference).unwrap_or(0);
                let key = (assessment.clone(), notice.number);
                let outcome = self.outcomes.get(&key).copied();
                let (state, most, least) = expected(outcome);
                findings.same(|| format!("the state of {}", notice.name), &notice.state(), &state);
                let fine = (least..=most).contains(&came);
                let what = || format!("{} is {:?}, and came in {came} times", notice.name, state);
                findings.holds(what, fine);
                let heard = outcome.is_some();
                let should = told.contains(assessment);
                let what = || format!("{}: an outcome, though its mailbox is down", notice.name);
                findings.holds(what, heard == should);
            }
        }
        findings.holds(|| format!("mails that no notice is: {mails:?}"), mails.is_empty());
        Ok(())
    }
}

impl Wave {
    /// Gives the places of the next block that are not through.
    fn rest_of_block(&self) -> &[u32] {
        let end = ((self.through / BLOCK + 1) * BLOCK).min(self.places.len());
        self.places.get(self.through..end).unwrap_or_default()
    }
}

/// Gives the state of a notice with that outcome, and how many mails there may be of it at most and at least.
fn expected(outcome: Option<api::DispatchOutcome>) -> (api::NoticeState, u64, u64) {
    match outcome {
        None => (api::NoticeState::Waiting, 0, 0),
        Some(api::DispatchOutcome::Sent) => (api::NoticeState::Sent, 1, 1),
        Some(api::DispatchOutcome::Unknown) => (api::NoticeState::Unknown, 1, 0),
        Some(api::DispatchOutcome::Refused) => (api::NoticeState::Refused, 0, 0),
        Some(api::DispatchOutcome::NoChannel) => (api::NoticeState::NoChannel, 0, 0),
        Some(api::DispatchOutcome::Deferred) => (api::NoticeState::Deferred, 0, 0),
        Some(api::DispatchOutcome::Unspecified) => (api::NoticeState::Unspecified, 0, 0),
    }
}

/// Reads the mail server's journal.
fn received(cluster: &Cluster) -> Result<Vec<Mail>, Error> {
    let text = std::fs::read_to_string(cluster.folder.join("mails.jsonl"))?;
    let mut mails = Vec::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let raw = line["raw"].as_str().unwrap_or_default();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap_or((raw, ""));
        let of = |header: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.filter(|(name, _)| *name == header).map(|(_, value)| value.to_owned()).next()
        };
        let message_id = of("Message-ID").ok_or("a mail without a Message-ID")?;
        let body = body.replace("=\r\n", "");
        let reference = reference(&body).ok_or("a mail without a reference")?;
        mails.push(Mail { message_id, reference });
    }
    Ok(mails)
}

/// Finds what a reader names when calling: three groups of four hexadecimal digits.
fn reference(body: &str) -> Option<String> {
    let is_reference = |text: &[u8]| {
        text.iter().enumerate().all(|(place, byte)| match place % 5 {
            4 => *byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        })
    };
    let found = body.as_bytes().windows(14).find(|window| is_reference(window))?;
    Some(String::from_utf8_lossy(found).into_owned())
}

/// Lists the notices of an assessment.
///
/// # Errors
/// A refusal, or no answer at all.
pub async fn list(caller: &Caller, assessment: &str) -> Result<Vec<api::Notice>, Status> {
    let mut notices = Vec::new();
    let mut message = api::ListNoticesRequest {
        parent: format!("assessments/{assessment}"),
        page_size: 1_000,
        ..api::ListNoticesRequest::default()
    };
    loop {
        let answer = caller
            .ask(|channel| {
                let mut client = NoticeServiceClient::new(channel);
                let request = caller.request(message.clone());
                async move { client.list_notices(request).await }
            })
            .await?;
        notices.extend(answer.notices);
        if answer.next_page_token.is_empty() {
            return Ok(notices);
        }
        message.page_token = answer.next_page_token;
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use ristoro_log::{Position, Topic};
    use ristoro_proto::log::v1::Envelope;

    use super::super::super::reader::Worth;
    use super::*;

    fn told(events: &[(&str, Vec<u8>)]) -> Told {
        let stream = "dispatch/a/0/1/email";
        let entry = |(place, (kind, payload)): (u64, &(&str, Vec<u8>))| Entry {
            position: Position { topic: Topic::Notice, partition: 0, offset: place },
            worth: Worth::Accepted,
            envelope: Envelope {
                stream: stream.to_owned(),
                version: place,
                r#type: (*kind).to_owned(),
                payload: payload.clone().into(),
                ..Envelope::default()
            },
        };
        let entries = (1..).zip(events).map(entry).collect();
        let story = Story { entries, ..Story::default() };
        let queued = BTreeMap::from([(("a".to_owned(), 0, 1), BTreeSet::from([10, 11, 12]))]);
        Told::read(&story, &Assessed { queued, ..Assessed::default() })
    }

    fn started(places: &[u32]) -> (&'static str, Vec<u8>) {
        let event = api::DispatchStarted { places: places.to_vec(), ..Default::default() };
        ("DispatchStarted", event.encode_to_vec())
    }

    fn reported(started_version: u64, count: usize) -> (&'static str, Vec<u8>) {
        let outcomes = vec![api::DispatchOutcome::Sent.into(); count];
        let event = api::DispatchReported { started_version, block: 0, outcomes };
        ("DispatchReported", event.encode_to_vec())
    }

    fn taken_over(started_version: u64) -> (&'static str, Vec<u8>) {
        let event = api::DispatchTakenOver { started_version, ..Default::default() };
        ("DispatchTakenOver", event.encode_to_vec())
    }

    #[test]
    fn a_takeover_leaves_in_doubt_what_was_not_reported() {
        let told = told(&[started(&[0, 1, 2]), reported(1, 1), taken_over(1)]);
        assert_eq!(told.count(api::DispatchOutcome::Sent), 1);
        assert_eq!(told.count(api::DispatchOutcome::Unknown), 2);
        assert_eq!((told.takeovers, told.strange.len()), (1, 0));
    }

    #[test]
    fn nobody_is_in_two_waves() {
        let told = told(&[started(&[0, 1]), started(&[1, 2]), reported(1, 2), reported(2, 1)]);
        assert_eq!(told.outcomes.len(), 3);
        assert_eq!(told.strange, Vec::<String>::new());
    }

    #[test]
    fn a_mail_tells_its_reference() {
        assert_eq!(reference("Ref: 12ab-34cd-56ef."), Some("12ab-34cd-56ef".to_owned()));
        assert_eq!(reference("2023-01-23 12ab-34cd"), None);
    }
}
