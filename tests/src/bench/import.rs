//! The import of a roster from CSV by the program's own verb, until every service knows everybody.

use std::time::Duration;

use serde_json::{Value, json};

use super::meter::{Meter, Usage};
use super::report::{Shown, table};
use super::system::{Size, System, tidy};
use super::{caller, roster};
use crate::stack::Error;

/// What an import took.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Imported {
    /// How many subscriptions.
    pub subscriptions: u64,
    /// Until every service knew everybody; the program that reads the file is its client.
    pub usage: Usage,
    /// Until the program that reads the file was answered.
    pub answered: Duration,
}

impl System {
    /// Imports the roster.
    ///
    /// # Errors
    /// A refusal, or a row that was not taken.
    pub async fn import(&mut self) -> Result<Imported, Error> {
        let subscriptions = self.size.subscriptions;
        let file = self.stack.folder.join("roster.csv");
        roster::write_csv(subscriptions, &file)?;
        let path = file.display().to_string();
        let meter = Meter::start(&self.stack.processes());
        let (answer, client) =
            caller::verb(&self.stack, &["subscriptions", "import", &path]).await?;
        self.until_folded().await?;
        let mut usage = meter.stop(&self.stack.processes());
        usage.cpu.insert("client", client.cpu);
        usage.peaks.insert("client", client.peak_mebibytes);
        if answer["imported"] != json!(subscriptions) {
            return Err(format!("not everybody was imported: {answer}").into());
        }
        std::fs::remove_file(file)?;
        tidy(&mut self.tables).await?;
        Ok(Imported { subscriptions, usage, answered: client.wall })
    }
}

/// Starts a system, imports the roster and ends it.
///
/// # Errors
/// Where it fails.
pub async fn run(size: Size, say: impl Fn(&str)) -> Result<Imported, Error> {
    say("the services start");
    let mut system = System::start(size, 0).await?;
    say(&format!("{} subscriptions are imported", size.subscriptions));
    let imported = system.import().await?;
    system.stack.stop().await?;
    Ok(imported)
}

impl Imported {
    /// Subscriptions a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.subscriptions as f64 / self.usage.wall.as_secs_f64()
    }

    /// Tells of it in a line.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{:.2} s, {:.2} CPU-s: {}; {:.0} subscriptions a second; canary {} ms",
            self.usage.wall.as_secs_f64(),
            self.usage.cpu_seconds(),
            self.usage.by_process(),
            self.per_second(),
            self.usage.canary().as_millis()
        )
    }
}

impl Shown for Imported {
    fn value(&self) -> Value {
        let mut value = self.usage.value();
        value["subscriptions"] = self.subscriptions.into();
        value["answered_seconds"] = self.answered.as_secs_f64().into();
        value["subscriptions_per_second"] = self.per_second().into();
        value
    }

    fn lines(&self) -> Vec<String> {
        let seconds = self.usage.cpu.iter();
        let row = |(name, seconds): (&&str, &f64)| {
            let peak = self.usage.peaks.get(name).copied().unwrap_or_default();
            vec![(*name).to_owned(), format!("{seconds:.2}"), peak.to_string()]
        };
        let mut lines = table(&["process", "CPU-s", "MiB"], &seconds.map(row).collect::<Vec<_>>());
        lines.push(self.line());
        lines.push(format!("the client was answered after {:.2} s", self.answered.as_secs_f64()));
        lines
    }
}
