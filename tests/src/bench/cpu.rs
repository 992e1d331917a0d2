//! What processes use: CPU-seconds of whole trees, and the most memory that one held.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Clock ticks of a second in `/proc`, on every Linux.
const TICKS: f64 = 100.0;

/// CPU-seconds of processes with all their descendants, those that have ended and were waited for too, by name.
#[must_use]
pub fn seconds(roots: &BTreeMap<&'static str, u32>) -> BTreeMap<&'static str, f64> {
    let all = processes();
    let tree = |root: u32| {
        let mut members = BTreeSet::from([root]);
        loop {
            let children = all
                .iter()
                .filter(|(_, process)| members.contains(&process.parent))
                .map(|(id, _)| *id);
            let more: Vec<u32> = children.filter(|id| !members.contains(id)).collect();
            if more.is_empty() {
                break members;
            }
            members.extend(more);
        }
    };
    let used = |root: &u32| {
        let ticks: u64 =
            tree(*root).iter().filter_map(|id| all.get(id)).map(|process| process.ticks).sum();
        ticks as f64 / TICKS
    };
    roots.iter().map(|(name, root)| (*name, used(root))).collect()
}

/// CPU-seconds of those of this process's children that have ended and were waited for.
#[must_use]
pub fn of_ended_children() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> =
        text.rsplit_once(')').map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect());
    let ticks = fields.get(13..15).unwrap_or_default().iter();
    ticks.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() as f64 / TICKS
}

/// Forgets the peaks of memory so far.
pub fn forget_peaks(roots: &BTreeMap<&'static str, u32>) {
    for root in roots.values() {
        // Where it is not allowed, peaks are those since the start.
        fs::write(format!("/proc/{root}/clear_refs"), "5").unwrap_or_default();
    }
}

/// The most memory of each process, in MiB.
#[must_use]
pub fn peaks(roots: &BTreeMap<&'static str, u32>) -> BTreeMap<&'static str, u64> {
    let peak = |root: &u32| {
        let text = fs::read_to_string(format!("/proc/{root}/status")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or(0) / 1024
    };
    roots.iter().map(|(name, root)| (*name, peak(root))).collect()
}

struct Process {
    parent: u32,
    ticks: u64,
}

fn processes() -> BTreeMap<u32, Process> {
    let Ok(folders) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let ids = folders.flatten().filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| Some((id, process(id)?))).collect()
}

/// Reads `/proc/ID/stat`: after the name in brackets, the parent is the second field, the times are the twelfth to
/// fifteenth (proc(5)).
fn process(id: u32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Process { parent: fields.get(1)?.parse().ok()?, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_uses_cpu_and_memory() {
        let own = BTreeMap::from([("own", std::process::id())]);
        let before = seconds(&own)["own"];
        let begun = std::time::Instant::now();
        let mut count = 0_u64;
        while begun.elapsed().as_millis() < 200 {
            count = std::hint::black_box(count + 1);
        }
        assert!(seconds(&own)["own"] > before, "{count} steps took no time");
        assert!(peaks(&own)["own"] > 0);
    }

    #[test]
    fn a_child_that_was_busy_is_counted_once_it_has_ended() {
        let before = of_ended_children();
        let busy = "n=0; while [ $n -lt 200000 ]; do n=$((n + 1)); done";
        let ended = std::process::Command::new("sh").args(["-c", busy]).status();
        assert!(ended.is_ok_and(|status| status.success()));
        assert!(of_ended_children() > before);
    }
}
