//! What mail servers do to notices, and how a notice is sent again.

use ristoro_domain::roster::Contact;
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_local::AfterData;
use ristoro_log::Topic;
use ristoro_proto::notifier::v1::{
    NoticeState, ReportBounceRequest, RetryNoticeRequest, SuppressRecipientRequest,
};
use uuid::Uuid;

use super::support::*;
use super::world::*;

pub fn retry(name: &str, of_attempt: u32) -> RetryNoticeRequest {
    let (request_id, name) = (Uuid::new_v4().to_string(), name.to_owned());
    RetryNoticeRequest { request_id, validate_only: false, name, of_attempt }
}

#[tokio::test]
async fn each_failure_is_kept_and_what_failed_is_sent_again_when_somebody_asks() {
    let running = start().await;
    let world = &running.world;
    let mut rows = people(4, "c1");
    rows.push(row(4, "c1", None, "en"));
    rows.push(row(5, "c1", Some("not an address"), "en"));
    world.import(rows);
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    running.mail.refuse(&address(0), 550);
    running.mail.refuse(&address(1), 450);
    world.decide(6, &[]);
    running.until(&name(3), NoticeState::Queued).await;
    let suppress = SuppressRecipientRequest {
        request_id: Uuid::new_v4().to_string(),
        validate_only: false,
        name: "subscribers/p2".to_owned(),
        note: "asked for it".to_owned(),
    };
    running.client().suppress_recipient(as_anna(suppress)).await.unwrap();
    world.complete(1);

    running.until(&name(0), NoticeState::Refused).await;
    running.until(&name(1), NoticeState::Deferred).await;
    for place in [2, 4, 5] {
        running.until(&name(place), NoticeState::NoChannel).await;
    }
    running.until(&name(3), NoticeState::Sent).await;
    assert_eq!(running.mail.count(), 1);

    running.mail.accept(&address(0));
    running.mail.accept(&address(1));
    let contact = Contact { email: Some(address(4)), ..Contact::default() };
    world.append(Topic::Subscriber, 0, "subscriber/p4", &SubscriberEvent::ContactSet { contact });
    for place in [0, 1, 4] {
        let answer = running.client().retry_notice(as_anna(retry(&name(place), 1))).await.unwrap();
        let answer = answer.into_inner();
        assert_eq!(answer.notice.unwrap().attempt, 2);
        assert!(!answer.consistency_token.is_empty());
        let notice = running.until(&name(place), NoticeState::Sent).await;
        assert_eq!(notice.attempt, 2);
    }
    let mails = running.mails(4).await;
    let last = mails.iter().find(|mail| mail.recipients == [address(0)]).unwrap();
    assert!(text(last).contains(&running.notice(&name(0)).await.reference));

    let refused = running.client().retry_notice(as_anna(retry(&name(3), 0))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
    running.end().await;
}

#[tokio::test]
async fn a_mail_of_which_nobody_knows_is_left_to_a_person() {
    let running = start().await;
    let world = &running.world;
    world.import(people(3, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    running.mail.hang_up(AfterData::LoseAndHangUp);
    world.decide(3, &[]);
    world.complete(1);

    running.until(&name(0), NoticeState::Unknown).await;
    running.until(&name(2), NoticeState::Sent).await;
    assert_eq!(readers(&running.mails(2).await).len(), 2);
    let unknown = running.list(NoticeState::Unknown, 10).await;
    assert_eq!(unknown.iter().map(|notice| notice.number).collect::<Vec<_>>(), [1]);

    running.client().retry_notice(as_anna(retry(&name(0), 1))).await.unwrap();
    let mails = running.mails(3).await;
    running.until(&name(0), NoticeState::Sent).await;
    let ids: std::collections::BTreeSet<_> =
        mails.iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), 3);
    running.end().await;
}

#[tokio::test]
async fn what_came_back_is_sent_again_once() {
    let running = start().await;
    let world = &running.world;
    world.import(people(1, "c1"));
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(1, &[]);
    world.complete(1);
    running.until(&name(0), NoticeState::Sent).await;
    let bounce = |status_code: &str| ReportBounceRequest {
        request_id: Uuid::new_v4().to_string(),
        validate_only: false,
        name: name(0),
        attempt: 1,
        status_code: status_code.to_owned(),
    };
    let mut client = running.client();
    let refused = client.report_bounce(as_anna(bounce("2.0.0"))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    client.report_bounce(as_anna(bounce("5.1.1"))).await.unwrap();
    let notice = running.notice(&name(0)).await;
    assert_eq!((notice.state(), notice.status_code.as_str()), (NoticeState::Bounced, "5.1.1"));
    let request = retry(&name(0), 1);
    client.retry_notice(as_anna(request.clone())).await.unwrap();
    running.until(&name(0), NoticeState::Sent).await;
    client.retry_notice(as_anna(request)).await.unwrap();
    assert_eq!(running.notice(&name(0)).await.attempt, 2);
    assert_eq!(running.mails(2).await.len(), 2);
    running.end().await;
}

#[tokio::test]
async fn a_mail_server_that_is_away_costs_nobody_their_notice() {
    let running = start().await;
    let world = &running.world;
    let away = running.mail.address();
    let mut settings = settings(&running.mail);
    // A port that nobody listens on: that of a catcher that has ended.
    let gone = ristoro_local::MailCatcher::start(Default::default()).await.unwrap();
    settings.smtp.port = gone.address().port();
    assert_ne!(away.port(), settings.smtp.port);
    drop(gone);
    world.import(people(1, "c1"));
    let other = service(&running.pool, world, &settings).await;
    world.declare(vec![down()]);
    world.restore(None, "26T14:45");
    world.decide(1, &[]);
    world.complete(1);
    running.mails(1).await;
    let notice = running.until(&name(0), NoticeState::Sent).await;
    assert_eq!(notice.attempt, 1);
    other.stop().await.unwrap();
    running.end().await;
}
