//! What a service needs from outside: callers, Postgres, the log, a mail server, a collector.

use std::time::Duration;

use ristoro_log::{EventLog, LogConfig, TopicPlan};
use ristoro_runtime::config::{ServiceConfig, connect};
use ristoro_runtime::grpc::Principals;
use ristoro_runtime::service::ServiceSpec;
use sqlx::PgPool;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;
use super::database::{Server, server};
use crate::verbs::service::specs;

/// How long an address may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The oldest Postgres that the SQL is tested with.
const OLDEST_POSTGRES: i32 = 15;
/// Clocks that differ by so much confuse whoever reads times of two machines.
const SKEW_WARN_MS: i64 = 2_000;
/// Business times are wrong by so much that decisions may change.
const SKEW_BAD_MS: i64 = 60_000;
/// What a process opens besides its pool: eight of a log in Postgres, one that listens there, one that migrates.
const BESIDES_THE_POOL: i64 = 10;

/// Looks at who may call.
pub fn principals(config: &ServiceConfig) -> Finding {
    let check = "principals";
    let Some(file) = &config.principals_file else {
        let text = "nobody may call: set principals_file (docs/operating.md, \"Who may call\")";
        return Finding::warn(check, text);
    };
    match Principals::load(file) {
        Err(error) => Finding::bad(check, error.problems.join("; ")),
        Ok(list) if list.count() == 0 => {
            Finding::warn(check, format!("{} names nobody, so nobody may call", file.display()))
        }
        Ok(list) => Finding::ok(check, format!("{} callers in {}", list.count(), file.display())),
    }
}

/// Looks at Postgres; gives a way to ask it more.
pub async fn database(config: &ServiceConfig) -> (Option<PgPool>, Vec<Finding>) {
    let pool = match connect(config).await {
        Ok(pool) => pool,
        Err(error) => return (None, vec![Finding::bad("postgres", error.to_string())]),
    };
    match server(&pool).await {
        Err(error) => {
            (None, vec![Finding::bad("postgres", format!("it does not answer: {error}"))])
        }
        Ok(server) => {
            let findings = vec![version(&server), clock(&server), connections(config, &server)];
            (Some(pool), findings.into_iter().chain(pool_size(config)).collect())
        }
    }
}

fn version(server: &Server) -> Finding {
    let (check, version) = ("postgres", &server.version);
    if server.major < OLDEST_POSTGRES {
        return Finding::bad(check, format!("it is {version}: use {OLDEST_POSTGRES} or later"));
    }
    if !server.may_create {
        let text = "the user may not make schemas: grant create on database ... to ...";
        return Finding::bad(check, text);
    }
    Finding::ok(check, format!("version {version}, answers in {} ms", server.answered_in_ms))
}

fn clock(server: &Server) -> Finding {
    let now = jiff::Timestamp::now().as_millisecond();
    let skew = (now - server.answered_in_ms / 2) - server.time_ms;
    let (check, text) = ("clock", format!("this clock differs from Postgres's by {skew} ms"));
    match skew.abs() {
        ..SKEW_WARN_MS => Finding::ok(check, text),
        SKEW_WARN_MS..SKEW_BAD_MS => Finding::warn(check, format!("{text}: synchronise both")),
        _ => Finding::bad(
            check,
            format!("{text}: synchronise both before times are wrong on the log"),
        ),
    }
}

/// Compares what the processes may open with what the server allows.
fn connections(config: &ServiceConfig, server: &Server) -> Finding {
    let check = "connections";
    let one = i64::from(config.pool_size) + BESIDES_THE_POOL;
    let allowed = server.connections;
    let services = i64::try_from(specs().len()).unwrap_or(i64::MAX);
    if one > allowed {
        let text = format!(
            "a process opens up to {one} and Postgres allows {allowed}: lower pool_size or raise max_connections"
        );
        return Finding::bad(check, text);
    }
    if one * services > allowed {
        let text = format!(
            "{services} services with one process each open up to {} and Postgres allows {allowed}: lower pool_size or raise max_connections",
            one * services
        );
        return Finding::warn(check, text);
    }
    Finding::ok(check, format!("a process opens up to {one}, Postgres allows {allowed}"))
}

/// Compares the pool with the loops of each service, each of which may hold a connection.
fn pool_size(config: &ServiceConfig) -> Vec<Finding> {
    let needs = specs().map(|spec| (spec.name, loops(&spec)));
    let check = "pool size";
    let short: Vec<String> = needs
        .iter()
        .filter(|(_, loops)| *loops > config.pool_size as usize)
        .map(|(name, loops)| format!("{name} has {loops} loops"))
        .collect();
    if short.is_empty() {
        let most = needs.iter().map(|(_, loops)| *loops).max().unwrap_or_default();
        let text =
            format!("{} connections, and no service has more than {most} loops", config.pool_size);
        return vec![Finding::ok(check, text)];
    }
    let text = format!(
        "{} connections, and {}: loops and calls wait for each other, raise pool_size",
        config.pool_size,
        short.join(", ")
    );
    vec![Finding::warn(check, text)]
}

/// Counts a service's loops: the journal's and the skips', projections, stages, workers.
fn loops(spec: &ServiceSpec) -> usize {
    let journal = spec.journal_topics.len() + 2;
    journal + spec.projections.len() + spec.stages.len() + spec.workers.len()
}

/// Looks at the log; gives it where it can be opened.
pub async fn log(config: &ServiceConfig) -> (Option<EventLog>, Vec<Finding>) {
    let check = "log";
    let place = &config.log;
    let plan = match EventLog::plan(place).await {
        Ok(plan) => plan,
        Err(ristoro_log::LogError::Unavailable(problem)) => {
            let text = format!("none answers at {place} ({problem}): start it, or correct log");
            return (None, vec![Finding::bad(check, text)]);
        }
        Err(error) => return (None, vec![Finding::bad(check, error.to_string())]),
    };
    let mut findings = vec![topics(place, &plan)];
    if plan.log_id.is_none() {
        return (None, findings);
    }
    match EventLog::open(place).await {
        Ok(log) => {
            let (log_id, count) = (log.log_id(), log.partition_count());
            findings.insert(
                0,
                Finding::ok(
                    check,
                    format!("{place} is log {log_id} with {count} partitions a topic"),
                ),
            );
            (Some(log), findings)
        }
        Err(error) => {
            findings.insert(0, Finding::bad(check, error.to_string()));
            (None, findings)
        }
    }
}

fn topics(place: &LogConfig, plan: &TopicPlan) -> Finding {
    let check = "topics";
    let wrong: Vec<String> = plan
        .topics
        .iter()
        .filter(|topic| !topic.wrong_settings.is_empty())
        .map(|topic| format!("{}: {}", topic.topic, topic.wrong_settings.join("; ")))
        .collect();
    if !wrong.is_empty() {
        let text = format!(
            "records could be lost ({}): `ristoro topics plan` says how to set it right",
            wrong.join(", ")
        );
        return Finding::bad(check, text);
    }
    match (plan.is_complete(), plan.log_id) {
        (true, _) => Finding::ok(
            check,
            format!("all {} are there, and keep everything for ever", plan.topics.len()),
        ),
        (false, None) => Finding::warn(
            check,
            format!(
                "there is no log at {place} yet: run `ristoro topics apply`, or start a service, which makes it"
            ),
        ),
        (false, Some(_)) => {
            let wanted =
                plan.topics.iter().map(|one| one.partition_count).max().unwrap_or_default();
            let lacking = plan
                .topics
                .iter()
                .filter(|one| one.partition_count != wanted || one.without_genesis > 0);
            let lacking: Vec<String> = lacking.map(ToString::to_string).collect();
            Finding::bad(
                check,
                format!(
                    "the log is not whole ({}): `ristoro topics plan` says more",
                    lacking.join(", ")
                ),
            )
        }
    }
}

/// Looks whether the mail server greets.
pub async fn mail(url: Option<&str>) -> Finding {
    let check = "mail";
    let Some(url) = url else {
        return Finding::ok(check, "not looked at: give --smtp-url or RISTORO_SMTP_URL");
    };
    let server: ristoro_notifier::settings::SmtpServer = match url.parse() {
        Ok(server) => server,
        Err(error) => return Finding::bad(check, error.to_string()),
    };
    let greeting = timeout(ANSWER_LIMIT, async {
        let mut stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
        let mut code = [0_u8; 3];
        stream.read_exact(&mut code).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&code).into_owned())
    });
    let advice = "start it, or correct RISTORO_SMTP_URL";
    match greeting.await {
        Ok(Ok(code)) if code == "220" => Finding::ok(check, format!("{url} greets")),
        Ok(Ok(code)) => {
            Finding::bad(check, format!("{url} answers {code:?} and not 220: is it a mail server?"))
        }
        Ok(Err(problem)) => {
            Finding::bad(check, format!("{url} does not answer ({problem}): {advice}"))
        }
        Err(_) => {
            Finding::bad(check, format!("{url} does not greet within {ANSWER_LIMIT:?}: {advice}"))
        }
    }
}

/// Looks whether something listens where spans go.
pub async fn spans(config: &ServiceConfig) -> Option<Finding> {
    let endpoint = config.otlp_endpoint.as_deref()?;
    let place = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let place = if place.contains(':') { place.to_owned() } else { format!("{place}:4317") };
    let finding = match timeout(ANSWER_LIMIT, TcpStream::connect(&place)).await {
        Ok(Ok(_)) => Finding::ok("spans", format!("a collector listens at {endpoint}")),
        Ok(Err(problem)) => Finding::warn(
            "spans",
            format!("nothing listens at {endpoint} ({problem}): spans are lost until it does"),
        ),
        Err(_) => Finding::warn(
            "spans",
            format!("{endpoint} does not answer: spans are lost until it does"),
        ),
    };
    Some(finding)
}

/// Turns a failed question into a finding.
pub fn unanswered(check: &str, error: &sqlx::Error) -> Finding {
    Finding::bad(check, format!("Postgres does not tell: {error}"))
}
