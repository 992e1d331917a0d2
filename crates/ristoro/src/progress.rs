//! Progress of long work, on stderr: a bar on a terminal, a line every few seconds elsewhere; with what is done a second
//! and how long it still takes.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::rate::{Rate, left_text};

/// How often a line is written where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(2);

/// What the rate is taken over.
pub const WINDOW: Duration = Duration::from_secs(5);

/// What is under way.
pub struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    begun: Instant,
    told: Mutex<Told>,
}

struct Told {
    rate: Rate,
    /// The last line: when it was written, and what had been done.
    written: Option<(Instant, u64)>,
}

impl Progress {
    /// Begins; `what` is what is counted, such as `decided`.
    pub fn new(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| bar(&what));
        let told = Mutex::new(Told { rate: Rate::over(WINDOW), written: None });
        Self { what, bar, begun: Instant::now(), told }
    }

    /// Tells how far it is; what is done now goes on at the rate of what was done last.
    pub fn at(&self, done: u64, of: u64) {
        let told = self.add(done);
        let left = told.rate.left(of);
        self.tell(told, (done, of), left);
    }

    /// Tells how far it is, and how long it still takes, where somebody knows better.
    pub fn at_left(&self, done: u64, of: u64, left: Option<Duration>) {
        self.tell(self.add(done), (done, of), left);
    }

    fn add(&self, done: u64) -> MutexGuard<'_, Told> {
        let mut told = self.told.lock().expect("nobody panics while a line is written");
        told.rate.add(self.begun.elapsed(), done);
        told
    }

    fn tell(&self, mut told: MutexGuard<'_, Told>, (done, of): (u64, u64), left: Option<Duration>) {
        let pace = pace_text(&told.rate, left);
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(done);
            bar.set_prefix(pace);
            return;
        }
        let due = match told.written {
            None => true,
            Some((when, before)) => before != done && (when.elapsed() >= INTERVAL || done == of),
        };
        if due {
            let share = share_percent(done, of);
            eprintln!("{}: {done} of {of} ({share} %){pace}", self.what);
            told.written = Some((Instant::now(), done));
        }
    }

    /// Tells what is done after the counting, which is not counted.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}: {text}", self.what)),
            None => eprintln!("{}: {text}", self.what),
        }
    }
}

/// Gives what is done in percent, rounded down; of nothing, all is done.
pub fn share_percent(done: u64, of: u64) -> u64 {
    let percent = (u128::from(done) * 100).checked_div(u128::from(of)).unwrap_or(100);
    u64::try_from(percent).unwrap_or(u64::MAX)
}

/// Writes the rate and the time left; nothing before there is a rate.
fn pace_text(rate: &Rate, left: Option<Duration>) -> String {
    let each = rate.per_second();
    each.map_or_else(String::new, |each| format!(", {each} a second, {}", left_text(left)))
}

fn bar(what: &str) -> ProgressBar {
    let template = "  {msg}  {wide_bar} {pos} of {len} ({percent} %){prefix}";
    let style = ProgressStyle::with_template(template).expect("the template of the bar is right");
    ProgressBar::new(0).with_style(style).with_message(what.to_owned())
}

/// Several things that are under way together, a line for each.
pub struct Bars(MultiProgress);

impl Bars {
    /// Begins with none.
    pub fn new() -> Self {
        Self(MultiProgress::new())
    }

    /// Begins one more.
    pub fn add(&self, what: String) -> Progress {
        let mut progress = Progress::new(what);
        progress.bar = progress.bar.take().map(|bar| self.0.add(bar));
        progress
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_whole_only_once_all_is_done() {
        let shares = [(0, 9), (1, 3), (999, 1_000), (3, 3), (0, 0), (u64::MAX, u64::MAX)];
        let shares = shares.map(|(done, of)| share_percent(done, of));
        assert_eq!(shares, [0, 33, 99, 100, 100, 100]);
    }
}
