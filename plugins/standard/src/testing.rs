//! What this crate's tests share.

use deja_plugin::stats::{Event, Gauges, Outcome};

/// A request that ended at this time.
pub(crate) fn event(at_ms: u64, outcome: Outcome) -> Event {
    Event {
        at_ms,
        outcome,
        first_us: 250,
        latency_us: 1_500,
        saved_ms: 700,
        prompt_tokens: 20,
        output_tokens: 5,
        bytes: 100,
    }
}

/// The host's numbers at this time.
pub(crate) fn gauges(at_ms: u64) -> Gauges {
    Gauges {
        at_ms,
        entries: 1,
        bytes: 9,
        capacity_entries: 2,
        capacity_bytes: 99,
        evictions: 4,
    }
}
