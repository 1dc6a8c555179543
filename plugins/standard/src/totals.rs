//! What happened in some stretch of time.

use deja_plugin::stats::{Event, Outcome};
use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// The outcomes and their names, in the contract's order.
pub(crate) const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Hit, "hit"),
    (Outcome::Miss, "miss"),
    (Outcome::Coalesced, "coalesced"),
    (Outcome::Bypass, "bypass"),
    (Outcome::Error, "error"),
];

/// What happened in some stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Requests by outcome.
    pub(crate) requests: [u64; OUTCOMES.len()],
    /// What hits saved.
    pub(crate) saved: Saved,
    /// Bytes of all answers.
    pub(crate) bytes: u64,
    /// How long hits took.
    pub(crate) hits: Times,
    /// How long misses took.
    pub(crate) misses: Times,
}

/// What hits saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) prompt_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) milliseconds: u64,
}

/// How long answers took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// To the beginning of the answer.
    pub(crate) first: Histogram,
    /// To its end.
    pub(crate) whole: Histogram,
}

impl Totals {
    /// Takes one request in.
    pub(crate) fn add(&mut self, event: &Event) {
        let count = &mut self.requests[event.outcome as usize];
        *count = count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(event.bytes);
        match event.outcome {
            Outcome::Hit => {
                self.saved.add(&Saved::by(event));
                self.hits.record(event);
            }
            Outcome::Miss => self.misses.record(event),
            Outcome::Coalesced | Outcome::Bypass | Outcome::Error => {}
        }
    }

    /// Takes in what happened in another stretch of time.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.requests.iter_mut().zip(other.requests) {
            *count = count.saturating_add(more);
        }
        self.saved.add(&other.saved);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.hits.merge(&other.hits);
        self.misses.merge(&other.misses);
    }

    /// How many requests came to this.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.requests[outcome as usize]
    }

    /// Requests that the cache could have answered.
    pub(crate) fn answerable(&self) -> u64 {
        [Outcome::Hit, Outcome::Miss, Outcome::Coalesced]
            .into_iter()
            .fold(0, |sum, outcome| sum.saturating_add(self.count(outcome)))
    }

    /// Whether [`Self::add`] could have made it.
    pub(crate) fn is_sound(&self) -> bool {
        [&self.hits, &self.misses]
            .into_iter()
            .all(|times| times.first.is_sound() && times.whole.is_sound())
    }
}

impl Saved {
    fn by(hit: &Event) -> Self {
        Self {
            prompt_tokens: hit.prompt_tokens.into(),
            output_tokens: hit.output_tokens.into(),
            milliseconds: hit.saved_ms.into(),
        }
    }

    fn add(&mut self, more: &Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(more.prompt_tokens);
        self.output_tokens = self.output_tokens.saturating_add(more.output_tokens);
        self.milliseconds = self.milliseconds.saturating_add(more.milliseconds);
    }
}

impl Times {
    fn record(&mut self, event: &Event) {
        self.first.record(event.first_us);
        self.whole.record(event.latency_us);
    }

    fn merge(&mut self, other: &Self) {
        self.first.merge(&other.first);
        self.whole.merge(&other.whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[test]
    fn every_outcome_is_counted_under_its_name() {
        for (index, (outcome, _)) in OUTCOMES.into_iter().enumerate() {
            let mut totals = Totals::default();
            totals.add(&event(0, outcome));
            let mut expected = [0; OUTCOMES.len()];
            expected[index] = 1;
            assert_eq!(totals.requests, expected);
        }
    }

    #[test]
    fn only_hits_save() {
        let mut totals = Totals::default();
        for (outcome, _) in OUTCOMES {
            totals.add(&event(0, outcome));
        }
        let hit = event(0, Outcome::Hit);
        assert_eq!(totals.saved, Saved::by(&hit));
        assert_eq!(totals.bytes, 5 * hit.bytes);
        assert_eq!(totals.answerable(), 3);
    }
}
