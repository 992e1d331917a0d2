//! Folds outage.v1 into the tables of outages and the timeline.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use ristoro_domain::decider::Decider;
use ristoro_domain::outage::{Event, Outage};
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use sqlx::PgConnection;

use super::state::{Known, MailboxCount, load, save};
use super::timeline;

/// The only writer of `outage`, `impact`, `cohort_restoration`, `outage_source` and `timeline`.
#[derive(Debug)]
pub struct Outages;

impl Projection for Outages {
    fn name(&self) -> &'static str {
        "outage.outages"
    }

    fn topic(&self) -> Topic {
        Topic::Outage
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            let mut ids: Vec<String> = records.iter().filter_map(outage_of).collect();
            ids.sort();
            ids.dedup();
            let mut outages = load(tx, &ids).await?;
            for record in records {
                let Some(id) = outage_of(record) else { continue };
                let event: Event = decode(record)?;
                timeline::insert(tx, &id, record, &event).await?;
                apply(&mut outages, id, record, &event);
            }
            for known in outages.values() {
                save(tx, known).await?;
            }
            Ok(())
        })
    }
}

/// Other streams of this topic are not these tables'.
fn outage_of(record: &Accepted) -> Option<String> {
    record.envelope.stream.strip_prefix("outage/").map(str::to_owned)
}

fn apply(outages: &mut BTreeMap<String, Known>, id: String, record: &Accepted, event: &Event) {
    let at = record.envelope.occurred_at;
    let known = outages.entry(id.clone()).or_insert_with(|| Known::new(id, at));
    known.version = record.envelope.version;
    known.updated_at = at;
    if let Event::MailboxesRestored { impact, restored_at, subscriptions } = event {
        count(known, impact, *restored_at, subscriptions.len());
    }
    known.state = Outage::evolve(std::mem::take(&mut known.state), event);
    // Who they are is not kept here: an outage has millions of mailboxes.
    for impact in known.state.impacts.values_mut() {
        impact.restored_subscriptions.clear();
    }
    let impacts = &known.state.impacts;
    known.mailboxes.retain(|id, _| impacts.contains_key(id));
}

fn count(
    known: &mut Known,
    impact: &str,
    restored_at: ristoro_domain::time::Instant,
    mailboxes: usize,
) {
    let first = MailboxCount { restorations: 0, last_restored_at: restored_at };
    let count = known.mailboxes.entry(impact.to_owned()).or_insert(first);
    count.restorations += mailboxes as u64;
    count.last_restored_at = count.last_restored_at.max(restored_at);
}
