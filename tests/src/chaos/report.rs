//! What a run has to account for, line by line.

use ristoro_log::Topic;
use ristoro_proto::notifier::v1::DispatchOutcome;

use super::check::commands::Ends;
use super::check::notices::Told;
use super::faults::{Counts, Kind};
use super::load::Outcome;
use super::reader::{Story, Worth};

/// Everything that is counted.
pub(super) struct Figures<'a> {
    pub(super) story: &'a Story,
    pub(super) ends: Ends,
    pub(super) counts: &'a Counts,
    pub(super) outcome: &'a Outcome,
    pub(super) told: &'a Told,
    pub(super) held: usize,
    pub(super) retries: usize,
    pub(super) own_ends: u64,
    pub(super) mails: usize,
    pub(super) compared: u64,
}

impl Figures<'_> {
    /// Gives the lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = self.records();
        let fault = |kind| self.counts.get(&kind).copied().unwrap_or_default();
        lines.push(format!(
            "faults: {} processes killed, {} frozen; the broker killed {} times, frozen {} times",
            fault(Kind::WorkerKilled),
            fault(Kind::WorkerFrozen),
            fault(Kind::BrokerKilled),
            fault(Kind::BrokerFrozen),
        ));
        lines.push(format!(
            "processes that ended by themselves and were started again: {}",
            self.own_ends
        ));
        let ends = self.ends;
        lines.push(format!(
            "commands: {} acknowledged, {} with nothing to do, {} refused ({} of them on the log without effect), \
             {} unknown and written, {} unknown and not; {} calls sent again",
            ends.acknowledged,
            ends.nothing_to_do,
            ends.refused,
            ends.without_effect,
            ends.unknown_written,
            ends.unknown_lost,
            self.retries,
        ));
        lines.extend(self.effects());
        lines.push(format!("{} comparisons", self.compared));
        lines
    }

    fn records(&self) -> Vec<String> {
        let count = |worth| self.story.count(worth);
        let worths = Worth::ALL.map(|worth| format!("{} {}", count(worth), worth.name()));
        let mut lines = vec![format!(
            "records: {} besides the founding ones: {}",
            self.story.entries.len(),
            worths.join(", ")
        )];
        for topic in Topic::ALL {
            let records: u64 = self
                .story
                .counts
                .iter()
                .filter(|((of, _, _), _)| *of == topic)
                .map(|(_, count)| count)
                .sum();
            let streams = self.story.heads.get(&topic);
            let longest = streams.into_iter().flatten().max_by_key(|(_, head)| head.0);
            let longest = longest.map_or_else(String::new, |(stream, head)| {
                format!("; the longest, {stream}, has {} versions", head.0)
            });
            let streams = streams.map_or(0, |streams| streams.len());
            lines.push(format!("  {topic}: {records} records, {streams} streams{longest}"));
        }
        lines
    }

    fn effects(&self) -> Vec<String> {
        let outcome = self.outcome;
        let told = |outcome| self.told.count(outcome);
        let lent: u64 = outcome.made.values().map(|made| made.lent).sum();
        vec![
            format!(
                "assessments: {} paid, {} granted, {} silent, {} cancelled",
                outcome.paid.len(),
                outcome.granted.len(),
                outcome.silent.len(),
                outcome.cancelled.len()
            ),
            format!(
                "bank: {} transfers in {} files, {} files called off; holds: {} acknowledged, {} too late, {} for ever, {} in effect",
                outcome.bank.transfers.len(),
                outcome.bank.files.len(),
                outcome.bank.cancelled.len(),
                outcome.holds.held,
                outcome.holds.too_late,
                outcome.holds.for_ever.len(),
                self.held,
            ),
            format!("grants: {} made, lent {lent} times", outcome.made.len()),
            format!(
                "mails: {} came in; notices: {} sent, {} outcome unknown, {} without a channel, {} refused, {} put off; \
                 waves: {} taken over, {} handed back",
                self.mails,
                told(DispatchOutcome::Sent),
                told(DispatchOutcome::Unknown),
                told(DispatchOutcome::NoChannel),
                told(DispatchOutcome::Refused),
                told(DispatchOutcome::Deferred),
                self.told.takeovers,
                self.told.handed_back,
            ),
        ]
    }
}
