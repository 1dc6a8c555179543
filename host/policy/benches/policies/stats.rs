//! The stats component: what became of requests is taken in.

use deja_cache::{Outcome, OutcomeKind};
use deja_plugin::stats::{Collector as _, Event, Outcome as Kind};
use divan::Bencher;
use divan::counter::ItemsCount;
use native_standard::Account;

use crate::policies;

/// How many are told of in one call.
const COUNTS: [usize; 2] = [1, 64];

#[divan::bench(args = COUNTS)]
fn fold(bencher: Bencher<'_, '_>, count: usize) {
    let mut stats = policies("exact", "lru").stats;
    let outcomes = vec![OUTCOME; count];
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| stats.fold(&outcomes).expect("folds"));
}

#[divan::bench(args = COUNTS)]
fn fold_natively(bencher: Bencher<'_, '_>, count: usize) {
    let account = Account::new();
    let events = vec![EVENT; count];
    // The contract hands the list over, so it is made for each call in either case.
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| account.fold(events.clone()));
}

const OUTCOME: Outcome = Outcome {
    at_ms: 1,
    kind: OutcomeKind::Hit,
    first_us: 1,
    latency_us: 1,
    saved_ms: 1,
    prompt_tokens: 1,
    output_tokens: 1,
    bytes: 1,
};

const EVENT: Event = Event {
    at_ms: 1,
    outcome: Kind::Hit,
    first_us: 1,
    latency_us: 1,
    saved_ms: 1,
    prompt_tokens: 1,
    output_tokens: 1,
    bytes: 1,
};
