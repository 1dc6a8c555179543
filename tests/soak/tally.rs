//! Counts what became of the requests and of what else was done to the server.

use std::{collections::BTreeMap, fmt::Write as _, sync::Mutex};

use crate::oracle::Verdict;

/// How many wrong and lost requests are shown.
const SHOWN: usize = 40;

/// Of each kind of request, how many got which verdict.
const VERDICTS: [&str; 6] = ["right", "planned", "left", "declined", "wrong", "lost"];

/// Of each kind of request, how many the cache did what with.
const WAYS: [&str; 5] = ["hit", "miss", "coalesced", "bypassed", "refreshed"];

/// Counts.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    requests: BTreeMap<String, [u64; VERDICTS.len() + WAYS.len()]>,
    /// What was done to the server: how often it went well, and how often not.
    operations: BTreeMap<&'static str, [u64; 2]>,
    shown: usize,
}

impl Tally {
    /// Counts a request.
    pub(crate) fn count(&self, kind: &str, cache_status: &str, verdict: &Verdict) {
        let mut counts = self.0.lock().expect("nobody panics with it");
        let row = match counts.requests.get_mut(kind) {
            Some(row) => row,
            None => counts.requests.entry(kind.to_owned()).or_default(),
        };
        let verdict = match verdict {
            Verdict::Right => 0,
            Verdict::Planned => 1,
            Verdict::Left => 2,
            Verdict::Declined => 3,
            Verdict::Wrong(_) => 4,
            Verdict::Lost(_) => 5,
        };
        row[verdict] += 1;
        if let Some(way) = way(cache_status) {
            row[VERDICTS.len() + way] += 1;
        }
    }

    /// Counts something that was done to the server; says why it failed, if it did.
    pub(crate) fn operation(&self, name: &'static str, result: Result<(), String>) {
        let verdict = match result {
            Ok(()) => Verdict::Right,
            Err(reason) => Verdict::Lost(reason),
        };
        let failed = usize::from(verdict != Verdict::Right);
        let mut counts = self.0.lock().expect("nobody panics with it");
        counts.operations.entry(name).or_default()[failed] += 1;
        drop(counts);
        self.explain(&verdict, || name.to_owned());
    }

    /// Prints what is known of a request that is wrong or lost, for the first of them.
    pub(crate) fn explain(&self, verdict: &Verdict, details: impl FnOnce() -> String) {
        let (Verdict::Wrong(reason) | Verdict::Lost(reason)) = verdict else {
            return;
        };
        let mut counts = self.0.lock().expect("nobody panics with it");
        counts.shown += 1;
        if counts.shown > SHOWN {
            return;
        }
        drop(counts);
        let kind = if matches!(verdict, Verdict::Wrong(_)) {
            "WRONG"
        } else {
            "LOST"
        };
        println!("{kind}: {reason}\n    {}", details());
    }

    /// How many requests were wrong or lost, and operations failed.
    pub(crate) fn failures(&self) -> (u64, u64, u64) {
        let counts = self.0.lock().expect("nobody panics with it");
        let sum = |at: usize| counts.requests.values().map(|row| row[at]).sum();
        let failed = counts.operations.values().map(|row| row[1]).sum();
        (sum(4), sum(5), failed)
    }

    /// All sums in one line.
    pub(crate) fn line(&self) -> String {
        let counts = self.0.lock().expect("nobody panics with it");
        let sum = |at: usize| -> u64 { counts.requests.values().map(|row| row[at]).sum() };
        let names = VERDICTS.iter().chain(&WAYS).enumerate();
        let total: u64 = (0..VERDICTS.len()).map(sum).sum();
        let sums: Vec<_> = names
            .map(|(at, name)| format!("{name} {}", sum(at)))
            .collect();
        format!("requests {total}: {}", sums.join(", "))
    }

    /// All counts in a table.
    pub(crate) fn table(&self) -> String {
        let counts = self.0.lock().expect("nobody panics with it");
        let mut table = format!("{:<24}", "requests");
        for name in VERDICTS.iter().chain(&WAYS) {
            let _ = write!(table, "{name:>10}");
        }
        for (kind, row) in &counts.requests {
            let _ = write!(table, "\n{kind:<24}");
            for count in row {
                let _ = write!(table, "{count:>10}");
            }
        }
        let _ = write!(
            table,
            "\n\n{:<40}{:>10}{:>10}",
            "operations", "done", "failed"
        );
        for (name, [done, failed]) in &counts.operations {
            let _ = write!(table, "\n{name:<40}{done:>10}{failed:>10}");
        }
        table
    }
}

/// What the cache did, as `Cache-Status` tells it.
fn way(cache_status: &str) -> Option<usize> {
    let ways = [
        "; hit",
        "fwd=miss",
        "collapsed",
        "fwd=bypass",
        "fwd=request",
    ];
    let found = |way: &str| cache_status.contains(way);
    if found("collapsed") {
        return Some(2);
    }
    ways.iter().position(|way| found(way))
}
