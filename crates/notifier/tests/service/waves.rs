//! Who is told, when, and in which language.

use std::time::Duration;

use ristoro_domain::decided::Event as Decided;
use ristoro_domain::ops::PayoutSwitchEvent;
use ristoro_log::{Envelope, Topic};
use ristoro_proto::notifier::v1::NoticeState;

use super::support::*;
use super::world::*;

/// Long enough for the loop to send what it wrongly would: it looks fifty times a second.
const QUIET: Duration = Duration::from_millis(600);

#[tokio::test]
async fn everyone_is_told_once_and_never_before_their_own_mailbox_is_back() {
    let running = start().await;
    let world = &running.world;
    let mut rows = people(130, "c1");
    rows.extend((130..140).map(|place| row(place, "c2", Some(&address(place)), "en")));
    world.import(rows);
    world.declare(vec![down()]);
    world.restore(Some("c1"), "26T14:45");
    world.decide(140, &[7, 140]);
    world.complete(1);

    let mails = running.mails(129).await;
    running.until(&name(0), NoticeState::Sent).await;
    assert_eq!(running.list(NoticeState::Waiting, 3).await.len(), 9, "the others' wait");
    assert!(mails.iter().all(|mail| readers(&mails)[&mail.recipients.join(",")] == 1));

    world.restore(None, "28T20:00");
    let mails = running.mails(138).await;
    let late = running.until(&name(130), NoticeState::Sent).await;
    let early = running.notice(&name(0)).await;
    let waves = [early, late].map(|notice| notice.mailbox_restored_at.unwrap().seconds);
    assert_eq!(waves, [at("26T14:45").as_second(), at("28T20:00").as_second()]);
    let readers = readers(&mails);
    assert_eq!(readers.len(), 138);
    assert!(readers.values().all(|count| *count == 1));
    assert!(!readers.contains_key(&address(6)), "who gets nothing is not told");
    tokio::time::sleep(QUIET).await;
    assert_eq!(running.mail.count(), 138, "nobody is told again");
    assert_eq!(running.list(NoticeState::Sent, 50).await.len(), 138);
    rebuilt_is_equal(&running).await;
    running.end().await;
}

#[tokio::test]
async fn each_reads_the_own_language_and_the_own_hours() {
    let running = start().await;
    let world = &running.world;
    let locales = ["it-IT", "en", "de", "fr"];
    let row = |(place, locale)| row(place, "c1", Some(&address(place)), locale);
    world.import(locales.into_iter().enumerate().map(row).collect());
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(4, &[]);
    world.complete(1);

    let mails = running.mails(4).await;
    for (place, tag, words) in [
        (0, "it", ["Ti spetta:", "30,00 EUR", "al 26 gennaio 2023, ore 15:45 (UTC+1)"]),
        (1, "en", ["You are owed:", "30.00 EUR", "to 26 January 2023, 15:45 (UTC+1)"]),
        (2, "de", ["Ihnen steht zu:", "30,00 EUR", "bis 26. Januar 2023, 15:45 (UTC+1)"]),
        (3, "en", ["You are owed:", "30.00 EUR", "Italiaonline"]),
    ] {
        let mail = mails.iter().find(|mail| mail.recipients == [address(place)]).unwrap();
        assert_eq!(mail.header("Content-Language").as_deref(), Some(tag));
        assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
        assert!(mail.header("Date").is_some());
        assert!(mail.header("traceparent").is_none());
        let text = text(mail);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!text.contains('@') && !text.contains("http"), "{text}");
    }
    running.end().await;
}

#[tokio::test]
async fn what_is_voided_is_never_sent_and_everything_carries_its_trace() {
    let running = start().await;
    let world = &running.world;
    world.import(people(2, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(2, &[]);
    running.until(&name(0), NoticeState::Queued).await;
    world.scan(0, &Decided::ScanVoided);
    running.until(&name(0), NoticeState::Voided).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(running.mail.count(), 0);
    let records = world.log.records(Topic::Notice, 0);
    let envelopes = records.into_iter().skip(1).map(|record| Envelope::decode(record.value));
    let traces: Vec<_> = envelopes.map(|envelope| envelope.unwrap().traceparent).collect();
    assert_eq!(traces, [TRACEPARENT, TRACEPARENT]);
    running.end().await;
}

#[tokio::test]
async fn while_payouts_are_stopped_nobody_is_told() {
    let running = start().await;
    let world = &running.world;
    world.import(people(2, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    let note = "wrong sums".to_owned();
    let stopped = PayoutSwitchEvent::PayoutsStopped { note: note.clone() };
    world.append(Topic::Ops, 0, "ops/payouts", &stopped);
    until_stopped(&running).await;
    world.decide(2, &[]);
    world.complete(1);
    running.until(&name(0), NoticeState::Waiting).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(running.mail.count(), 0);
    world.append(Topic::Ops, 0, "ops/payouts", &PayoutSwitchEvent::PayoutsResumed { note });
    running.mails(2).await;
    running.end().await;
}

async fn until_stopped(running: &Running) {
    let query = "select exists (select from notifier.payout_switch where stopped)";
    while !sqlx::query_scalar::<_, bool>(query).fetch_one(&running.pool).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_outage_that_comes_back_holds_back_who_was_not_told_yet() {
    let running = start().await;
    let world = &running.world;
    world.import(people(3, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    let again = ristoro_domain::outage::StatedImpact { id: "again".to_owned(), ..down() };
    world.outage(&ristoro_domain::outage::Event::ImpactAdded(again));
    world.decide(3, &[]);
    world.complete(1);
    running.until(&name(0), NoticeState::Waiting).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(running.mail.count(), 0);
    world.outage(&ristoro_domain::outage::Event::OutageResolved { resolved_at: at("29T10:00") });
    running.mails(3).await;
    let notice = running.until(&name(2), NoticeState::Sent).await;
    assert_eq!(notice.mailbox_restored_at.unwrap().seconds, at("29T10:00").as_second());
    running.end().await;
}
