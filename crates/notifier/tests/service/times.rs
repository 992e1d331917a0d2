//! Slow and dying mail servers: no block outlasts its time, and nobody is told twice or forgotten.

use std::time::Duration;

use ristoro_domain::dispatch::{Event, Outcome};
use ristoro_local::{MailCatcher, MailOptions};
use ristoro_log::{Envelope, Topic};
use ristoro_notifier::Settings;
use ristoro_proto::notifier::v1::{NoticeState, SuppressRecipientRequest};
use ristoro_proto::wire::Wire;
use uuid::Uuid;

use super::proxy::{Fault, Proxy};
use super::support::*;
use super::world::*;

/// Settings that send through a proxy.
fn through(proxy: &Proxy, settings: Settings) -> Settings {
    let mut settings = settings;
    settings.smtp.port = proxy.port;
    settings
}

/// Everything that stands on the only dispatch's stream.
fn dispatch_events(world: &World) -> Vec<Event> {
    let records = world.log.records(Topic::Notice, 0).into_iter().skip(1);
    let envelopes = records.map(|record| Envelope::decode(record.value).unwrap());
    envelopes
        .filter(|envelope| envelope.stream == "dispatch/a1/0/1/email")
        .map(|envelope| Event::decode(&envelope.kind, &envelope.payload).unwrap())
        .collect()
}

/// How many outcomes each report has.
fn reports(events: &[Event]) -> Vec<usize> {
    let outcomes = |event: &Event| match event {
        Event::DispatchReported { outcomes, .. } => Some(outcomes.len()),
        Event::DispatchStarted { .. }
        | Event::DispatchTakenOver { .. }
        | Event::DispatchHandedBack { .. } => None,
    };
    events.iter().filter_map(outcomes).collect()
}

fn is_takeover(event: &&Event) -> bool {
    matches!(event, Event::DispatchTakenOver { .. })
}

#[tokio::test]
async fn a_slow_mail_server_makes_short_blocks_and_no_takeover() {
    let mail = MailCatcher::start(MailOptions::default()).await.unwrap();
    let fault = Fault { delay: Duration::from_millis(120), silent_after: None };
    let proxy = Proxy::start(mail.address(), fault).await;
    let settings = through(&proxy, settings(&mail));
    let running = start_on(mail, settings.clone()).await;
    // Another process would take the wave over if it stood still for 4 s; all of it takes longer than that.
    let other = service(&running.pool, &running.world, &settings).await;
    let world = &running.world;
    world.import(people(20, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(20, &[]);
    world.complete(1);
    assert_eq!(readers(&running.mails(20).await).len(), 20);
    running.until(&name(19), NoticeState::Sent).await;
    assert_eq!(running.list(NoticeState::Sent, 100).await.len(), 20);
    let events = dispatch_events(world);
    assert_eq!(events.iter().find(is_takeover), None);
    let reports = reports(&events);
    assert!(reports.len() > 2, "the time of a block is up several times: {reports:?}");
    assert_eq!(reports.iter().sum::<usize>(), 20);
    assert_eq!(running.mail.count(), 20);
    rebuilt_is_equal(&running).await;
    other.stop().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn whoever_a_mail_server_never_answers_about_holds_up_nobody_else() {
    let mail = MailCatcher::start(MailOptions::default()).await.unwrap();
    let silent_after = Some(format!("RCPT TO:<{}>", address(1)));
    let proxy = Proxy::start(mail.address(), Fault { silent_after, ..Fault::default() }).await;
    let settings = through(&proxy, settings(&mail));
    let running = start_on(mail, settings).await;
    let world = &running.world;
    world.import(people(4, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(4, &[]);
    world.complete(1);
    running.until(&name(3), NoticeState::Sent).await;
    assert_eq!(running.notice(&name(1)).await.state(), NoticeState::Deferred);
    assert_eq!(running.mail.count(), 3);
    // Its time was up within the block, so it became the first of the next one, and had all of that one's time.
    assert_eq!(reports(&dispatch_events(world)), [1, 1, 2]);
    running.end().await;
}

#[tokio::test]
async fn a_mail_server_that_dies_within_a_block_costs_nobody_their_notice() {
    let mail = MailCatcher::start(MailOptions::default()).await.unwrap();
    let port = mail.address().port();
    let fault = Fault { delay: Duration::from_millis(5), silent_after: None };
    let proxy = Proxy::start(mail.address(), fault).await;
    let takeover_after = Duration::from_secs(60);
    let settings = Settings { takeover_after, ..through(&proxy, settings(&mail)) };
    let mut running = start_on(mail, settings).await;
    let world = &running.world;
    world.import(people(60, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(60, &[]);
    world.complete(1);
    running.mails(10).await;
    let before = running.mail.messages();
    drop(std::mem::replace(
        &mut running.mail,
        MailCatcher::start(MailOptions::default()).await.unwrap(),
    ));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let options = MailOptions { port: Some(port), ..MailOptions::default() };
    running.mail = MailCatcher::start(options).await.unwrap();
    running.until(&name(59), NoticeState::Sent).await;
    let unknown = running.list(NoticeState::Unknown, 100).await.len();
    let sent = running.list(NoticeState::Sent, 100).await.len();
    assert_eq!(sent + unknown, 60, "nobody's notice is put off");
    assert!(unknown <= 1, "the one on its way is in doubt, not {unknown}");
    let after = running.mail.messages();
    let mails: Vec<_> = before.into_iter().chain(after).collect();
    assert!(readers(&mails).values().all(|count| *count == 1), "nobody is told twice");
    rebuilt_is_equal(&running).await;
    running.end().await;
}

#[tokio::test]
async fn a_suppression_stops_a_mail_of_the_block_that_is_under_way() {
    let mail = MailCatcher::start(MailOptions::default()).await.unwrap();
    let fault = Fault { delay: Duration::from_millis(50), silent_after: None };
    let proxy = Proxy::start(mail.address(), fault).await;
    // All fits into one block.
    let takeover_after = Duration::from_secs(120);
    let settings = Settings { takeover_after, ..through(&proxy, settings(&mail)) };
    let running = start_on(mail, settings).await;
    let world = &running.world;
    world.import(people(40, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(40, &[]);
    world.complete(1);
    running.mails(3).await;
    let suppress = SuppressRecipientRequest {
        request_id: Uuid::new_v4().to_string(),
        validate_only: false,
        name: "subscribers/p39".to_owned(),
        note: "asked for it".to_owned(),
    };
    running.client().suppress_recipient(as_anna(suppress)).await.unwrap();
    running.until(&name(38), NoticeState::Sent).await;
    assert_eq!(running.notice(&name(39)).await.state(), NoticeState::NoChannel);
    assert_eq!(running.mail.count(), 39);
    let events = dispatch_events(world);
    let Some(Event::DispatchReported { outcomes, .. }) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!((outcomes.len(), outcomes[39]), (40, Outcome::NoChannel));
    running.end().await;
}
