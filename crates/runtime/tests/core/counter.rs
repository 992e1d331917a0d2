//! A small service: counters that are added to, their totals, and an echo of every addition.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use ristoro_domain::decider::Decider;
use ristoro_log::Topic;
use ristoro_proto::wire::{Wire, WireError};
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::outbox::Outbox;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::service::ServiceSpec;
use ristoro_runtime::stage::{Stage, StageContext, StageError};
use sqlx::PgConnection;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./tests/core/migrations");

/// A counter that never exceeds a limit.
pub struct Counter;

#[derive(Clone, Debug)]
pub struct Add {
    pub amount: i64,
    pub limit: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Added {
    pub amount: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OverLimit {
    pub total: i64,
}

impl Decider for Counter {
    type Command = Add;
    type Event = Added;
    type Rejection = OverLimit;
    type State = i64;

    fn decide(total: &i64, command: &Add) -> Result<Option<Added>, OverLimit> {
        if command.amount == 0 {
            return Ok(None);
        }
        if total + command.amount > command.limit {
            return Err(OverLimit { total: *total });
        }
        Ok(Some(Added { amount: command.amount }))
    }

    fn evolve(total: i64, event: &Added) -> i64 {
        total + event.amount
    }
}

impl Wire for Added {
    fn kind(&self) -> &'static str {
        "Added"
    }

    fn encode(&self) -> Bytes {
        Bytes::copy_from_slice(&self.amount.to_be_bytes())
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        let amount = payload.as_ref().try_into().ok().map(i64::from_be_bytes);
        match amount {
            Some(amount) if kind == "Added" => Ok(Self { amount }),
            Some(_) | None => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

struct Totals;

impl Projection for Totals {
    fn name(&self) -> &'static str {
        "counter.totals"
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
            for record in records {
                let added: Added = decode(record)?;
                sqlx::query("insert into folded values ($1, $2, $3, $4)")
                    .bind(i32::try_from(record.position.partition).unwrap())
                    .bind(i64::try_from(record.position.offset).unwrap())
                    .bind(&record.envelope.stream)
                    .bind(added.amount)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(
                    "insert into total values ($1, $2)
                     on conflict (stream) do update set total = total.total + excluded.total",
                )
                .bind(&record.envelope.stream)
                .bind(added.amount)
                .execute(&mut *tx)
                .await?;
            }
            Ok(())
        })
    }
}

struct Echoes;

impl Projection for Echoes {
    fn name(&self) -> &'static str {
        "counter.echoes"
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
                sqlx::query("insert into echo values ($1, $2, $3)")
                    .bind(&record.envelope.stream)
                    .bind(i64::try_from(record.envelope.version).unwrap())
                    .bind(String::from_utf8_lossy(&record.envelope.payload).into_owned())
                    .execute(&mut *tx)
                    .await?;
            }
            Ok(())
        })
    }
}

struct Echo;

impl Stage for Echo {
    fn name(&self) -> &'static str {
        "counter.echo"
    }

    fn topic(&self) -> Topic {
        Topic::Outage
    }

    fn react<'a>(
        &'a self,
        _context: &'a StageContext,
        record: &'a Accepted,
        outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            decode::<Added>(record)?;
            echo(record, "heard", outbox);
            Ok(())
        })
    }

    fn skip<'a>(
        &'a self,
        _context: &'a StageContext,
        record: &'a Accepted,
        outbox: &'a mut Outbox,
    ) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            echo(record, "skipped", outbox);
            Ok(())
        })
    }
}

fn echo(record: &Accepted, what: &str, outbox: &mut Outbox) {
    let partition = record.position.partition;
    let payload = Bytes::from(format!("{what} {}", record.position));
    outbox.emit(Topic::Signal, partition, &format!("echo/{partition}"), "Echoed", payload);
}

/// The service as production would have it.
pub fn spec() -> ServiceSpec {
    ServiceSpec {
        name: "counter",
        migrations: &MIGRATIONS,
        projections: vec![Arc::new(Totals), Arc::new(Echoes)],
        stages: vec![Arc::new(Echo)],
        journaled: |topic, stream| topic == Topic::Outage && stream.starts_with("counter/"),
        journal_topics: &[Topic::Outage],
        workers: Vec::new(),
    }
}

/// The service with projections alone, for tests that write to the log themselves.
pub fn projections_only() -> ServiceSpec {
    ServiceSpec { stages: Vec::new(), ..spec() }
}
