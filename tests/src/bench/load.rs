//! Load: questions by a fixed schedule whatever becomes of earlier ones, or by callers who wait for their answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::latency::{Latencies, Schedule};
use super::people::{Fault, People, Question};
use crate::stack::Error;

/// One answer.
#[derive(Clone, Debug)]
struct Answer {
    question: Question,
    latency: Duration,
    fault: Option<Fault>,
}

/// What became of the questions of one load.
#[derive(Clone, Debug, Default)]
pub struct Load {
    answers: Vec<Answer>,
    /// How long it went on.
    pub wall: Duration,
    /// The most that a question was sent behind its schedule: what the asking side itself added.
    pub late: Duration,
}

/// Asks at a rate until a time is over or somebody stops it. A latency counts from when the question was due, so that a
/// server that stands still is charged for all who would have asked meanwhile.
///
/// # Errors
/// A wrong answer.
pub async fn at_rate(
    people: &Arc<People>,
    per_second: u32,
    bound: Duration,
    stop: &CancellationToken,
) -> Result<Load, Error> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (people, stop, runtime) = (Arc::clone(people), stop.clone(), Handle::current());
    // On a thread of its own: timers of the runtime are no finer than a millisecond.
    let sending = tokio::task::spawn_blocking(move || {
        let (schedule, begun) = (Schedule { per_second }, Instant::now());
        let mut late = Duration::ZERO;
        for due in (0..).map(|place| schedule.due(place)).take_while(|due| *due < bound) {
            if let Some(rest) = due.checked_sub(begun.elapsed()) {
                std::thread::sleep(rest);
            }
            if stop.is_cancelled() {
                break;
            }
            late = late.max(begun.elapsed().saturating_sub(due));
            let (people, sender) = (Arc::clone(&people), sender.clone());
            runtime.spawn(async move {
                let answer = answered(&people, begun + due).await;
                // Nobody waits for answers any more only where the whole measurement has failed.
                drop(sender.send(answer));
            });
        }
        (begun, late)
    });
    let mut answers = Vec::new();
    while let Some(answer) = receiver.recv().await {
        answers.push(answer);
    }
    let (begun, late) = sending.await?;
    Load { answers, wall: begun.elapsed(), late }.right()
}

/// Lets callers ask one question after the other until a time is over.
///
/// # Errors
/// A wrong answer.
pub async fn closed(people: &Arc<People>, callers: usize, bound: Duration) -> Result<Load, Error> {
    let begun = Instant::now();
    let caller = |people: Arc<People>| async move {
        let mut answers = Vec::new();
        while begun.elapsed() < bound {
            answers.push(answered(&people, Instant::now()).await);
        }
        answers
    };
    let callers: Vec<_> = (0..callers).map(|_| tokio::spawn(caller(Arc::clone(people)))).collect();
    let mut answers = Vec::new();
    for caller in callers {
        answers.extend(caller.await?);
    }
    Load { answers, wall: begun.elapsed(), late: Duration::ZERO }.right()
}

async fn answered(people: &People, due: Instant) -> Answer {
    let asked = people.draw();
    let fault = people.ask(&asked).await.err();
    Answer { question: asked.question, latency: due.elapsed(), fault }
}

impl Load {
    /// Looks that no answer was wrong; questions without an answer are counted instead.
    fn right(self) -> Result<Self, Error> {
        let wrong = self.answers.iter().find_map(|answer| match &answer.fault {
            Some(Fault::Wrong(what)) => Some(what.clone()),
            Some(Fault::Refused(_)) | None => None,
        });
        wrong.map_or(Ok(self), |what| Err(format!("a wrong answer: {what}").into()))
    }

    /// Takes in another load of the same sort.
    pub fn add(&mut self, other: Load) {
        self.answers.extend(other.answers);
        self.wall += other.wall;
        self.late = self.late.max(other.late);
    }

    /// How many questions had no answer.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.answers.iter().filter(|answer| answer.fault.is_some()).count()
    }

    /// What the first question without an answer was told instead.
    #[must_use]
    pub fn first_failure(&self) -> Option<String> {
        self.answers
            .iter()
            .find_map(|answer| answer.fault.as_ref().map(|fault| format!("{fault:?}")))
    }

    /// Answers a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.latencies(None).count as f64 / self.wall.as_secs_f64()
    }

    /// Sums up the latencies of answers, all or those to one sort of question.
    #[must_use]
    pub fn latencies(&self, of: Option<Question>) -> Latencies {
        let meant = |answer: &&Answer| {
            answer.fault.is_none() && of.is_none_or(|question| question == answer.question)
        };
        Latencies::of(self.answers.iter().filter(meant).map(|answer| answer.latency).collect())
    }

    /// Makes the JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        let mut value = json!({
            "all": self.latencies(None).value(),
            "wall_seconds": self.wall.as_secs_f64(),
            "answers_per_second": self.per_second(),
            "errors": self.failures(),
            "first_error": self.first_failure(),
            "sent_late_at_most_seconds": self.late.as_secs_f64(),
        });
        for question in Question::ALL {
            value[question.name()] = self.latencies(Some(question)).value();
        }
        value
    }

    /// Makes rows for a table whose columns are [`COLUMNS`]: all questions, then each sort.
    #[must_use]
    pub fn rows(&self, name: &str) -> Vec<Vec<String>> {
        let row = |title: String, of: Option<Question>| {
            let latencies = self.latencies(of);
            let meant =
                self.answers.iter().filter(|answer| of.is_none_or(|one| one == answer.question));
            let errors = meant.filter(|answer| answer.fault.is_some()).count();
            let mut row = vec![title, latencies.count.to_string(), errors.to_string()];
            row.extend(latencies.cells());
            row
        };
        let sorts = Question::ALL.map(|one| row(format!("  {}", one.name()), Some(one)));
        std::iter::once(row(name.to_owned(), None)).chain(sorts).collect()
    }
}

/// The columns of a table of loads; times in milliseconds.
pub const COLUMNS: [&str; 8] =
    ["load", "answers", "errors", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"];

#[cfg(test)]
mod tests {
    use super::*;

    fn load(faults: [Option<Fault>; 3]) -> Load {
        let answer =
            |(question, fault)| Answer { question, latency: Duration::from_millis(10), fault };
        let answers = Question::ALL.into_iter().zip(faults).map(answer).collect();
        Load { answers, wall: Duration::from_secs(2), late: Duration::ZERO }
    }

    #[test]
    fn questions_without_an_answer_are_counted_and_have_no_latency() {
        let refused = Fault::Refused("Unavailable: ending".to_owned());
        let load = load([None, Some(refused), None]).right().unwrap();
        assert_eq!((load.failures(), load.latencies(None).count), (1, 2));
        assert_eq!(load.per_second(), 1.0);
        assert_eq!(load.latencies(Some(Question::Explanation)).count, 0);
        assert_eq!(load.rows("idle")[2][2], "1");
    }

    #[test]
    fn a_wrong_answer_ends_the_measurement() {
        assert!(
            load([None, None, Some(Fault::Wrong("somebody else".to_owned()))]).right().is_err()
        );
    }
}
