//! The table of bad input: what is sent or run, how it is refused, and that nothing changes by it.

mod callers;
mod contents;
mod logs;
mod payments;
mod programs;
mod requests;
mod world;

use futures::future::BoxFuture;
use tonic::{Response, Status};
use tonic_types::StatusExt;

use crate::stack::Error;

pub use world::World;

/// How something was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The gRPC code, or `exit N`.
    pub code: String,
    /// The reason for programs; a process gives none.
    pub reason: String,
    /// What a person reads.
    pub message: String,
}

/// What became of bad input.
pub type Outcome = Result<Refused, Error>;
/// Sends or runs it.
pub type Run = for<'a> fn(&'a World) -> BoxFuture<'a, Outcome>;

/// One line of the table.
#[derive(Clone, Copy)]
pub struct Case {
    /// The class of bad input.
    pub class: &'static str,
    /// What is sent or run.
    pub sent: &'static str,
    /// The expected code and reason.
    pub refused: (&'static str, &'static str),
    /// Words that the message must have: what, where and what to do.
    pub words: &'static [&'static str],
    /// Sends or runs it.
    pub run: Run,
}

/// Gives all of them, class by class.
#[must_use]
pub fn table() -> Vec<Case> {
    let mut cases = requests::cases();
    cases.extend(callers::cases());
    cases.extend(contents::cases());
    cases.extend(payments::cases());
    cases.extend(programs::cases());
    cases.extend(logs::cases());
    cases
}

impl Case {
    /// Says what differs from what is expected; nothing where nothing does.
    #[must_use]
    pub fn faults(&self, refused: &Refused) -> Vec<String> {
        let mut faults = Vec::new();
        if (refused.code.as_str(), refused.reason.as_str()) != self.refused {
            faults.push(format!("expected {:?}", self.refused));
        }
        let missing = self.words.iter().filter(|word| !refused.message.contains(**word));
        faults.extend(missing.map(|word| format!("the message lacks {word:?}")));
        faults
    }
}

/// Reads a refusal off a call's answer.
fn answered<T>(answer: Result<Response<T>, Status>) -> Outcome {
    let status = match answer {
        Ok(_) => Status::ok("it was taken"),
        Err(status) => status,
    };
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let code = format!("{:?}", status.code());
    Ok(Refused { code, reason, message: status.message().to_owned() })
}
