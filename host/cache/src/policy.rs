//! The choices that are not the cache's own: what matters in a request, what leaves when memory
//! is full, what is reported. Each is a trait; a failing policy costs a miss, never an answer.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use deja_wire::{Endpoint, Role, Text};
use serde_json::Value;

use crate::{Floor, Headers};

/// Why a policy gave no answer. Whoever asked falls back to a choice of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin}: {message}")]
pub struct PolicyError {
    /// The policy's name.
    pub plugin: String,
    /// What went wrong.
    pub message: String,
    /// What that means for the next call.
    pub failure: PolicyFailure,
}

/// In which way a policy gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyFailure {
    /// Its answer is of no use. It knows what it knew.
    Useless,
    /// The call broke off, and what the policy was told is forgotten: the next call meets an empty
    /// one, which wants its state restored or replayed.
    Broken,
    /// It was not asked: it failed too often and is left alone for a while. What it was to be told
    /// it does not know.
    LeftAlone,
}

impl PolicyFailure {
    /// Whether the policy knows all that it was told.
    #[must_use]
    pub fn is_harmless(self) -> bool {
        self == Self::Useless
    }
}

/// Says what in a request does not matter.
pub trait Keyer: Send + Sync {
    /// The policy's name, for people.
    fn name(&self) -> &str;

    /// What the policy is: name, version, code and configuration. Two keyers with the same identity
    /// decide alike, so their keys may meet.
    fn identity(&self) -> &str;

    /// Returns whether the host checks what its edits leave of a request.
    fn floor(&self) -> Floor {
        Floor::Held
    }

    /// Decides about one request.
    fn decide(&self, request: &KeyRequest) -> Result<Decision, PolicyError>;

    /// Takes note, for its status, that a decision was of no use.
    fn note_useless(&self, _why: &str) {}
}

/// A request as keyers see it. Shared, not borrowed: a keyer reads it from inside a sandbox that
/// takes nothing with a lifetime, and a body is too long to be copied for each.
#[derive(Clone)]
pub struct KeyRequest {
    /// What the client called.
    pub endpoint: Endpoint,
    /// The request's headers, by lower-case name.
    pub headers: Arc<dyn Headers>,
    /// The body, as it stands after the keyers before this one.
    pub body: Arc<Value>,
    /// The body's JSON as it came, if it did and no keyer has changed it.
    pub text: Option<Bytes>,
}

impl KeyRequest {
    /// Returns about the bytes that a keyer has to hold to read all of the body.
    #[must_use]
    pub fn weight(&self) -> usize {
        weight(&self.body)
    }

    /// The texts of one role that a model reads, in order.
    #[must_use]
    pub fn texts(&self, role: Role) -> Vec<Text> {
        self.endpoint
            .texts(&self.body)
            .into_iter()
            .filter(|text| text.role == role)
            .collect()
    }
}

fn weight(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| name.len() + weight(field))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + inside
}

/// What a keyer wants done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Look the answer up, and store a new one.
    Cache(Recipe),
    /// Look the answer up, but do not store a new one.
    Lookup(Recipe),
    /// Leave the cache out, and why.
    Bypass(String),
}

/// How a request becomes a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// What does not matter.
    pub edits: Vec<Edit>,
    /// Entries of different partitions never meet.
    pub partition: Option<String>,
    /// Seconds that the answer stays good, where it is less than the cache's own limit.
    pub ttl_seconds: Option<u32>,
    /// Names to purge by.
    pub tags: Vec<String>,
}

/// A change and the rule that asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The rule's name.
    pub rule: String,
    /// What to change.
    pub change: Change,
}

/// A change to the body, in the key only. Pointers are RFC 6901.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Take the value at this pointer out.
    Remove {
        /// Where it stands.
        pointer: String,
    },
    /// Put another value in its place.
    Replace {
        /// Where it stands.
        pointer: String,
        /// The new value, as JSON.
        json: String,
    },
    /// Replace bytes `start..end` of the string there.
    Rewrite {
        /// Where the string stands.
        pointer: String,
        /// First byte, on a character's boundary.
        start: u32,
        /// Byte after the last, on a character's boundary.
        end: u32,
        /// What stands there instead.
        replacement: String,
    },
}

/// Chooses what leaves the cache.
pub trait Eviction: Send {
    /// The policy's name, for messages.
    fn name(&self) -> &str;

    /// An entry came in.
    fn on_insert(&mut self, entry: &EntryFacts) -> Result<(), PolicyError>;

    /// Entries were used, oldest use first.
    fn on_hit(&mut self, ids: &[EntryId]) -> Result<(), PolicyError>;

    /// An entry is gone.
    fn on_remove(&mut self, id: EntryId, cause: RemovalCause) -> Result<(), PolicyError>;

    /// Entries to evict, first choice first, until this much is free.
    fn victims(&mut self, bytes: u64, entries: u64) -> Result<Vec<EntryId>, PolicyError>;

    /// Takes note, for its status, that its victims were of no use.
    fn note_useless(&mut self, _why: &str) {}

    /// The state, for the policy that takes over.
    fn save(&mut self) -> Result<Vec<u8>, PolicyError>;

    /// Takes a predecessor's state over; `false` if it means nothing to this policy.
    fn restore(&mut self, state: &[u8]) -> Result<bool, PolicyError>;
}

/// An entry's number, unique while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u64);

impl EntryId {
    /// A number that no entry had before.
    #[must_use]
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an eviction policy knows of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryFacts {
    /// Its number.
    pub id: EntryId,
    /// A digest of the question that it answers, the same whenever it comes in again.
    pub key: u64,
    /// Bytes of memory that it occupies.
    pub bytes: u64,
    /// Milliseconds of inference that a hit saves.
    pub cost_ms: u32,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// When it came in, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Why an entry is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalCause {
    /// The eviction policy, or the host in its place, chose it.
    Evicted,
    /// It outlived its time.
    Expired,
    /// Somebody asked for it.
    Purged,
    /// A newer answer to the same question took its place.
    Replaced,
}

/// What the cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The most entries.
    pub entries: u64,
    /// The most bytes, everything held counted.
    pub bytes: u64,
}

/// Turns what happened into what is reported.
pub trait Stats: Send {
    /// The policy's name, for messages.
    fn name(&self) -> &str;

    /// Takes in what happened, oldest first.
    fn fold(&mut self, events: &[Outcome]) -> Result<(), PolicyError>;

    /// The JSON object that stands under `cache` in `/health`.
    fn report(&mut self, gauges: &Gauges) -> Result<Value, PolicyError>;

    /// Numbers for `/metrics`.
    fn samples(&mut self, gauges: &Gauges) -> Result<Vec<Sample>, PolicyError>;

    /// The state, for the policy that takes over.
    fn save(&mut self) -> Result<Vec<u8>, PolicyError>;

    /// Takes a predecessor's state over; `false` if it means nothing to this policy.
    fn restore(&mut self, state: &[u8]) -> Result<bool, PolicyError>;
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When it ended, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// How it was answered.
    pub kind: OutcomeKind,
    /// Microseconds from the request's arrival to the beginning of the answer.
    pub first_us: u64,
    /// Microseconds from the request's arrival to the end of the answer.
    pub latency_us: u64,
    /// Milliseconds of inference that were saved.
    pub saved_ms: u32,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// Bytes of the answer's text.
    pub bytes: u64,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// From the cache.
    Hit,
    /// By the model.
    Miss,
    /// By the model, together with another request.
    Coalesced,
    /// By the model, the cache left out.
    Bypass,
    /// Not at all.
    Error,
}

impl OutcomeKind {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::Bypass => "bypass",
            Self::Error => "error",
        }
    }
}

/// What only the host knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// The time now, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Entries held.
    pub entries: u64,
    /// Bytes held.
    pub bytes: u64,
    /// The most entries.
    pub capacity_entries: u64,
    /// The most bytes.
    pub capacity_bytes: u64,
    /// Entries evicted since the start.
    pub evictions: u64,
}

/// One number for `/metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name, as Prometheus spells it.
    pub name: String,
    /// Names and values of its labels.
    pub labels: Vec<(String, String)>,
    /// The number.
    pub value: f64,
}
