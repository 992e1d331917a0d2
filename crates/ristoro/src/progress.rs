//! Progress of long work, on stderr: a bar on a terminal, a line every few seconds elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(2);

/// What is under way.
pub struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    /// The last line: when it was written, and what had been done.
    written: Mutex<Option<(Instant, u64)>>,
}

impl Progress {
    /// Begins; `what` is what is counted, such as `decided`.
    pub fn new(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| bar(&what));
        Self { what, bar, written: Mutex::new(None) }
    }

    /// Tells how far it is.
    pub fn at(&self, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(done);
            return;
        }
        let mut written = self.written.lock().expect("nobody panics while a line is written");
        let due = match *written {
            None => true,
            Some((when, before)) => before != done && (when.elapsed() >= INTERVAL || done == of),
        };
        if due {
            eprintln!("{}: {done} of {of}", self.what);
            *written = Some((Instant::now(), done));
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

fn bar(what: &str) -> ProgressBar {
    let template = "  {msg}  {wide_bar} {pos} of {len}, {eta} left";
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
