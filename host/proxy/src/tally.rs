//! Notes what became of a request, exactly once: when its reply ends, or when its client leaves.

use std::{sync::Arc, time::Instant};

use deja_cache::{Entry, Key, Ledger, Outcome, OutcomeKind, now_ms};
use deja_chat::Event;
use tracing::info;

/// What is known of a request's outcome so far. Its drop records it; until something better is
/// known, that is an error.
pub(crate) struct Tally {
    ledger: Arc<Ledger>,
    started: Instant,
    key: Option<Key>,
    outcome: Outcome,
}

impl Tally {
    pub(crate) fn start(ledger: Arc<Ledger>) -> Self {
        let outcome = Outcome {
            at_ms: 0,
            kind: OutcomeKind::Error,
            latency_us: 0,
            saved_ms: 0,
            prompt_tokens: 0,
            output_tokens: 0,
            bytes: 0,
        };
        Self {
            ledger,
            started: Instant::now(),
            key: None,
            outcome,
        }
    }

    pub(crate) fn keyed(&mut self, key: Key) {
        self.key = Some(key);
    }

    pub(crate) fn hit(&mut self, entry: &Entry) {
        self.outcome.kind = OutcomeKind::Hit;
        self.outcome.saved_ms = entry.facts.cost_ms;
        self.outcome.prompt_tokens = entry.facts.prompt_tokens;
        self.outcome.output_tokens = entry.facts.output_tokens;
        self.outcome.bytes = entry
            .answer
            .pieces
            .iter()
            .map(|piece| piece.len() as u64)
            .sum();
    }

    /// An answer begins to come from the model.
    pub(crate) fn fetched(&mut self, kind: OutcomeKind) {
        self.outcome.kind = kind;
    }

    /// A part of it came.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Text(text) => self.outcome.bytes += text.len() as u64,
            Event::End { usage, .. } => {
                self.outcome.prompt_tokens = usage.prompt_tokens;
                self.outcome.output_tokens = usage.completion_tokens;
            }
        }
    }

    /// The rest of it will not come.
    pub(crate) fn failed(&mut self) {
        self.outcome.kind = OutcomeKind::Error;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let latency = self.started.elapsed();
        self.outcome.at_ms = now_ms();
        self.outcome.latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.ledger.record(self.outcome);
        info!(
            outcome = ?self.outcome.kind,
            ?latency,
            key = self.key.map(tracing::field::display),
            prompt_tokens = self.outcome.prompt_tokens,
            output_tokens = self.outcome.output_tokens,
            "answered"
        );
    }
}
