//! `timeline`: everything that was said about outages, in that order and in words.

use ristoro_domain::outage::{Amendment, Declaration, Event, Revision, StatedImpact};
use ristoro_domain::time::{Instant, Window};
use ristoro_log::{Position, Topic};
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::stored::{cause_word, micros, optional_time, severity_word, time};

/// One thing that was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The version that it made.
    pub version: u64,
    /// The event's name.
    pub kind: String,
    /// When it was said.
    pub said_at: Instant,
    /// Who said it.
    pub actor: String,
    /// The time that it speaks of.
    pub about: Option<Instant>,
    /// What it says.
    pub text: String,
    /// Its place on the log.
    pub position: Position,
}

/// Writes what a record says about an outage.
pub(super) async fn insert(
    tx: &mut PgConnection,
    outage: &str,
    record: &Accepted,
    event: &Event,
) -> Result<(), sqlx::Error> {
    let partition = i32::try_from(record.position.partition).expect("partitions are few");
    let (about, text) = words(event);
    sqlx::query(
        "insert into timeline (outage, version, kind, said_at, actor, about, text, partition, record_offset) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(outage)
    .bind(signed(record.envelope.version))
    .bind(&record.envelope.kind)
    .bind(micros(record.envelope.occurred_at))
    .bind(&record.envelope.actor)
    .bind(about.map(micros))
    .bind(text)
    .bind(partition)
    .bind(signed(record.position.offset))
    .execute(tx)
    .await
    .map(|_| ())
}

/// Lists what was said about an outage after a version.
///
/// # Errors
/// The database's.
pub async fn list(
    connection: &mut PgConnection,
    outage: &str,
    after: u64,
    limit: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    let rows = sqlx::query(
        "select * from timeline where outage = $1 and version > $2 order by version limit $3",
    )
    .bind(outage)
    .bind(signed(after))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &PgRow) -> Result<Entry, sqlx::Error> {
    let partition: i32 = row.try_get("partition")?;
    let offset = unsigned(row.try_get("record_offset")?);
    Ok(Entry {
        version: unsigned(row.try_get("version")?),
        kind: row.try_get("kind")?,
        said_at: time(row, "said_at")?,
        actor: row.try_get("actor")?,
        about: optional_time(row, "about")?,
        text: row.try_get("text")?,
        position: Position { topic: Topic::Outage, partition: partition.unsigned_abs(), offset },
    })
}

/// Puts an event into words, with the time that it speaks of.
fn words(event: &Event) -> (Option<Instant>, String) {
    match event {
        Event::OutageDeclared(declaration) => declared(declaration),
        Event::ObservationRevised(revision) => revised(revision),
        Event::ImpactAdded(impact) => {
            (Some(impact.window.from), format!("{} added", stated(impact)))
        }
        Event::ImpactRestored { impact, cohort, restored_at } => {
            let whom = cohort.as_ref().map_or_else(String::new, |name| format!(" for {name}"));
            (Some(*restored_at), format!("{impact} restored{whom}"))
        }
        Event::MailboxesRestored { impact, restored_at, subscriptions } => {
            let count = subscriptions.len();
            (Some(*restored_at), format!("{impact} restored for {count} mailboxes"))
        }
        Event::WindowAmended { amendment, note } => amended(amendment, note),
        Event::CauseDetermined { cause, works_done_at, announced_at } => {
            let notice = notice(*announced_at);
            let text = format!("the cause is {}{notice}", cause_word(*cause));
            (works_done_at.or(*announced_at), text)
        }
        Event::OutageResolved { resolved_at } => (Some(*resolved_at), "resolved".to_owned()),
        Event::OutageReopened { reopened_at, impacts, note } => {
            let again: Vec<String> = impacts.iter().map(stated).collect();
            let again = if again.is_empty() { String::new() } else { again.join(", ") + ": " };
            (Some(*reopened_at), format!("open again: {again}{note}"))
        }
        Event::OutageWithdrawn { note } => (None, format!("withdrawn: {note}")),
    }
}

fn declared(declaration: &Declaration) -> (Option<Instant>, String) {
    let from = declaration.declared.or(declaration.observed).map(|window| window.from);
    let impacts: Vec<String> = declaration.impacts.iter().map(stated).collect();
    let impacts =
        if impacts.is_empty() { String::new() } else { ": ".to_owned() + &impacts.join(", ") };
    let by = if declaration.source.is_empty() {
        String::new()
    } else {
        format!(" by {}", declaration.source)
    };
    let notice = notice(declaration.announced_at);
    (from, format!("{} declared{by}{notice}{impacts}", declaration.title))
}

fn notice(announced_at: Option<Instant>) -> String {
    announced_at.map_or_else(String::new, |at| format!(", announced {at}"))
}

fn revised(revision: &Revision) -> (Option<Instant>, String) {
    let window = revision.declared.or(revision.observed);
    let said = window.map_or_else(String::new, |window| format!(": {}", span(window)));
    (Some(revision.modified_at), format!("{} says{said}", revision.source))
}

fn amended(amendment: &Amendment, note: &str) -> (Option<Instant>, String) {
    match amendment {
        Amendment::Outage { declared, observed } => {
            let named = [("declared", declared), ("observed", observed)];
            let part = |(name, window): (&str, &Option<Window>)| {
                window.map(|window| format!("{name} {}", span(window)))
            };
            let parts: Vec<String> = named.into_iter().filter_map(part).collect();
            let from = declared.or(*observed).map(|window| window.from);
            (from, format!("amended to {}: {note}", parts.join(", ")))
        }
        Amendment::Impact { impact, window } => {
            (Some(window.from), format!("{impact} amended to {}: {note}", span(*window)))
        }
    }
}

fn stated(impact: &StatedImpact) -> String {
    let severity = severity_word(impact.severity);
    let whom = match (&impact.service, &impact.cohort) {
        (None, None) => String::new(),
        (Some(one), None) | (None, Some(one)) => format!(" of {one}"),
        (Some(service), Some(cohort)) => format!(" of {service}, {cohort}"),
    };
    format!("{} {severity}{whom} {}", impact.component, span(impact.window))
}

fn span(window: Window) -> String {
    match window.to {
        Some(to) => format!("{} to {to}", window.from),
        None => format!("{} on", window.from),
    }
}
