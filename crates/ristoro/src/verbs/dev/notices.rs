//! Waits until the notices of a case came in at the mail server of our own, and says what became of them.

use std::time::Duration;

use anyhow::Result;
use ristoro_local::MailCatcher;
use ristoro_proto::notifier::v1::NoticeState;
use tokio::time::{Instant, sleep};

use crate::demo::notices::Notices;
use crate::progress::Progress;

/// How long all notices may take.
const BOUND: Duration = Duration::from_secs(120);
/// When no notice came for so long, no more are waited for.
const QUIET: Duration = Duration::from_secs(10);
/// When none came for so long, it is looked whether any is left.
const LOOK: Duration = Duration::from_secs(1);
/// Between two counts of the mails.
const PAUSE: Duration = Duration::from_millis(200);
/// What may still be sent.
const OPEN: [NoticeState; 3] = [NoticeState::Queued, NoticeState::Waiting, NoticeState::Sending];

/// Waits until nothing is left that can be sent, or none came for a while; then says what became of them.
pub async fn wait_and_tell(notices: &Notices, mail: &MailCatcher) -> Result<()> {
    wait(notices, mail).await?;
    println!("  {} notices came in at a mail server of our own; the first says:", mail.count());
    if let Some(message) = mail.messages().first() {
        for line in String::from_utf8_lossy(&message.raw).lines() {
            println!("    {line}");
        }
    }
    if (mail.count() as u64) != notices.total {
        println!("  {}", notices.text(&notices.count().await?));
    }
    Ok(())
}

async fn wait(notices: &Notices, mail: &MailCatcher) -> Result<()> {
    let progress = Progress::new("notices sent");
    let begun = Instant::now();
    let (mut count, mut since, mut look_at) = (mail.count(), begun, begun + LOOK);
    loop {
        sleep(PAUSE).await;
        let now = Instant::now();
        if mail.count() != count {
            (count, since) = (mail.count(), now);
            look_at = if count as u64 == notices.total { now } else { now + LOOK };
        }
        progress.at(count as u64, notices.total);
        let given_up = now - since > QUIET || now - begun > BOUND;
        if given_up {
            return Ok(());
        }
        if now < look_at {
            continue;
        }
        // Who has no address gets no mail, and what is not queued yet is in no state.
        if !notices.any(&OPEN).await?
            && (count as u64 == notices.total || notices.are_all_known().await?)
        {
            return Ok(());
        }
        look_at = Instant::now() + LOOK;
    }
}
