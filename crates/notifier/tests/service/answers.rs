//! What callers get, and who may call.

use std::time::{Duration, Instant};

use ristoro_proto::notifier::v1::{
    GetNoticeRequest, GetQueueProgressRequest, NoticeState, PreviewNoticeRequest,
};
use ristoro_runtime::status::reason_text;
use tonic::Code;
use tonic_types::StatusExt;

use super::failures::retry;
use super::support::*;
use super::world::*;

fn preview(place: usize, language: &str) -> PreviewNoticeRequest {
    let language = language.to_owned();
    PreviewNoticeRequest { name: name(place), language, min_position: String::new() }
}

#[tokio::test]
async fn a_preview_sends_nothing_and_says_what_the_mail_will() {
    let running = start().await;
    let world = &running.world;
    world.import(people(1, "c1"));
    world.declare(vec![down()]);
    world.decide(1, &[]);
    let queued = running.until(&name(0), NoticeState::Queued).await;
    assert_eq!((queued.attempt, queued.remedies.len()), (1, 1));
    let early = running.client().preview_notice(as_anna(preview(0, ""))).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    world.complete(1);
    running.until(&name(0), NoticeState::Waiting).await;
    let mut client = running.client();
    let italian = client.preview_notice(as_anna(preview(0, "it"))).await.unwrap().into_inner();
    assert!(italian.body.contains("Ti spetta:\n  - 30,00 EUR"), "{}", italian.body);
    assert!(italian.has_address);
    assert_eq!(running.mail.count(), 0);
    world.restore(None, "26T14:45");
    let mails = running.mails(1).await;
    running.until(&name(0), NoticeState::Sent).await;
    let own = client.preview_notice(as_anna(preview(0, ""))).await.unwrap().into_inner();
    assert_eq!(own.language, "en");
    assert_eq!(text(&mails[0]).replace("\r\n", "\n").trim_end(), own.body.trim_end());
    running.end().await;
}

#[tokio::test]
async fn callers_follow_how_many_notices_are_queued_and_where_they_are_released() {
    let running = start().await;
    let world = &running.world;
    let progress = async |assessment: &str| {
        let request = GetQueueProgressRequest { name: format!("assessments/{assessment}") };
        let answer = running.client().get_queue_progress(as_anna(request)).await.unwrap();
        let told = answer.into_inner();
        assert!(told.as_of.is_some());
        (told.queued, told.released_partitions, told.voided_partitions)
    };
    world.import(people(3, "c1"));
    world.declare(vec![down()]);
    world.decide(3, &[2]);
    running.until(&name(0), NoticeState::Queued).await;
    assert_eq!(progress(ASSESSMENT).await, (2, 0, 0));
    world.complete(1);
    running.until(&name(0), NoticeState::Waiting).await;
    let begun = Instant::now();
    while progress(ASSESSMENT).await != (2, 2, 0) {
        assert!(begun.elapsed() < Duration::from_secs(30), "not both partitions are released");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(progress("another").await, (0, 0, 0));
    running.end().await;
}

#[tokio::test]
async fn calls_are_refused_with_their_reasons() {
    let running = start().await;
    let world = &running.world;
    world.import(people(2, "c1"));
    world.declare(vec![down()]);
    world.decide(2, &[2]);
    world.complete(1);
    running.until(&name(0), NoticeState::Waiting).await;
    let mut client = running.client();
    let get = |name: &str| GetNoticeRequest { name: name.to_owned(), ..Default::default() };
    for (name, code) in [
        (name(1), Code::NotFound),
        (name(9), Code::NotFound),
        ("assessments/none/notices/s0".to_owned(), Code::NotFound),
        ("notices/s0".to_owned(), Code::InvalidArgument),
    ] {
        let status = client.get_notice(as_anna(get(&name))).await.unwrap_err();
        assert_eq!(status.code(), code, "{name}: {status}");
    }
    let status = client.get_notice(with_token(get(&name(0)), "hello")).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let status = client.retry_notice(as_anna(retry(&name(0), 1))).await.unwrap_err();
    let reason = status.get_details_error_info().unwrap().reason;
    let expected = reason_text(ristoro_proto::ops::v1::ErrorReason::WrongState);
    assert_eq!((status.code(), reason.as_str()), (Code::FailedPrecondition, expected));
    running.end().await;
}
