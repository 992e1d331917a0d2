//! Signals become outages: each is told to the outage that it is about, by a system command.
//!
//! The same source always tells of the same outage. A source that is heard for the first time joins an outage that
//! another feed or a person already tells of, so that one failure is one outage however many feeds report it.

use futures::future::BoxFuture;
use ristoro_domain::outage::{Command, Declaration, Outage};
use ristoro_domain::signal::{DerivedOutage, SignalsObserved, derive, outage_id};
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::command::{CommandError, StreamRef};
use ristoro_runtime::outbox::Outbox;
use ristoro_runtime::projection::decode;
use ristoro_runtime::stage::{Stage, StageContext, StageError};

use crate::projections::outage::{of_source, overlapping};
use crate::streams::outage_stream;

/// The stage over signal.v1.
#[derive(Debug)]
pub struct Derive;

impl Stage for Derive {
    fn name(&self) -> &'static str {
        "outage.derive"
    }

    fn topic(&self) -> Topic {
        Topic::Signal
    }

    fn react<'a>(
        &'a self,
        context: &'a StageContext,
        record: &'a Accepted,
        _outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let Some(feed) = record.envelope.stream.strip_prefix("feed/") else { return Ok(()) };
            let SignalsObserved { signals } = decode(record)?;
            // One outage for each incident: of several words in a batch the last counts, so no outage is told twice
            // by one record, which would be one command.
            for outage in derive(feed, &signals) {
                if let Some(declaration) = outage.declaration() {
                    tell(context, record, &outage, declaration).await?;
                }
            }
            Ok(())
        })
    }
}

async fn tell(
    context: &StageContext,
    record: &Accepted,
    outage: &DerivedOutage,
    declaration: Declaration,
) -> Result<(), StageError> {
    if let Some(known) = known_outage(context, &declaration.source).await? {
        return observe(context, record, &known, declaration).await;
    }
    // Two feeds that report the same failure at once would each find no outage: one after the other, the second
    // finds the first one's. Whoever does not get the lock tries the record again soon. A lock that is lost makes two
    // outages of one at worst, and a person withdraws one.
    let mut lock = context.pool.begin().await?;
    let name = format!("outage.derive/{}", declaration.provider);
    let got: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(name)
        .fetch_one(&mut *lock)
        .await?;
    if !got {
        lock.rollback().await?;
        return Err(StageError::NotYet);
    }
    let told = tell_first(context, record, outage, declaration).await;
    lock.rollback().await?;
    told
}

async fn tell_first(
    context: &StageContext,
    record: &Accepted,
    outage: &DerivedOutage,
    declaration: Declaration,
) -> Result<(), StageError> {
    let mut view = context.views.begin().await?;
    let (provider, feed) = (&outage.provider, &outage.source);
    let known = overlapping(&mut view, provider, feed, &outage.impacts).await?;
    view.rollback().await?;
    let own = || outage_id(feed, &outage.source_id).to_string();
    observe(context, record, &known.unwrap_or_else(own), declaration).await
}

async fn known_outage(context: &StageContext, source: &str) -> Result<Option<String>, StageError> {
    let mut view = context.views.begin().await?;
    let known = of_source(&mut view, source).await?;
    view.rollback().await?;
    Ok(known)
}

async fn observe(
    context: &StageContext,
    record: &Accepted,
    outage: &str,
    declaration: Declaration,
) -> Result<(), StageError> {
    let stream: StreamRef = outage_stream(outage, context.commands.partition_count());
    let source = declaration.source.clone();
    let command = Command::Observe(Box::new(declaration));
    let done =
        context.commands.execute_caused::<Outage>(&stream, record, "outage.derive", &command).await;
    match done {
        Ok(_) => Ok(()),
        Err(CommandError::Rejected(rejection)) => {
            // The feed's decider has checked what could be wrong, so this names a fault of ours; it stops no others.
            tracing::error!(%source, outage, %rejection, "a signal could not be told to its outage");
            Ok(())
        }
        Err(CommandError::Conflict { .. } | CommandError::Unknown(_)) => Err(StageError::NotYet),
        Err(CommandError::RequestIdReused) => {
            let problem = format!("its command for {outage} was used for another stream");
            Err(StageError::Payload { position: record.position, problem })
        }
        Err(CommandError::Failure(failure)) => Err(StageError::Command(failure)),
    }
}
