//! What a plugin must get through before it is handed over: one small call of each kind.

use std::sync::{Arc, LazyLock};

use deja_cache::{
    Endpoint, EntryFacts, EntryId, Eviction, Gauges, KeyRequest, Keyer, NoHeaders, Outcome,
    OutcomeKind, PolicyError, RemovalCause, Stats,
};
use serde_json::{Value, json};

/// A request like any other.
static SAMPLE: LazyLock<Arc<Value>> = LazyLock::new(|| {
    Arc::new(json!({
        "model": "sample",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is the  capital of France?"},
        ],
        "temperature": 0,
    }))
});

/// One decision.
pub(crate) fn keyer(keyer: &impl Keyer) -> Result<(), PolicyError> {
    let request = KeyRequest {
        endpoint: Endpoint::ChatCompletions,
        headers: Arc::new(NoHeaders),
        body: Arc::clone(&SAMPLE),
        text: None,
    };
    keyer.decide(&request).map(drop)
}

/// The life of three entries.
pub(crate) fn eviction(eviction: &mut impl Eviction) -> Result<(), PolicyError> {
    for id in 1..=3 {
        eviction.on_insert(&entry(id))?;
    }
    eviction.on_hit(&[EntryId(1)])?;
    for victim in eviction.victims(1, 1)? {
        eviction.on_remove(victim, RemovalCause::Evicted)?;
    }
    eviction.save().map(drop)
}

fn entry(id: u64) -> EntryFacts {
    EntryFacts {
        id: EntryId(id),
        key: id,
        bytes: 1024,
        cost_ms: 100,
        prompt_tokens: 10,
        output_tokens: 10,
        at_ms: id,
    }
}

/// A hit and a miss, and their report.
pub(crate) fn stats(stats: &mut impl Stats) -> Result<(), PolicyError> {
    stats.fold(&[OutcomeKind::Miss, OutcomeKind::Hit].map(outcome))?;
    let gauges = Gauges {
        at_ms: 2,
        entries: 1,
        bytes: 1024,
        ..Gauges::default()
    };
    stats.report(&gauges)?;
    stats.samples(&gauges)?;
    stats.save().map(drop)
}

fn outcome(kind: OutcomeKind) -> Outcome {
    Outcome {
        at_ms: 1,
        kind,
        first_us: 500,
        latency_us: 1000,
        saved_ms: 100,
        prompt_tokens: 10,
        output_tokens: 10,
        bytes: 100,
    }
}
