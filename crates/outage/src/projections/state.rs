//! `outage`, `impact`, `cohort_restoration` and `outage_source`: one outage's rows as the decider's state, and back.
//!
//! The decider's own `evolve` says what an event does, so the tables cannot say otherwise. Single mailboxes are only
//! counted here: who they are stands on the log.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::facts::Impact;
use ristoro_domain::outage::{Declaration, Outage, SourceView, Status};
use ristoro_domain::time::{Instant, Window};
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::stored::{
    cause, cause_word, ends, micros, optional_time, origin, origin_word, severity, severity_word,
    time, unknown, window,
};

/// An outage as its rows know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// The version of its stream.
    pub version: u64,
    /// Its state, without single mailboxes.
    pub state: Outage,
    /// What is counted of single mailboxes, by the impact's id.
    pub mailboxes: BTreeMap<String, MailboxCount>,
    /// When it was declared.
    pub created_at: Instant,
    /// When something was last said about it.
    pub updated_at: Instant,
}

/// What is counted of single mailboxes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailboxCount {
    /// Restorations that were stated, corrections counted again.
    pub restorations: u64,
    /// The last time at which one was back.
    pub last_restored_at: Instant,
}

impl Known {
    /// Makes an outage of which nothing is known yet.
    #[must_use]
    pub fn new(id: String, at: Instant) -> Self {
        let (state, mailboxes) = (Outage::default(), BTreeMap::new());
        Self { id, version: 0, state, mailboxes, created_at: at, updated_at: at }
    }

    /// Gives the last end that is known of anybody whom an impact hits; none while it is open.
    #[must_use]
    pub fn down_until(&self, id: &str, impact: &Impact) -> Option<Instant> {
        let end = impact.window.to?;
        let cohorts = impact.restored_cohorts.values().copied();
        let mailboxes = self.mailboxes.get(id).map(|count| count.last_restored_at);
        cohorts.chain(mailboxes).chain([end]).max()
    }

    /// Gives the first begin and the last end of everything that is known; no end while something is open.
    fn hull(&self) -> (Instant, Option<Instant>) {
        let began_at = self.state.began_at().unwrap_or(self.created_at);
        let impacts = self.state.impacts.iter();
        let mut ends: Vec<Option<Instant>> =
            impacts.map(|(id, impact)| self.down_until(id, impact)).collect();
        if ends.is_empty() {
            let own = [self.state.declared, self.state.observed];
            ends.extend(own.into_iter().flatten().map(|window| window.to));
        }
        let last = ends.into_iter().collect::<Option<Vec<_>>>();
        (began_at, last.and_then(|ends| ends.into_iter().max()))
    }
}

/// Reads outages by their ids; those that are not known are left out.
///
/// # Errors
/// The database's.
pub async fn load(
    connection: &mut PgConnection,
    ids: &[String],
) -> Result<BTreeMap<String, Known>, sqlx::Error> {
    let mut outages = BTreeMap::new();
    let rows = sqlx::query("select * from outage where outage = any($1)").bind(ids);
    for row in rows.fetch_all(&mut *connection).await? {
        let known = outage(&row)?;
        outages.insert(known.id.clone(), known);
    }
    let rows = sqlx::query("select * from impact where outage = any($1)").bind(ids);
    for row in rows.fetch_all(&mut *connection).await? {
        if let Some(known) = outages.get_mut(row.try_get::<&str, _>("outage")?) {
            put_impact(known, &row)?;
        }
    }
    let rows = sqlx::query("select * from cohort_restoration where outage = any($1)").bind(ids);
    for row in rows.fetch_all(&mut *connection).await? {
        let (outage, impact): (&str, &str) = (row.try_get("outage")?, row.try_get("impact")?);
        let impact = outages.get_mut(outage).and_then(|known| known.state.impacts.get_mut(impact));
        if let Some(impact) = impact {
            let restored_at = time(&row, "restored_at")?;
            impact.restored_cohorts.insert(row.try_get("cohort")?, restored_at);
        }
    }
    let rows = sqlx::query("select * from outage_source where outage = any($1)").bind(ids);
    for row in rows.fetch_all(connection).await? {
        if let Some(known) = outages.get_mut(row.try_get::<&str, _>("outage")?) {
            known.state.sources.insert(row.try_get("source")?, source(&row)?);
        }
    }
    Ok(outages)
}

fn outage(row: &PgRow) -> Result<Known, sqlx::Error> {
    let (declared, observed) = (window(row, "declared")?, window(row, "observed")?);
    let cause_text: Option<&str> = row.try_get("cause")?;
    let cause = cause_text.map(cause).transpose()?;
    let announced_at = optional_time(row, "announced_at")?;
    let declaration = Declaration {
        provider: row.try_get("provider")?,
        title: row.try_get("title")?,
        time_zone: row.try_get("time_zone")?,
        origin: origin(row.try_get("origin")?)?,
        declared,
        observed,
        impacts: Vec::new(),
        cause,
        announced_at,
        source: String::new(),
        modified_at: None,
        // Decisions read it from the event; nothing that is shown of the table needs it.
        declared_at: None,
    };
    Ok(Known {
        id: row.try_get("outage")?,
        version: unsigned(row.try_get("version")?),
        state: Outage {
            status: status(row)?,
            declaration: Some(declaration),
            declared,
            observed,
            cause,
            works_done_at: optional_time(row, "works_done_at")?,
            announced_at,
            reopened_at: optional_time(row, "reopened_at")?,
            amended_by_person: row.try_get("amended_by_person")?,
            ..Outage::default()
        },
        mailboxes: BTreeMap::new(),
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn status(row: &PgRow) -> Result<Status, sqlx::Error> {
    match row.try_get("state")? {
        "open" => Ok(Status::Open),
        "resolved" => Ok(Status::Resolved { at: time(row, "resolved_at")? }),
        "withdrawn" => Ok(Status::Withdrawn { note: row.try_get("withdrawn_note")? }),
        other => Err(unknown(other)),
    }
}

fn put_impact(known: &mut Known, row: &PgRow) -> Result<(), sqlx::Error> {
    let id: String = row.try_get("impact")?;
    let to = optional_time(row, "restored_at")?;
    let impact = Impact {
        service: row.try_get("service")?,
        component: row.try_get("component")?,
        severity: severity(row.try_get("severity")?)?,
        cohort: row.try_get("cohort")?,
        window: Window { from: time(row, "began_at")?, to },
        restored_cohorts: BTreeMap::new(),
        restored_subscriptions: BTreeMap::new(),
    };
    if row.try_get("ended_by_resolution")? {
        known.state.ended_by_resolution.insert(id.clone());
    }
    if let Some(last_restored_at) = optional_time(row, "last_mailbox_restored_at")? {
        let restorations = unsigned(row.try_get("mailbox_restorations")?);
        known.mailboxes.insert(id.clone(), MailboxCount { restorations, last_restored_at });
    }
    known.state.impacts.insert(id, impact);
    Ok(())
}

fn source(row: &PgRow) -> Result<SourceView, sqlx::Error> {
    let impacts: Vec<String> = row.try_get("impacts")?;
    Ok(SourceView {
        modified_at: optional_time(row, "modified_at")?,
        declared: window(row, "declared")?,
        observed: window(row, "observed")?,
        impacts: impacts.into_iter().collect::<BTreeSet<_>>(),
    })
}

/// Writes an outage's rows in place of those before.
pub(super) async fn save(tx: &mut PgConnection, known: &Known) -> Result<(), sqlx::Error> {
    for table in ["outage", "impact", "cohort_restoration", "outage_source"] {
        let text = format!("delete from {table} where outage = $1");
        sqlx::query(sqlx::AssertSqlSafe(text)).bind(&known.id).execute(&mut *tx).await?;
    }
    save_outage(tx, known).await?;
    save_impacts(tx, known).await?;
    save_sources(tx, known).await
}

async fn save_outage(tx: &mut PgConnection, known: &Known) -> Result<(), sqlx::Error> {
    let state = &known.state;
    // An event behind the declaration only: every stream begins with one.
    let Some(declaration) = &state.declaration else { return Ok(()) };
    let (word, resolved_at, note) = match &state.status {
        Status::Unknown | Status::Open => ("open", None, ""),
        Status::Resolved { at } => ("resolved", Some(micros(*at)), ""),
        Status::Withdrawn { note } => ("withdrawn", None, note.as_str()),
    };
    let (declared, observed) = (ends(state.declared), ends(state.observed));
    let (began_at, ended_at) = known.hull();
    sqlx::query(
        "insert into outage (outage, version, provider, title, time_zone, origin, state, declared_from, declared_to, \
         observed_from, observed_to, began_at, ended_at, cause, works_done_at, resolved_at, reopened_at, \
         withdrawn_note, amended_by_person, created_at, updated_at, announced_at) values ($1, $2, $3, $4, $5, $6, $7, \
         $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
    )
    .bind(&known.id)
    .bind(signed(known.version))
    .bind(&declaration.provider)
    .bind(&declaration.title)
    .bind(&declaration.time_zone)
    .bind(origin_word(declaration.origin))
    .bind(word)
    .bind(declared.0)
    .bind(declared.1)
    .bind(observed.0)
    .bind(observed.1)
    .bind(micros(began_at))
    .bind(ended_at.map(micros))
    .bind(state.cause.map(cause_word))
    .bind(state.works_done_at.map(micros))
    .bind(resolved_at)
    .bind(state.reopened_at.map(micros))
    .bind(note)
    .bind(state.amended_by_person)
    .bind(micros(known.created_at))
    .bind(micros(known.updated_at))
    .bind(state.announced_at.map(micros))
    .execute(tx)
    .await
    .map(|_| ())
}

async fn save_impacts(tx: &mut PgConnection, known: &Known) -> Result<(), sqlx::Error> {
    for (id, impact) in &known.state.impacts {
        let count = known.mailboxes.get(id);
        sqlx::query(
            "insert into impact (outage, impact, service, component, severity, cohort, began_at, restored_at, \
             down_until, ended_by_resolution, mailbox_restorations, last_mailbox_restored_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(&known.id)
        .bind(id)
        .bind(&impact.service)
        .bind(&impact.component)
        .bind(severity_word(impact.severity))
        .bind(&impact.cohort)
        .bind(micros(impact.window.from))
        .bind(impact.window.to.map(micros))
        .bind(known.down_until(id, impact).map(micros))
        .bind(known.state.ended_by_resolution.contains(id))
        .bind(count.map_or(0, |count| signed(count.restorations)))
        .bind(count.map(|count| micros(count.last_restored_at)))
        .execute(&mut *tx)
        .await?;
        let cohorts: Vec<&String> = impact.restored_cohorts.keys().collect();
        let times: Vec<i64> = impact.restored_cohorts.values().copied().map(micros).collect();
        sqlx::query(
            "insert into cohort_restoration (outage, impact, cohort, restored_at) \
             select $1, $2, * from unnest($3::text[], $4::bigint[])",
        )
        .bind(&known.id)
        .bind(id)
        .bind(cohorts)
        .bind(times)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn save_sources(tx: &mut PgConnection, known: &Known) -> Result<(), sqlx::Error> {
    for (source, view) in &known.state.sources {
        let (declared, observed) = (ends(view.declared), ends(view.observed));
        sqlx::query(
            "insert into outage_source (source, outage, modified_at, declared_from, declared_to, observed_from, \
             observed_to, impacts) values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(source)
        .bind(&known.id)
        .bind(view.modified_at.map(micros))
        .bind(declared.0)
        .bind(declared.1)
        .bind(observed.0)
        .bind(observed.1)
        .bind(view.impacts.iter().collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
