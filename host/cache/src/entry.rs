//! A stored answer.

use std::time::{Duration, Instant};

use deja_chat::Answer;

use crate::{EntryFacts, EntryId};

/// A whole, successful answer and what the cache knows of it.
#[derive(Debug)]
pub struct Entry {
    /// What eviction policies know of it.
    pub facts: EntryFacts,
    /// The answer as the model gave it.
    pub answer: Answer,
    /// Names to purge by.
    pub tags: Vec<String>,
    stored_at: Instant,
    ttl: Option<Duration>,
}

impl Entry {
    /// An answer that took `cost` to make, stored now and good for `ttl`, or for ever.
    #[must_use]
    pub fn new(answer: Answer, cost: Duration, ttl: Option<Duration>, tags: Vec<String>) -> Self {
        let tag_bytes: usize = tags
            .iter()
            .map(|tag| tag.capacity() + size_of::<String>())
            .sum();
        let bytes = size_of::<Self>() + answer.bytes() - size_of::<Answer>() + tag_bytes;
        let facts = EntryFacts {
            id: EntryId::next(),
            bytes: bytes as u64,
            cost_ms: u32::try_from(cost.as_millis()).unwrap_or(u32::MAX),
            prompt_tokens: answer.usage.prompt_tokens,
            output_tokens: answer.usage.completion_tokens,
            at_ms: crate::now_ms(),
        };
        Self {
            facts,
            answer,
            tags,
            stored_at: Instant::now(),
            ttl,
        }
    }

    /// How long ago it was stored.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.stored_at.elapsed()
    }

    /// How long it stays good, if not for ever; `None` inside once that time is over.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.ttl.map(|ttl| ttl.saturating_sub(self.age()))
    }

    /// Whether it has outlived its time.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }
}
