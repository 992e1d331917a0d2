//! `signal`: what feeds reported.

use futures::future::BoxFuture;
use ristoro_domain::signal::{Signal, SignalPart, SignalsObserved, derive_one};
use ristoro_domain::time::Instant;
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{instant, signed};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::stored::{kind, kind_word, micros, optional_time, severity, severity_word, time};

/// Folds signal.v1 into `signal`.
#[derive(Debug)]
pub struct Signals;

/// Where a signal stands: its feed, the version of the feed's stream and the place in that batch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct SignalKey {
    /// The feed.
    pub feed: String,
    /// The version.
    pub version: i64,
    /// The place.
    pub place: i32,
}

/// A signal that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignalRow {
    /// Where it stands.
    pub key: SignalKey,
    /// What it says.
    pub signal: Signal,
    /// When it was submitted.
    pub observed_at: Instant,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// The outage that it tells of, where there is one.
    pub outage: Option<String>,
}

impl Projection for Signals {
    fn name(&self) -> &'static str {
        "outage.signals"
    }

    fn topic(&self) -> Topic {
        Topic::Signal
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                // Other streams of this topic are not this table's.
                let Some(feed) = record.envelope.stream.strip_prefix("feed/") else { continue };
                let SignalsObserved { signals } = decode(record)?;
                insert(tx, feed, record, &signals).await?;
            }
            Ok(())
        })
    }
}

/// Writes a batch at once. Components and warnings differ in number, so they travel as JSON.
async fn insert(
    tx: &mut PgConnection,
    feed: &str,
    record: &Accepted,
    signals: &[Signal],
) -> Result<(), sqlx::Error> {
    let column = |text: fn(&Signal) -> &str| signals.iter().map(text).collect::<Vec<_>>();
    let json = |lists: Vec<Vec<String>>| -> Vec<String> {
        let list = |list: Vec<String>| serde_json::Value::from(list).to_string();
        lists.into_iter().map(list).collect()
    };
    let warnings = signals.iter().map(|signal| {
        derive_one(feed, signal).warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    });
    let parts: Vec<_> = signals.iter().map(|signal| parts_text(&signal.parts)).collect();
    let services: Vec<_> = signals.iter().map(|signal| signal.service.as_deref()).collect();
    let severities: Vec<_> = signals.iter().map(|s| s.severity.map(severity_word)).collect();
    let kinds: Vec<_> = signals.iter().map(|signal| kind_word(signal.kind)).collect();
    let began: Vec<_> = signals.iter().map(|signal| micros(signal.began_at)).collect();
    let ended: Vec<_> = signals.iter().map(|signal| signal.ended_at.map(micros)).collect();
    let modified: Vec<_> = signals.iter().map(|signal| micros(signal.modified_at)).collect();
    sqlx::query(
        "insert into signal (feed, version, place, source_id, provider, title, service, components, severity, kind, \
         began_at, ended_at, modified_at, observed_at, warnings, parts) \
         select $1, $2, (s.place - 1)::integer, s.source_id, s.provider, s.title, s.service, \
         array(select jsonb_array_elements_text(s.components::jsonb)), s.severity, s.kind, \
         s.began_at, s.ended_at, s.modified_at, $3, array(select jsonb_array_elements_text(s.warnings::jsonb)), \
         s.parts::jsonb \
         from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], \
         $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::text[]) with ordinality \
         as s (source_id, provider, title, service, components, severity, kind, began_at, ended_at, modified_at, \
         warnings, parts, place)",
    )
    .bind(feed)
    .bind(signed(record.envelope.version))
    .bind(micros(record.envelope.occurred_at))
    .bind(column(|signal| &signal.source_id))
    .bind(column(|signal| &signal.provider))
    .bind(column(|signal| &signal.title))
    .bind(services)
    .bind(json(signals.iter().map(|signal| signal.components.clone()).collect()))
    .bind(severities)
    .bind(kinds)
    .bind(began)
    .bind(ended)
    .bind(modified)
    .bind(json(warnings.collect()))
    .bind(parts)
    .execute(tx)
    .await
    .map(|_| ())
}

fn parts_text(parts: &[SignalPart]) -> String {
    let part = |part: &SignalPart| {
        serde_json::json!({
            "component": part.component,
            "severity": part.severity.map(severity_word),
            "began_at": micros(part.began_at),
            "ended_at": part.ended_at.map(micros),
        })
    };
    serde_json::Value::from(parts.iter().map(part).collect::<Vec<_>>()).to_string()
}

/// A part as its column holds it.
#[derive(serde::Deserialize)]
struct StoredPart {
    component: String,
    severity: Option<String>,
    began_at: i64,
    ended_at: Option<i64>,
}

fn parts_from(text: &str) -> Result<Vec<SignalPart>, sqlx::Error> {
    let stored: Vec<StoredPart> =
        serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let part = |part: StoredPart| {
        Ok(SignalPart {
            component: part.component,
            severity: part.severity.as_deref().map(severity).transpose()?,
            began_at: instant(part.began_at)?,
            ended_at: part.ended_at.map(instant).transpose()?,
        })
    };
    stored.into_iter().map(part).collect()
}

/// Lists signals after a key, of one feed or incident or of all. A join with what outages say of their sources.
///
/// # Errors
/// The database's.
pub async fn list(
    connection: &mut PgConnection,
    feed: Option<&str>,
    source_id: Option<&str>,
    after: &SignalKey,
    limit: i64,
) -> Result<Vec<SignalRow>, sqlx::Error> {
    let rows = sqlx::query(
        "select s.*, s.parts::text as parts_text, (select min(o.outage) from outage_source o where o.source = s.feed || '/' || s.source_id) \
         as outage from signal s \
         where ($1::text is null or s.feed = $1) and ($2::text is null or s.source_id = $2) \
         and (s.feed, s.version, s.place) > ($3, $4, $5) order by s.feed, s.version, s.place limit $6",
    )
    .bind(feed)
    .bind(source_id)
    .bind(&after.feed)
    .bind(after.version)
    .bind(after.place)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(signal_row).collect()
}

fn signal_row(row: &PgRow) -> Result<SignalRow, sqlx::Error> {
    let severity_text: Option<String> = row.try_get("severity")?;
    let key = SignalKey {
        feed: row.try_get("feed")?,
        version: row.try_get("version")?,
        place: row.try_get("place")?,
    };
    Ok(SignalRow {
        key,
        signal: Signal {
            source_id: row.try_get("source_id")?,
            provider: row.try_get("provider")?,
            title: row.try_get("title")?,
            service: row.try_get("service")?,
            components: row.try_get("components")?,
            severity: severity_text.as_deref().map(severity).transpose()?,
            kind: kind(row.try_get("kind")?)?,
            began_at: time(row, "began_at")?,
            ended_at: optional_time(row, "ended_at")?,
            modified_at: time(row, "modified_at")?,
            parts: parts_from(row.try_get("parts_text")?)?,
        },
        observed_at: time(row, "observed_at")?,
        warnings: row.try_get("warnings")?,
        outage: row.try_get("outage")?,
    })
}
