//! A stored answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use deja_wire::{Answer, Endpoint};

use crate::{EntryFacts, EntryId, Key, Question, Tenant, fetches::FetchOrder};

/// What holding an entry costs beside its own bytes: its places in the store, in the host's order
/// and in an eviction policy, and the allocator's share. Measured with 100,000 small entries.
const OVERHEAD_BYTES: usize = 400;

/// A whole, successful answer and what the cache knows of it.
#[derive(Debug)]
pub struct Entry {
    /// Where it is held.
    pub key: Key,
    /// What eviction policies know of it.
    pub facts: EntryFacts,
    /// The answer as the model gave it.
    pub answer: Arc<Answer>,
    /// What it answers.
    pub question: Question,
    /// Names to purge by.
    pub tags: Vec<String>,
    /// The tenant that it belongs to, where callers are kept apart.
    pub tenant: Option<Tenant>,
    /// When its answer was asked for.
    pub(crate) order: FetchOrder,
    hits: AtomicU32,
    stored_at: Instant,
    ttl: Option<Duration>,
}

/// What an entry is made of.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Where it is to be held.
    pub key: Key,
    /// The answer.
    pub answer: Arc<Answer>,
    /// What it answers.
    pub question: Question,
    /// How long it took to make.
    pub cost: Duration,
    /// How long it stays good; for ever if not set.
    pub ttl: Option<Duration>,
    /// Names to purge by.
    pub tags: Vec<String>,
    /// The tenant that it belongs to, where callers are kept apart.
    pub tenant: Option<Tenant>,
}

impl Entry {
    /// An entry stored now.
    #[must_use]
    pub fn new(new: NewEntry) -> Self {
        let tag_bytes: usize = new
            .tags
            .iter()
            .map(|tag| tag.capacity() + size_of::<String>())
            .sum();
        let bytes = size_of::<Self>()
            + OVERHEAD_BYTES
            + new.answer.bytes()
            + new.question.heap_bytes()
            + tag_bytes;
        let usage = new.answer.usage();
        let facts = EntryFacts {
            id: EntryId::next(),
            key: new.key.digest(),
            bytes: bytes as u64,
            cost_ms: u32::try_from(new.cost.as_millis()).unwrap_or(u32::MAX),
            prompt_tokens: usage.prompt_tokens,
            output_tokens: usage.completion_tokens,
            at_ms: crate::now_ms(),
        };
        Self {
            key: new.key,
            facts,
            answer: new.answer,
            question: new.question,
            tags: new.tags,
            tenant: new.tenant,
            order: FetchOrder::default(),
            hits: AtomicU32::new(0),
            stored_at: Instant::now(),
            ttl: new.ttl,
        }
    }

    /// The endpoint in whose wire format the answer is.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.question.endpoint
    }

    /// How long ago it was stored.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.stored_at.elapsed()
    }

    /// How long it stays good, if not for ever.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.ttl.map(|ttl| ttl.saturating_sub(self.age()))
    }

    /// Whether it has outlived its time.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }

    /// How often it answered.
    #[must_use]
    pub fn hits(&self) -> u32 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(crate) fn note_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }
}
