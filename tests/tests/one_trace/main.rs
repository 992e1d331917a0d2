//! One trace from the approval through the log and the services to the notice, and out to a collector; what the pages
//! say of it; and an end within the bound, although somebody watches.

mod collector;
mod story;

use std::time::Duration;

use collector::Collector;
use ristoro_log::{Envelope, Limits, Position, Topic};
use ristoro_runtime::telemetry::trace_id;
use ristoro_tests::stack::{Error, SERVICES, Stack, StackOptions};
use story::Story;
use tonic::Code;

/// The caller's own trace.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// What follows from an approval, in the order of the data's way.
const FOLLOWING: [&str; 10] = [
    "AssessmentApproved",
    "EntitlementsDecided",
    "ScanCompleted",
    "AssessmentCompleted",
    "PayoutsOrdered",
    "OrdersReleased",
    "NoticesQueued",
    "NoticesReleased",
    "DispatchStarted",
    "DispatchReported",
];
/// How long the notice may take.
const MAIL_BOUND: Duration = Duration::from_secs(60);
/// How long a service may take to end: the setting's default.
const SHUTDOWN_BOUND: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_the_approval_to_the_notice() -> Result<(), Error> {
    let collector = Collector::start().await?;
    let mut stack = Stack::start(StackOptions {
        settings: &[("RISTORO_OTLP_ENDPOINT", &collector.endpoint)],
        ..StackOptions::default()
    })
    .await?;
    let story = Story::new(&stack).await?;
    let approved = story.settle("told", Some(TRACEPARENT)).await?;
    stack.mail.wait_for(1, MAIL_BOUND).await?;
    let envelopes = until_reported(&stack).await?;
    follows(&envelopes, &approved);

    for service in SERVICES {
        pages_say_what_is_documented(&stack, service).await?;
    }
    ends_although_somebody_watches(&mut stack, &story).await?;
    stack.stop().await?;
    for service in SERVICES {
        assert!(collector.is_in(service, TRACE), "{service} sent no span of the trace");
    }
    for service in ["eligibility", "payout", "notifier"] {
        assert!(collector.links(service, TRACE), "no batch of {service} is linked to the trace");
    }
    Ok(())
}

/// Waits until the dispatch is reported; gives all that is on the log.
async fn until_reported(stack: &Stack) -> Result<Vec<Envelope>, Error> {
    let deadline = tokio::time::Instant::now() + MAIL_BOUND;
    loop {
        let envelopes = everything(stack).await?;
        if envelopes.iter().any(|envelope| envelope.kind == "DispatchReported") {
            return Ok(envelopes);
        }
        if tokio::time::Instant::now() > deadline {
            return Err("the dispatch is never reported".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn everything(stack: &Stack) -> Result<Vec<Envelope>, Error> {
    let mut envelopes = Vec::new();
    for end in stack.ends().await? {
        let mut next = Position { offset: 1, ..end };
        let mut reader = stack.log.reader(&[next]).await?;
        while next.offset < end.offset {
            for record in reader.poll(Limits::default()).await? {
                next.offset = record.position.offset + 1;
                envelopes.push(Envelope::decode(record.value)?);
            }
        }
    }
    Ok(envelopes)
}

/// Every event that follows from the approval stands in its trace, and nothing of another assessment does.
fn follows(envelopes: &[Envelope], assessment: &str) {
    for kind in FOLLOWING {
        let of_kind: Vec<&Envelope> =
            envelopes.iter().filter(|envelope| envelope.kind == kind).collect();
        assert!(!of_kind.is_empty(), "there is no {kind}");
        for envelope in of_kind {
            let trace = trace_id(&envelope.traceparent);
            assert_eq!(trace.as_deref(), Some(TRACE), "{kind} on {}", envelope.stream);
            let settles = envelope.stream.starts_with("settlement/");
            assert!(settles || envelope.stream.contains(assessment), "{}", envelope.stream);
        }
    }
    let proposed = envelopes.iter().find(|envelope| envelope.kind == "AssessmentProposed");
    let proposed = proposed.and_then(|envelope| trace_id(&envelope.traceparent));
    assert!(proposed.is_some_and(|trace| trace != TRACE), "the proposal is a trace of its own");
}

/// Every metric that `docs/operating.md` names is on the page of every service.
async fn pages_say_what_is_documented(stack: &Stack, service: &str) -> Result<(), Error> {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md");
    let document = std::fs::read_to_string(document)?;
    let page = stack.service(service).page("/metrics").await?;
    let words = document.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: Vec<&str> = words.filter(|word| word.starts_with("ristoro_")).collect();
    assert!(named.len() >= 9, "docs/operating.md names {named:?}");
    // Nobody called these two, and they decide on nothing by themselves.
    let idle = ["payout", "notifier"].contains(&service);
    let of_calls = |name: &&str| name.contains("_grpc_") || name.contains("_commands_");
    for name in named.into_iter().filter(|name| !(idle && of_calls(name))) {
        let family = name.trim_end_matches("_total");
        assert!(page.contains(&format!("# TYPE {family} ")), "{service} has no {name}");
    }
    let read = format!("ristoro_next_offset{{consumer=\"journal.{}\"", topic_of(service));
    assert!(page.contains(&read), "{service} tells nothing of its journal: {page}");
    Ok(())
}

/// A topic that the service writes commands to.
fn topic_of(service: &str) -> Topic {
    match service {
        "outage" => Topic::Outage,
        "eligibility" => Topic::Settlement,
        "payout" => Topic::Payout,
        _ => Topic::Notice,
    }
}

async fn ends_although_somebody_watches(stack: &mut Stack, story: &Story) -> Result<(), Error> {
    let mut updates = story.watch_a_proposal("watched").await?;
    assert!(updates.message().await?.is_some());
    let ending = stack.end("eligibility");
    let watching = async {
        loop {
            match updates.message().await {
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    };
    let (ended, watched) = tokio::join!(ending, watching);
    let (ended, status) = (ended?, watched.expect_err("the watched one never ends by itself"));
    assert_eq!((status.code(), ended.status.code()), (Code::Unavailable, Some(0)), "{status}");
    assert!(status.message().starts_with("shutting down"), "{status}");
    assert!(ended.took < SHUTDOWN_BOUND, "{:?}", ended.took);
    Ok(())
}
