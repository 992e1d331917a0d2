//! Who owns a wave: one at a time, and what a lost owner may have sent is never sent again.

use std::time::Duration;

use ristoro_domain::dispatch::{Event, Outcome};
use ristoro_log::Topic;
use ristoro_notifier::Settings;
use ristoro_proto::notifier::v1::NoticeState;

use super::support::*;
use super::world::*;

const DISPATCH: &str = "dispatch/a1/0/1/email";

fn started(places: Vec<u32>) -> Event {
    Event::DispatchStarted {
        claim: "lost".to_owned(),
        at: at("26T14:45"),
        outage_position: "ristoro.outage.v1/1/2".to_owned(),
        places,
    }
}

#[tokio::test]
async fn a_takeover_leaves_the_block_in_doubt_and_goes_on_with_the_next() {
    let running = start().await;
    let world = &running.world;
    world.import(people(120, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(120, &[]);
    running.until(&name(0), NoticeState::Queued).await;
    // An owner that reported its first block and then was lost.
    world.append(Topic::Notice, 0, DISPATCH, &started((0..120).collect()));
    let outcomes = vec![Outcome::Sent; 50];
    let reported = Event::DispatchReported { started_version: 1, block: 0, outcomes };
    world.append(Topic::Notice, 0, DISPATCH, &reported);
    world.complete(1);

    running.until(&name(119), NoticeState::Sent).await;
    let mails = running.mails(20).await;
    let expected: Vec<String> = (100..120).map(address).collect();
    assert_eq!(readers(&mails).into_keys().collect::<Vec<_>>(), expected);
    let unknown = running.list(NoticeState::Unknown, 7).await;
    let numbers: Vec<u64> = unknown.iter().map(|notice| notice.number).collect();
    assert_eq!(numbers, (51..=100).collect::<Vec<_>>());
    assert_eq!(running.list(NoticeState::Sent, 1000).await.len(), 70);
    running.end().await;
}

#[tokio::test]
async fn a_wave_that_was_handed_back_goes_on_with_nothing_in_doubt() {
    let running = start().await;
    let world = &running.world;
    world.import(people(60, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(60, &[]);
    running.until(&name(0), NoticeState::Queued).await;
    world.append(Topic::Notice, 0, DISPATCH, &started((0..60).collect()));
    world.append(Topic::Notice, 0, DISPATCH, &Event::DispatchHandedBack { started_version: 1 });
    world.complete(1);
    assert_eq!(readers(&running.mails(60).await).len(), 60);
    running.until(&name(59), NoticeState::Sent).await;
    assert_eq!(running.list(NoticeState::Sent, 1000).await.len(), 60);
    running.end().await;
}

#[tokio::test]
async fn processes_that_all_believe_to_own_everything_tell_everyone_once() {
    // Nobody is lost here, however slow the machine is.
    let takeover_after = Duration::from_secs(600);
    let running = start_with(takeover_after).await;
    let world = &running.world;
    let settings = Settings { takeover_after, ..settings(&running.mail) };
    let second = service(&running.pool, world, &settings).await;
    let third = service(&running.pool, world, &settings).await;
    world.import(people(400, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(400, &[]);
    world.complete(1);
    let mails = running.mails(400).await;
    running.until(&name(399), NoticeState::Sent).await;
    assert_eq!(readers(&mails).len(), 400);
    assert_eq!(running.mail.count(), 400);
    second.stop().await.unwrap();
    third.stop().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn what_one_process_leaves_another_goes_on_with() {
    // Longer than a block takes on a slow machine.
    let takeover_after = Duration::from_secs(5);
    let running = start_with(takeover_after).await;
    let world = &running.world;
    let settings = Settings { takeover_after, ..settings(&running.mail) };
    let second = service(&running.pool, world, &settings).await;
    world.import(people(900, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(900, &[]);
    world.complete(1);
    running.mails(60).await;
    second.stop().await.unwrap();
    let begun = std::time::Instant::now();
    loop {
        let sent = running.list(NoticeState::Sent, 1000).await.len();
        let unknown = running.list(NoticeState::Unknown, 1000).await.len();
        if sent + unknown == 900 {
            assert!(unknown <= 50, "one block at most is in doubt, not {unknown}");
            break;
        }
        assert!(begun.elapsed().as_secs() < 60, "{sent} sent, {unknown} unknown after 60 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mails = running.mail.messages();
    assert!(readers(&mails).values().all(|count| *count == 1), "nobody is told twice");
    running.end().await;
}
