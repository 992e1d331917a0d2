//! `ristoro assessment watch`: people decided, paid and queued, each told by the service that does it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::notifier::v1 as notifier;
use ristoro_proto::notifier::v1::notice_service_client::NoticeServiceClient;
use ristoro_proto::payout::v1 as payout;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{Assessments, STATE, print};
use crate::Answer;
use crate::client::{Caller, ClientError, Service};
use crate::output::{Output, line};
use crate::progress::{Bars, Progress, WINDOW, share_percent};
use crate::rate::Rate;
use crate::values;

/// How often it is told how far all are.
const TICK: Duration = Duration::from_secs(1);
/// The steps that people go through, in order.
const STEPS: [&str; 3] = ["decided", "paid", "queued"];

/// How many people are through a step.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Through {
    people: u64,
    of: u64,
    /// Whether nobody follows any more.
    done: bool,
}

/// The services that answer for the steps after the decision; none where nobody serves it.
struct Others {
    payout: Option<PayoutServiceClient<Channel>>,
    notifier: Option<NoticeServiceClient<Channel>>,
}

/// Follows an assessment until what follows from it is paid and queued as well, or until it is stopped.
pub async fn run(caller: &Caller, name: &str, output: Output) -> Result<Answer> {
    let request = api::WatchAssessmentRequest { name: name.to_owned() };
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    let mut updates = client.watch_assessment(caller.request(request)).await?.into_inner();
    let mut others = Others::connect(caller)?;
    let first = updates.message().await?;
    let first = first.and_then(|update| Some((update.assessment?, update.total)));
    let (mut assessment, mut total) = first.context("the watch ended without an answer")?;
    let mut shown = Shown::new(output);
    let mut seen = [Some(Through::default()); 3];
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut open = true;
    loop {
        tokio::select! {
            update = updates.message(), if open => match update? {
                Some(update) => (assessment, total) = (update.assessment.unwrap_or(assessment), update.total),
                None => open = false,
            },
            _ = ticks.tick() => {
                seen = others.look(caller, &assessment, total, seen).await?;
                shown.tick(&assessment, &seen)?;
                if let Some(answer) = ended(&assessment, &seen) {
                    drop(shown);
                    if output == Output::Table {
                        print(output, &assessment)?;
                    }
                    return Ok(answer);
                }
            }
        }
    }
}

/// Tells whether it is over, and how it ended.
fn ended(assessment: &api::Assessment, seen: &[Option<Through>; 3]) -> Option<Answer> {
    match assessment.state() {
        api::AssessmentState::Rejected
        | api::AssessmentState::Cancelled
        | api::AssessmentState::Stopped => Some(Answer::No),
        api::AssessmentState::Completed => {
            seen.iter().flatten().all(|step| step.done).then_some(Answer::Yes)
        }
        api::AssessmentState::Unspecified
        | api::AssessmentState::Proposed
        | api::AssessmentState::Deciding => None,
    }
}

impl Others {
    fn connect(caller: &Caller) -> Result<Self> {
        let payout = served(caller.channel(Service::Payout))?.map(PayoutServiceClient::new);
        let notifier = served(caller.channel(Service::Notifier))?.map(NoticeServiceClient::new);
        Ok(Self { payout, notifier })
    }

    /// Looks how far each step is; what does not answer for the moment is as far as it was.
    async fn look(
        &mut self,
        caller: &Caller,
        assessment: &api::Assessment,
        total: u64,
        [_, paid, queued]: [Option<Through>; 3],
    ) -> Result<[Option<Through>; 3]> {
        let done = assessment.state() == api::AssessmentState::Completed;
        let decided = Through { people: assessment.decided, of: total, done };
        let of = assessment.totals.as_ref().map_or(0, |totals| totals.entitled);
        let partitions = assessment.pins.as_ref().map_or(0, |pins| pins.roster_offsets.len());
        let name = assessment.name.clone();
        let ask_payout = async {
            let client = self.payout.as_mut()?;
            let request = payout::GetOrderProgressRequest { name: name.clone() };
            let answer = client.get_order_progress(caller.request(request)).await;
            Some(answer.map(|answer| {
                let answer = answer.into_inner();
                (answer.ordered, answer.released_partitions)
            }))
        };
        let ask_notifier = async {
            let client = self.notifier.as_mut()?;
            let request = notifier::GetQueueProgressRequest { name: name.clone() };
            let answer = client.get_queue_progress(caller.request(request)).await;
            Some(answer.map(|answer| {
                let answer = answer.into_inner();
                (answer.queued, answer.released_partitions)
            }))
        };
        let (paying, queueing) = tokio::join!(ask_payout, ask_notifier);
        let through = |answer: Option<Result<(u64, u32), Status>>, before: Option<Through>| {
            let Some((people, released)) = answered(answer)? else { return Ok(before) };
            let done = done && usize::try_from(released).is_ok_and(|count| count >= partitions);
            anyhow::Ok(Some(Through { people, of, done }))
        };
        let paid = if self.payout.is_some() { paid } else { None };
        let queued = if self.notifier.is_some() { queued } else { None };
        Ok([Some(decided), through(paying, paid)?, through(queueing, queued)?])
    }
}

/// Leaves a service out that has no address; one that should answer and does not is an error.
fn served(channel: Result<Channel, ClientError>) -> Result<Option<Channel>> {
    match channel {
        Ok(channel) => Ok(Some(channel)),
        Err(ClientError::Missing(service)) => {
            eprintln!("no address of the {service} service is given: it is left out");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives an answer, or none from a service that is starting or ending.
fn answered(answer: Option<Result<(u64, u32), Status>>) -> Result<Option<(u64, u32)>> {
    match answer {
        None => Ok(None),
        Some(Ok(found)) => Ok(Some(found)),
        Some(Err(status)) if status.code() == Code::Unavailable => Ok(None),
        Some(Err(status)) => Err(status.into()),
    }
}

/// Where the ticks go: bars or lines for people, an object each for programs.
enum Shown {
    People(Vec<Progress>),
    Programs { begun: Instant, rates: [Rate; 3] },
}

impl Shown {
    fn new(output: Output) -> Self {
        if output == Output::Table {
            let (bars, width) = (Bars::new(), STEPS.iter().map(|step| step.len()).max());
            let width = width.unwrap_or_default();
            return Self::People(STEPS.map(|step| bars.add(format!("{step:width$}"))).into());
        }
        Self::Programs { begun: Instant::now(), rates: STEPS.map(|_| Rate::over(WINDOW)) }
    }

    fn tick(&mut self, assessment: &api::Assessment, seen: &[Option<Through>; 3]) -> Result<()> {
        match self {
            Self::People(steps) => {
                for (progress, seen) in steps.iter().zip(seen) {
                    seen.iter().for_each(|seen| progress.at(seen.people, seen.of));
                }
                Ok(())
            }
            Self::Programs { begun, rates } => {
                let at = begun.elapsed();
                for (rate, seen) in rates.iter_mut().zip(seen) {
                    seen.iter().for_each(|seen| rate.add(at, seen.people));
                }
                line(&value(assessment, seen, rates).to_string())
            }
        }
    }
}

/// Makes the object of a tick.
fn value(assessment: &api::Assessment, seen: &[Option<Through>; 3], rates: &[Rate; 3]) -> Value {
    let mut value = json!({
        "assessment": assessment.name,
        "state": values::word(assessment.state().as_str_name(), STATE),
    });
    let mut longest = Some(Duration::ZERO);
    for ((step, seen), rate) in STEPS.into_iter().zip(seen).zip(rates) {
        value[step] = seen.map_or(Value::Null, |seen| of_step(seen, rate));
        let left = seen.map_or(Some(Duration::ZERO), |seen| rate.left(seen.of));
        longest = longest.zip(left).map(|(one, other)| one.max(other));
    }
    value["seconds_left"] = seconds(longest);
    value
}

fn of_step(seen: Through, rate: &Rate) -> Value {
    json!({
        "people": seen.people,
        "of": seen.of,
        "share_percent": share_percent(seen.people, seen.of),
        "per_second": rate.per_second(),
        "seconds_left": seconds(rate.left(seen.of)),
        "done": seen.done,
    })
}

/// Whole seconds, rounded up: what is not over takes one at least.
fn seconds(left: Option<Duration>) -> Value {
    left.map_or(Value::Null, |left| {
        Value::from(u64::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assessment(state: api::AssessmentState) -> api::Assessment {
        api::Assessment {
            name: "assessments/a".to_owned(),
            state: state.into(),
            ..Default::default()
        }
    }

    fn through(people: u64, of: u64, done: bool) -> Option<Through> {
        Some(Through { people, of, done })
    }

    #[test]
    fn it_ends_when_the_last_step_is_done_or_the_assessment_is_stopped() {
        use api::AssessmentState as State;
        let (done, open) = (through(9, 9, true), through(9, 9, false));
        for (state, seen, expected) in [
            (State::Deciding, [done, done, done], None),
            (State::Completed, [done, open, done], None),
            (State::Completed, [done, done, open], None),
            (State::Completed, [done, done, done], Some(Answer::Yes)),
            (State::Completed, [done, None, done], Some(Answer::Yes)),
            (State::Cancelled, [open, open, open], Some(Answer::No)),
            (State::Stopped, [open, open, open], Some(Answer::No)),
            (State::Rejected, [open, open, open], Some(Answer::No)),
        ] {
            assert_eq!(ended(&assessment(state), &seen), expected, "{state:?} {seen:?}");
        }
    }

    #[test]
    fn a_tick_tells_each_step_s_rate_and_the_longest_time_left() {
        let mut rates = STEPS.map(|_| Rate::over(WINDOW));
        let seen = [through(4_000, 9_000, false), through(1_000, 3_000, false), None];
        for (rate, seen) in rates.iter_mut().zip(&seen) {
            rate.add(Duration::ZERO, 0);
            seen.iter().for_each(|seen| rate.add(Duration::from_secs(2), seen.people));
        }
        let value = value(&assessment(api::AssessmentState::Deciding), &seen, &rates);
        let expected = json!({
            "assessment": "assessments/a", "state": "DECIDING", "seconds_left": 4, "queued": null,
            "decided": {"people": 4_000, "of": 9_000, "share_percent": 44, "per_second": 2_000,
                "seconds_left": 3, "done": false},
            "paid": {"people": 1_000, "of": 3_000, "share_percent": 33, "per_second": 500,
                "seconds_left": 4, "done": false},
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn where_one_step_stands_still_nobody_knows_how_long_all_take() {
        let mut rates = STEPS.map(|_| Rate::over(WINDOW));
        let seen = [through(4_000, 9_000, false), through(0, 3_000, false), through(0, 0, false)];
        for (rate, seen) in rates.iter_mut().zip(seen.iter().flatten()) {
            rate.add(Duration::ZERO, 0);
            rate.add(Duration::from_secs(2), seen.people);
        }
        let value = value(&assessment(api::AssessmentState::Deciding), &seen, &rates);
        assert_eq!(
            (&value["seconds_left"], &value["paid"]["per_second"]),
            (&Value::Null, &json!(0))
        );
        assert_eq!(value["queued"]["share_percent"], 100);
    }

    #[test]
    fn a_service_that_is_away_for_a_moment_ends_no_watch() {
        let away = Status::unavailable("starting");
        assert_eq!(answered(Some(Err(away))).unwrap(), None);
        assert!(answered(Some(Err(Status::permission_denied("no")))).is_err());
    }
}
