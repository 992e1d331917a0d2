//! The tables of a service as of any state of the log, folded by its real projection on a real Postgres.
//!
//! A run asks what the tables show, and the next run begins anew: so records are folded under savepoints in one
//! transaction that never ends, and what was asked of a state of the log once is remembered.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use ristoro_local::{Postgres, PostgresOptions, cache_directory};
use ristoro_log::{EventLog, Record, Topic};
use ristoro_runtime::service::stepwise::Stepwise;
use ristoro_runtime::service::{ServiceSpec, Settings};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Transaction};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use super::world::World;

/// One server for all tests of a binary; its supervisor ends it with the process.
static SERVER: OnceCell<Postgres> = OnceCell::const_new();

/// Databases that were made for tables.
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The tables that one projection folds from partition 0 of its topic, behind a beginning that is always the same.
pub struct Tables {
    runtime: Runtime,
    service: Stepwise,
    projection: &'static str,
    topic: Topic,
    /// None only while this is dropped.
    transaction: Option<Transaction<'static, sqlx::Postgres>>,
    /// The records behind the beginning that are folded, each under a savepoint.
    folded: Vec<Record>,
    /// Records of the beginning, the first of the log included.
    beginning: usize,
    answers: HashMap<(Vec<Bytes>, String), Box<dyn Any>>,
    pool: PgPool,
}

/// Gives an address of a new database on the binary's server.
///
/// # Panics
/// If there is no Postgres.
pub async fn database(name: &str) -> String {
    let options = PostgresOptions::throw_away(cache_directory());
    let start = || async { Postgres::start(options).await.expect("Postgres starts") };
    let server = SERVER.get_or_init(start).await;
    server.create_database(name).await.expect("the name is free")
}

impl Tables {
    /// Prepares a service's tables and folds the beginning: for each of the topics, with its projection, all that is on
    /// partition 0 of the world's log. The last of them is the one that goes on.
    ///
    /// # Panics
    /// If anything fails.
    #[must_use]
    pub fn behind(world: &World, spec: ServiceSpec, projections: &[(&'static str, Topic)]) -> Self {
        let runtime = Runtime::new().expect("a runtime can be made");
        let database_number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("interleave_{}_{database_number}", spec.name);
        let schema = format!("{}_1", spec.name);
        let (projection, topic) = *projections.last().expect("one is named");
        let (service, pool, transaction) = runtime.block_on(async {
            let url = database(&name).await;
            let pool = PgPoolOptions::new().max_connections(4).connect(&url).await;
            let pool = pool.expect("the database is there");
            let on = (pool.clone(), EventLog::Memory(world.log.clone()));
            let service = Stepwise::prepare(spec, Settings::default(), on).await;
            let service = service.expect("the service is sound");
            let begin = format!("begin; set local search_path to {schema}");
            let transaction = pool.begin_with(AssertSqlSafe(begin)).await;
            (service, pool, transaction.expect("the schema is there"))
        });
        let beginning = world.log.records(topic, 0).len();
        let (folded, answers) = (Vec::new(), HashMap::new());
        let mut tables = Self {
            runtime,
            service,
            projection,
            topic,
            transaction: Some(transaction),
            folded,
            beginning,
            answers,
            pool,
        };
        for (projection, topic) in projections {
            let records = world.log.records(*topic, 0);
            let Self { runtime, service, transaction, .. } = &mut tables;
            let folded = service.fold(open(transaction), projection, &records);
            let folded = runtime.block_on(folded);
            folded.expect("the beginning can be folded");
        }
        tables
    }

    /// Asks what the tables show behind all records that are on the log now.
    ///
    /// # Panics
    /// If a record cannot be folded, which no interleaving may bring about.
    pub fn ask<T: Clone + 'static>(
        &mut self,
        world: &World,
        question: &str,
        look: impl AsyncFnOnce(&mut PgConnection) -> T,
    ) -> T {
        let records = world.log.records(self.topic, 0).split_off(self.beginning);
        let values = records.iter().map(|record| record.value.clone()).collect();
        let key = (values, question.to_owned());
        if let Some(answer) = self.answers.get(&key) {
            let answer = answer.downcast_ref::<T>().expect("a question has answers of one type");
            return answer.clone();
        }
        self.go_to(&records);
        let Self { runtime, transaction, answers, .. } = self;
        let answer = runtime.block_on(look(open(transaction)));
        answers.insert(key, Box::new(answer.clone()));
        answer
    }

    /// Gives the number of states of the log that were folded and asked.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.answers.len()
    }

    /// Folds and unfolds until exactly these records are folded behind the beginning.
    fn go_to(&mut self, records: &[Record]) {
        let Self { runtime, service, projection, transaction, folded, .. } = self;
        let transaction = open(transaction);
        let same = folded.iter().zip(records).take_while(|(one, other)| one == other).count();
        runtime.block_on(async {
            if folded.len() > same {
                run(transaction, format!("rollback to r{same}; release r{same}")).await;
                folded.truncate(same);
            }
            for record in &records[same..] {
                run(transaction, format!("savepoint r{}", folded.len())).await;
                let result =
                    service.fold(transaction, projection, std::slice::from_ref(record)).await;
                result.expect("what is accepted can be folded");
                folded.push(record.clone());
            }
        });
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        let Self { runtime, transaction, pool, .. } = self;
        runtime.block_on(async {
            drop(transaction.take());
            pool.close().await;
        });
    }
}

fn open<'a>(
    transaction: &'a mut Option<Transaction<'static, sqlx::Postgres>>,
) -> &'a mut PgConnection {
    transaction.as_mut().expect("it is open until the end")
}

async fn run(connection: &mut PgConnection, statement: String) {
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await;
    done.expect("the transaction is sound");
}
