//! What a replay found, as it is written.

use std::collections::BTreeMap;

use deja_cache::Capacity;
use serde::{Deserialize, Serialize};

use super::{
    agreement::Agreements,
    measure::{Counts, Window},
    merges::MergeHits,
    source::TraceFacts,
};

/// The version of the written form.
pub const FORMAT: u32 = 1;

/// What a replay found, with all that it takes to run it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The version of this form.
    pub format: u32,
    /// The version of Deja.
    pub deja: String,
    /// What was replayed.
    pub trace: TraceFacts,
    /// What was the same in all runs.
    pub settings: Settings,
    /// The identities of keyers and eviction policies, by name: the component's own name and
    /// version, its BLAKE3, and its settings.
    pub policies: BTreeMap<String, String>,
    /// How often the model answers the very same request differently; none where the trace holds no
    /// requests.
    pub noise: Option<Agreements>,
    /// The runs: by keyer, policy, and capacity, in the order of the command line.
    pub cells: Vec<Cell>,
}

/// What is the same in all runs of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Milliseconds that an answer stays good; for ever if not set.
    pub ttl_ms: Option<u64>,
    /// Requests at the beginning that are not counted.
    pub warmup_requests: u64,
    /// What chance begins with.
    pub seed: u64,
}

/// One run: a keyer, an eviction policy, and a capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The keyer; none where the trace holds keys.
    pub keyer: Option<String>,
    /// The eviction policy.
    pub eviction: String,
    /// Whether that is a bound and no policy.
    pub bound: bool,
    /// The most entries, if they are limited.
    pub entries: Option<u64>,
    /// The most bytes, if they are limited.
    pub bytes_limit: Option<u64>,
    /// The share of requests that are hits.
    pub hit_rate: f64,
    /// The share of bytes that are of hits.
    pub byte_hit_rate: f64,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// Hits that may be false; none where the trace holds keys.
    pub merges: Option<MergeHits>,
    /// The hits over time.
    pub windows: Vec<Window>,
    /// How fast it ran, beside all others that ran.
    pub requests_per_second: f64,
}

impl Cell {
    /// What may be held.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        Capacity {
            entries: self.entries.unwrap_or(u64::MAX),
            bytes: self.bytes_limit.unwrap_or(u64::MAX),
        }
    }
}

/// A limit, where it is one.
pub(super) fn limit(most: u64) -> Option<u64> {
    (most != u64::MAX).then_some(most)
}
