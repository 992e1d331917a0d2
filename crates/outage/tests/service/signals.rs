//! Signals as feeds submit them, the outages derived from them, and tables that are built again.

use std::path::Path;
use std::time::Duration;

use crate::support::{Running, as_anna, as_bo, assert_refused, fresh_id, start, until};
use ristoro_outage::feeds::{Format, Mapping, parse};
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::outage::v1 as api;
use ristoro_proto::signal::signal_out;
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::{Comparison, equal};
use uuid::Uuid;

const SAMPLE: &[u8] = include_bytes!("../feeds/google-cloud.json");

fn parsed(file: &[u8]) -> Vec<api::Signal> {
    let parsed = parse(Format::GoogleCloud, file, &Mapping::default()).unwrap();
    parsed.signals.iter().map(signal_out).collect()
}

fn signal(source_id: &str, ended: Option<i64>, modified: i64) -> api::Signal {
    let at = |seconds: i64| prost_types::Timestamp { seconds, nanos: 0 };
    api::Signal {
        source_id: source_id.to_owned(),
        provider: "libero".to_owned(),
        title: "Posta".to_owned(),
        components: vec!["webmail".to_owned()],
        severity: api::Severity::Total.into(),
        kind: api::SignalKind::Stated.into(),
        began_at: Some(at(1_000)),
        ended_at: ended.map(at),
        modified_at: Some(at(modified)),
        ..Default::default()
    }
}

async fn submit(
    running: &Running,
    request_id: &str,
    feed: &str,
    signals: Vec<api::Signal>,
) -> Result<api::SubmitSignalsResponse, tonic::Status> {
    // A message for each hundred, so that the call has several.
    let messages: Vec<_> = signals
        .chunks(100)
        .map(|signals| api::SubmitSignalsRequest {
            request_id: request_id.to_owned(),
            validate_only: false,
            feed: feed.to_owned(),
            signals: signals.to_vec(),
        })
        .collect();
    let request = as_bo(tokio_stream::iter(messages));
    running.signals().submit_signals(request).await.map(tonic::Response::into_inner)
}

async fn outages(running: &Running) -> Vec<api::Outage> {
    let request = api::ListOutagesRequest { page_size: 1000, ..Default::default() };
    running.outages().list_outages(as_anna(request)).await.unwrap().into_inner().outages
}

async fn states(running: &Running) -> Vec<(String, i32, usize)> {
    let of = |outage: api::Outage| (outage.title, outage.state, outage.sources.len());
    outages(running).await.into_iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_becomes_outages_and_a_replay_changes_nothing() {
    let running = start().await;
    let request_id = fresh_id();
    let signals = parsed(SAMPLE);
    let answer = submit(&running, &request_id, "gcp", signals.clone()).await.unwrap();
    assert_eq!((answer.received, answer.records), (4, 1));
    until(2, async || outages(&running).await.len()).await;
    let again = submit(&running, &request_id, "gcp", signals.clone()).await.unwrap();
    assert_eq!(again, answer, "the same call");
    let replay = submit(&running, &fresh_id(), "gcp", signals).await.unwrap();
    assert_eq!((replay.received, replay.records), (4, 0), "a replay under another request_id");

    let request = api::ListSignalsRequest { feed: "gcp".to_owned(), ..Default::default() };
    let listed = running.signals().list_signals(as_bo(request)).await.unwrap().into_inner().signals;
    let shown: Vec<(&str, bool, usize)> = listed
        .iter()
        .map(|one| {
            let id = one.signal.as_ref().unwrap().source_id.as_str();
            (id, one.outage.is_empty(), one.warnings.len())
        })
        .collect();
    let expected =
        [("closed", false, 0), ("open", false, 0), ("backwards", true, 1), ("strange", true, 1)];
    assert_eq!(shown, expected);
    let open: Vec<String> = outages(&running)
        .await
        .into_iter()
        .filter(|outage| outage.state() == api::OutageState::Open)
        .map(|outage| outage.title)
        .collect();
    assert_eq!(open, ["Cloud Run deployments fail"]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_are_listed_as_they_were_submitted_page_by_page() {
    let running = start().await;
    let file = include_bytes!("../feeds/statuspage.json");
    let parsed = parse(Format::Statuspage, file, &Mapping::default()).unwrap();
    let signals: Vec<api::Signal> = parsed.signals.iter().map(signal_out).collect();
    submit(&running, &fresh_id(), "status", signals.clone()).await.unwrap();
    submit(&running, &fresh_id(), "other", vec![signal("i1", None, 2_000)]).await.unwrap();
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = api::ListSignalsRequest {
            page_size: 3,
            page_token,
            feed: "status".to_owned(),
            ..Default::default()
        };
        let page = running.signals().list_signals(as_anna(request)).await.unwrap().into_inner();
        listed.extend(page.signals.into_iter().filter_map(|one| one.signal));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, signals);
    running.end().await;
}

/// Case G10: the same outage from three feeds and a replay is one outage.
#[tokio::test(flavor = "multi_thread")]
async fn one_failure_is_one_outage_however_many_feeds_report_it() {
    let running = start().await;
    let feeds = ["status", "probe", "alerts"];
    let calls = feeds.map(|feed| {
        let request_id = fresh_id();
        let running = &running;
        async move {
            let signals = vec![signal("i1", None, 2_000)];
            submit(running, &request_id, feed, signals).await.unwrap();
        }
    });
    futures::future::join_all(calls).await;
    let open = api::OutageState::Open as i32;
    until(vec![("Posta".to_owned(), open, 3)], async || states(&running).await).await;
    for (feed, ended) in feeds.into_iter().zip([4_000, 5_000, 4_500]) {
        submit(&running, &fresh_id(), feed, vec![signal("i1", Some(ended), 6_000)]).await.unwrap();
    }
    let resolved = api::OutageState::Resolved as i32;
    until(vec![("Posta".to_owned(), resolved, 3)], async || states(&running).await).await;
    let stale = signal("i1", None, 3_000);
    let answer = submit(&running, &fresh_id(), "probe", vec![stale]).await.unwrap();
    assert_eq!(answer.records, 0, "an earlier word is no news");
    let all = outages(&running).await;
    assert_eq!(all[0].resolved_at.unwrap().seconds, 5_000);
    assert_eq!(all[0].impacts.len(), 3);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_says_too_little_is_refused_with_its_place() {
    let running = start().await;
    let silent = api::Signal { kind: 0, ..signal("i1", None, 2_000) };
    let answer = submit(&running, &fresh_id(), "status", vec![silent]).await;
    assert_refused(answer, ErrorReason::InvalidField);
    let timeless = api::Signal { modified_at: None, ..signal("i1", None, 2_000) };
    let status =
        submit(&running, &fresh_id(), "status", vec![signal("i0", None, 1), timeless]).await;
    assert!(status.unwrap_err().message().starts_with("signals[1].modified_at: "));
    let answer = submit(&running, &fresh_id(), "a/b", vec![signal("i1", None, 2_000)]).await;
    assert_refused(answer, ErrorReason::InvalidField);
    let answer = submit(&running, "", "status", vec![signal("i1", None, 2_000)]).await;
    assert_refused(answer, ErrorReason::InvalidField);
    running.end().await;
}

/// The real file where it is, else the sample.
fn real_feed() -> Vec<u8> {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/google-cloud/incidents.json");
    if Path::new(path).exists() { std::fs::read(path).unwrap() } else { SAMPLE.to_vec() }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_built_again_equal_the_live_ones() {
    let running = start().await;
    let signals = parsed(&real_feed());
    let clear = signals.iter().filter(|one| one.severity != 0 && one.source_id != "backwards");
    let expected = clear.count();
    submit(&running, &fresh_id(), "gcp", signals).await.unwrap();
    until(expected, async || outages(&running).await.len()).await;
    let notice =
        api::PointInTime { at: Some(api::point_in_time::At::LocalTime("2023-01-01".to_owned())) };
    for outage in outages(&running).await.into_iter().take(5) {
        let request = api::AmendOutageRequest {
            request_id: fresh_id(),
            name: outage.name,
            amendment: Some(api::amend_outage_request::Amendment::Cause(api::CauseInput {
                cause: api::Cause::Planned.into(),
                announced_at: Some(notice.clone()),
                ..Default::default()
            })),
            ..Default::default()
        };
        running.outages().amend_outage(as_anna(request)).await.unwrap();
    }
    let schemas = running.service.schemas();
    let live = rebuild::list(schemas).await.unwrap()[0].number;
    let built = rebuild::start(schemas, Uuid::new_v4()).await.unwrap();
    let comparison = equal(schemas, live, built, Duration::from_secs(60)).await.unwrap();
    assert_eq!(comparison, Comparison::Equal);
    running.end().await;
}
