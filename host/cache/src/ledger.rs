//! What happened to requests, handed to the stats policy in batches.

use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing::warn;

use crate::{Gauges, Outcome, OutcomeKind, Sample, Stats, account::Account};

/// Outcomes that are told to the stats policy in one call.
const BATCH: usize = 64;

/// Takes outcomes in and reports them. Where the stats policy fails, the host's own counts stand in.
///
/// Lock order: `account` before `waiting`.
pub struct Ledger {
    waiting: Mutex<Waiting>,
    account: Mutex<Account>,
}

#[derive(Default)]
struct Waiting {
    /// Outcomes that the policy has not been told of yet, oldest first.
    outcomes: Vec<Outcome>,
    counts: Counts,
}

/// The host's own counts.
#[derive(Clone, Copy, Default)]
struct Counts {
    hits: u64,
    misses: u64,
    coalesced: u64,
}

impl Counts {
    fn add(&mut self, kind: OutcomeKind) {
        match kind {
            OutcomeKind::Hit => self.hits += 1,
            OutcomeKind::Miss => self.misses += 1,
            OutcomeKind::Coalesced => self.coalesced += 1,
            OutcomeKind::Bypass | OutcomeKind::Error => {}
        }
    }

    fn report(self, gauges: &Gauges) -> Value {
        json!({
            "hits": self.hits,
            "misses": self.misses,
            "total_requests": self.hits + self.misses + self.coalesced,
            "cached_items": gauges.entries,
        })
    }
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(policy: Box<dyn Stats>) -> Self {
        Self {
            waiting: Mutex::default(),
            account: Mutex::new(Account::new(policy)),
        }
    }

    /// Notes what became of a request.
    pub fn record(&self, outcome: Outcome) {
        let full = {
            let mut waiting = self.waiting.lock();
            waiting.counts.add(outcome.kind);
            waiting.outcomes.push(outcome);
            waiting.outcomes.len() >= BATCH
        };
        if full && let Some(mut account) = self.account.try_lock() {
            self.settle(&mut account);
        }
    }

    /// The JSON object to report, everything recorded so far in it.
    pub fn report(&self, gauges: &Gauges) -> Value {
        let mut account = self.account.lock();
        let counts = self.settle(&mut account);
        let report = account.ask(|policy| policy.report(gauges));
        report.unwrap_or_else(|error| {
            warn!(%error, "the host's own counts are reported in its place");
            counts.report(gauges)
        })
    }

    /// The policy's numbers, everything recorded so far in them; none where it fails.
    pub fn samples(&self, gauges: &Gauges) -> Vec<Sample> {
        let mut account = self.account.lock();
        self.settle(&mut account);
        let samples = account.ask(|policy| policy.samples(gauges));
        samples.unwrap_or_else(|error| {
            warn!(%error, "its samples are missing");
            Vec::new()
        })
    }

    /// Puts another policy in place, which takes over what its predecessor counted.
    pub fn replace(&self, successor: Box<dyn Stats>) {
        let mut account = self.account.lock();
        self.settle(&mut account);
        account.hand_over(successor);
    }

    fn settle(&self, account: &mut Account) -> Counts {
        let (outcomes, counts) = {
            let mut waiting = self.waiting.lock();
            (std::mem::take(&mut waiting.outcomes), waiting.counts)
        };
        account.fold(outcomes);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        PolicyFailure,
        testing::{FakePolicy, outcome},
    };

    const GAUGES: Gauges = Gauges {
        at_ms: 0,
        entries: 7,
        bytes: 0,
        capacity_entries: 9,
        capacity_bytes: 9,
        evictions: 0,
    };

    fn ledger() -> (FakePolicy, Ledger) {
        let policy = FakePolicy::default();
        (policy.clone(), Ledger::new(Box::new(policy)))
    }

    #[test]
    fn a_report_tells_all_that_was_recorded_before() {
        let (policy, ledger) = ledger();
        ledger.record(outcome(OutcomeKind::Miss));
        ledger.record(outcome(OutcomeKind::Hit));
        assert_eq!(
            ledger.report(&GAUGES),
            json!({"from": "plugin", "entries": 7})
        );
        assert_eq!(policy.told(), ["Miss", "Hit", "report"]);
    }

    #[test]
    fn samples_tell_all_that_was_recorded_before_or_are_missing() {
        let (policy, ledger) = ledger();
        ledger.record(outcome(OutcomeKind::Hit));
        assert_eq!(ledger.samples(&GAUGES).len(), 1);
        assert_eq!(policy.told(), ["Hit", "samples"]);
        policy.0.lock().fails = Some(PolicyFailure::Broken);
        assert_eq!(ledger.samples(&GAUGES), []);
    }

    #[test]
    fn outcomes_reach_the_policy_in_batches() {
        let (policy, ledger) = ledger();
        (1..BATCH).for_each(|_| ledger.record(outcome(OutcomeKind::Hit)));
        assert!(policy.told().is_empty());
        ledger.record(outcome(OutcomeKind::Hit));
        assert_eq!(policy.told().len(), BATCH);
    }

    #[test]
    fn the_hosts_own_counts_stand_in_for_a_failing_policy() {
        let (policy, ledger) = ledger();
        policy.0.lock().fails = Some(PolicyFailure::Broken);
        for kind in [
            OutcomeKind::Miss,
            OutcomeKind::Hit,
            OutcomeKind::Hit,
            OutcomeKind::Error,
        ] {
            ledger.record(outcome(kind));
        }
        let report = ledger.report(&GAUGES);
        let counts = json!({"hits": 2, "misses": 1, "total_requests": 3, "cached_items": 7});
        assert_eq!(report, counts);
    }

    #[test]
    fn a_successor_takes_the_counts_over() {
        let (old, ledger) = ledger();
        ledger.record(outcome(OutcomeKind::Miss));
        let new = FakePolicy::default();
        new.0.lock().restores = true;
        ledger.replace(Box::new(new.clone()));
        assert_eq!(old.told(), ["Miss", "save"]);
        ledger.report(&GAUGES);
        assert_eq!(new.told(), ["restore", "report"]);
    }
}
