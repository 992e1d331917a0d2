//! `ristoro doctor`: looks at everything that a service needs, and says what to do about what is wrong.

mod checks;
pub mod database;
mod schemas;

use anyhow::Result;
use clap::Args;
use ristoro_runtime::config::load;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{Columns, Output, print_list};
use crate::verbs::service::Given;

const COLUMNS: Columns<'static> =
    &[("", "state"), ("check", "check"), ("what is so, and what to do", "text")];

/// Looks at everything.
#[derive(Debug, Args)]
#[command(
    after_help = "Changes nothing, and may run beside the services. Exits with 1 where a line says bad, \
with 78 where the configuration has a problem.

Example:
  ristoro doctor --config ristoro.toml --smtp-url smtp://mail:25"
)]
pub struct Doctor {
    #[command(flatten)]
    given: Given,
    /// The notifier's mail server, smtp://HOST:PORT; not looked at unless given
    #[arg(long, env = "RISTORO_SMTP_URL")]
    smtp_url: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, but somebody should look at it.
    Warn,
    /// It does not work.
    Bad,
}

/// What was found of one thing.
pub struct Finding {
    /// What was looked at.
    check: String,
    state: State,
    /// What is so, and what to do about it.
    text: String,
}

impl Finding {
    fn ok(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Ok, text: text.into() }
    }

    fn warn(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Warn, text: text.into() }
    }

    fn bad(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Bad, text: text.into() }
    }
}

impl State {
    fn text(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Bad => "bad",
        }
    }
}

impl Doctor {
    /// Looks, prints and answers.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let config = load(&self.given.sources())?;
        let mut findings = vec![checks::principals(&config)];
        let (pool, found) = checks::database(&config).await;
        findings.extend(found);
        let (log, found) = checks::log(&config).await;
        findings.extend(found);
        if let Some(pool) = &pool {
            findings.extend(schemas::all(pool, log.as_ref()).await);
        }
        findings.push(checks::mail(self.smtp_url.as_deref()).await);
        findings.extend(checks::spans(&config).await);
        let value = |one: &Finding| -> Value {
            json!({"check": one.check, "state": one.state.text(), "text": one.text})
        };
        let values: Vec<Value> = findings.iter().map(value).collect();
        print_list(output, &values, COLUMNS)?;
        let bad = findings.iter().any(|one| one.state == State::Bad);
        Ok(if bad { Answer::No } else { Answer::Yes })
    }
}
