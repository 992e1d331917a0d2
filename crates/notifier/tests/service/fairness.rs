//! Whatever cannot go on holds up nothing that can.

use ristoro_domain::outage::{Event as Outage, StatedImpact};
use ristoro_proto::notifier::v1::NoticeState;

use super::failures::retry;
use super::support::*;
use super::world::*;

/// More than the loop takes from one look and has under way: eight lanes with eight jobs each.
const CHUNKS: usize = 80;

#[tokio::test]
async fn many_notices_that_cannot_be_sent_again_yet_hold_up_no_first_notice() {
    let running = start().await;
    let world = &running.world;
    let mut rows = people(CHUNKS, "c1");
    rows.push(row(CHUNKS, "c2", Some(&address(CHUNKS)), "en"));
    world.import(rows);
    world.declare(vec![down()]);
    world.restore(Some("c1"), "26T14:45");
    // A chunk for each person.
    let count = CHUNKS as u64 + 1;
    for number in 1..=count {
        world.decide_chunk(number..=number, &[]);
    }
    for place in 0..CHUNKS {
        running.mail.refuse(&address(place), 550);
    }
    world.complete(count);
    for place in 0..CHUNKS {
        running.until(&name(place), NoticeState::Refused).await;
    }
    let again = StatedImpact { id: "again".to_owned(), cohort: Some("c1".to_owned()), ..down() };
    world.outage(&Outage::ImpactAdded(again));
    for place in 0..CHUNKS {
        running.mail.accept(&address(place));
        running.client().retry_notice(as_anna(retry(&name(place), 1))).await.unwrap();
    }
    world.restore(Some("c2"), "28T20:00");
    running.until(&name(CHUNKS), NoticeState::Sent).await;
    assert_eq!(running.mail.count(), 1, "the others' mailboxes are down again");

    world.outage(&Outage::OutageResolved { resolved_at: at("29T10:00") });
    assert_eq!(readers(&running.mails(count as usize).await).len(), CHUNKS + 1);
    running.end().await;
}
