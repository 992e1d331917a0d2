//! `ristoro log tail`: one line per record. What is in a record is never shown, so no personal data is.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use anyhow::Result;
use clap::Args;
use ristoro_log::{
    Envelope, EventLog, Heads, Limits, LogIdentity, Position, Record, Topic, Verdict,
};
use serde_json::{Value, json};

use super::place::{LogPlace, OperateError};
use super::unless_stopped;
use crate::Answer;
use crate::output::{Output, line};
use crate::progress::Progress;

/// How many records of a partition are shown where nothing else is asked for.
const LAST: u64 = 10;
/// So many records are read in a moment, which needs no progress.
const QUICK: u64 = 100_000;

/// Shows records.
#[derive(Debug, Args)]
pub struct Tail {
    #[command(flatten)]
    place: LogPlace,
    /// A topic, such as payout or ristoro.payout.v1; may be repeated; all unless given
    #[arg(long, value_parser = topic)]
    topic: Vec<Topic>,
    /// A partition; may be repeated; all unless given
    #[arg(long)]
    partition: Vec<u32>,
    /// The first offset to show of each partition; the last ten records unless given
    #[arg(long, value_name = "OFFSET")]
    from: Option<u64>,
    /// Goes on with what is written from now on, until a signal
    #[arg(long, short)]
    follow: bool,
}

fn topic(text: &str) -> Result<Topic, String> {
    let short = |topic: &Topic| topic.name().split('.').nth(1).unwrap_or_default();
    let named = |topic: &Topic| topic.name() == text || short(topic) == text;
    Topic::ALL.into_iter().find(named).ok_or_else(|| {
        let all: Vec<&str> = Topic::ALL.iter().map(short).collect();
        format!("there is no such topic: write one of {}", all.join(", "))
    })
}

/// A partition as it is read.
struct Lane {
    heads: Heads,
    next: Position,
    shown_from: u64,
}

/// Where lines go.
struct Printer {
    output: Output,
    values: Vec<Value>,
}

impl Tail {
    /// Shows what is there, and follows where it is asked for.
    pub async fn run(self, wish: Option<Output>) -> Result<Answer> {
        let output = match wish {
            Some(Output::Json) if self.follow => {
                let problem =
                    "--follow never ends, and a JSON array would have to: write --output ndjson";
                return Err(OperateError::Usage(problem.to_owned()).into());
            }
            None if !self.follow || std::io::stdout().is_terminal() => Output::or_default(None),
            None => Output::Ndjson,
            Some(output) => output,
        };
        let mut printer = Printer { output, values: Vec::new() };
        let shown = unless_stopped(self.show(&mut printer)).await?;
        printer.end()?;
        // Following is ended by a signal; anything else was cut short by it.
        Ok(if shown.is_some() || self.follow { Answer::Yes } else { Answer::No })
    }

    async fn show(&self, printer: &mut Printer) -> Result<()> {
        let log = self.place.open().await?;
        let (mut lanes, total) = self.lanes(&log).await?;
        let progress = (total > QUICK).then(|| Progress::new("records read"));
        let mut read = 0;
        for (lane, end) in &mut lanes {
            let mut reader = log.reader(&[lane.next]).await?;
            while lane.next.offset < *end {
                for record in reader.poll(Limits::default()).await? {
                    lane.take(&record, printer)?;
                    read += 1;
                }
                if let Some(progress) = &progress {
                    progress.at(read, total);
                }
            }
        }
        drop(progress);
        let lanes: BTreeMap<(Topic, u32), Lane> = lanes
            .into_iter()
            .map(|(lane, _)| ((lane.next.topic, lane.next.partition), lane))
            .collect();
        if self.follow { follow(&log, lanes, printer).await } else { Ok(()) }
    }

    /// Gives the partitions that are asked for with their ends, and the number of records before these.
    async fn lanes(&self, log: &EventLog) -> Result<(Vec<(Lane, u64)>, u64)> {
        let count = log.partition_count();
        if let Some(wrong) = self.partition.iter().find(|partition| **partition >= count) {
            let problem = format!("there is no partition {wrong}: this log has 0 to {}", count - 1);
            return Err(OperateError::Usage(problem).into());
        }
        let (mut lanes, mut total) = (Vec::new(), 0);
        for topic in
            Topic::ALL.into_iter().filter(|one| self.topic.is_empty() || self.topic.contains(one))
        {
            for (partition, end) in (0..).zip(log.end_offsets(topic).await?) {
                if !self.partition.is_empty() && !self.partition.contains(&partition) {
                    continue;
                }
                // A first record only says which log it is: it is shown to those who ask for it.
                let last = end.saturating_sub(LAST).max(1);
                let next = Position { topic, partition, offset: 0 };
                let shown_from = self.from.unwrap_or(last);
                lanes.push((Lane { heads: Heads::default(), next, shown_from }, end));
                total += end;
            }
        }
        Ok((lanes, total))
    }
}

async fn follow(
    log: &EventLog,
    mut lanes: BTreeMap<(Topic, u32), Lane>,
    printer: &mut Printer,
) -> Result<()> {
    let places: Vec<Position> = lanes.values().map(|lane| lane.next).collect();
    let mut reader = log.reader(&places).await?;
    loop {
        for record in reader.poll(Limits::default()).await? {
            let place = (record.position.topic, record.position.partition);
            if let Some(lane) = lanes.get_mut(&place) {
                lane.take(&record, printer)?;
            }
        }
    }
}

impl Lane {
    /// Judges a record as every reader does, and shows it where it is asked for.
    fn take(&mut self, record: &Record, printer: &mut Printer) -> Result<()> {
        let envelope = Envelope::decode(record.value.clone()).ok();
        let verdict = envelope.as_ref().map(|envelope| self.heads.judge(envelope));
        self.next.offset = record.position.offset + 1;
        if record.position.offset < self.shown_from {
            return Ok(());
        }
        match envelope.zip(verdict) {
            Some((envelope, verdict)) => printer.print(&Shown::of(record, &envelope, verdict)),
            None => printer.print(&Shown::without_envelope(record)),
        }
    }
}

/// What is shown of a record, in both forms.
struct Shown {
    line: String,
    value: Value,
}

impl Shown {
    fn of(record: &Record, envelope: &Envelope, verdict: Verdict) -> Self {
        let Record { position, .. } = record;
        let Envelope { stream, version, kind, occurred_at, cause, actor, payload, .. } = envelope;
        let verdict = match verdict {
            Verdict::Accepted => "accepted",
            Verdict::Duplicate => "duplicate",
            Verdict::Conflict => "conflict",
            Verdict::Gap => "gap",
            Verdict::RepeatedCommand => "repeated-command",
        };
        let by = if actor.is_empty() { "-" } else { actor };
        let line = format!(
            "{position}  {stream} v{version}  {kind}  {verdict}  {cause}  {by}  {occurred_at}  {} bytes",
            payload.len()
        );
        let value = json!({
            "position": position.to_string(), "stream": stream, "version": version, "type": kind,
            "verdict": verdict, "cause": cause.to_string(), "actor": actor,
            "occurred_at": occurred_at.to_string(), "event_id": envelope.event_id,
            "previous": envelope.previous, "command_id": envelope.command_id,
            "traceparent": envelope.traceparent, "payload_bytes": payload.len(),
        });
        Self { line, value }
    }

    fn without_envelope(record: &Record) -> Self {
        let Record { position, value } = record;
        match LogIdentity::from_genesis(*position, value) {
            Ok(identity) => Self {
                line: format!("{position}  the first record of log {}", identity.log_id),
                value: json!({
                    "position": position.to_string(), "verdict": "genesis", "log_id": identity.log_id,
                }),
            },
            Err(_) => Self {
                line: format!("{position}  no envelope, {} bytes", value.len()),
                value: json!({
                    "position": position.to_string(), "verdict": "undecodable", "bytes": value.len(),
                }),
            },
        }
    }
}

impl Printer {
    fn print(&mut self, shown: &Shown) -> Result<()> {
        match self.output {
            Output::Table => line(&shown.line),
            Output::Ndjson => line(&shown.value.to_string()),
            Output::Json => {
                self.values.push(shown.value.clone());
                Ok(())
            }
        }
    }

    fn end(self) -> Result<()> {
        match self.output {
            Output::Json => line(&format!("{:#}", Value::from(self.values))),
            Output::Table | Output::Ndjson => Ok(()),
        }
    }
}
