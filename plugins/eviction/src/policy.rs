//! What an eviction policy is.

use deja_plugin::eviction::Entry;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What policies remember of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its number.
    pub id: u64,
    /// A digest of the question that it answers.
    pub key: u64,
    /// Bytes of memory that it occupies.
    pub bytes: u64,
    /// Inference time that a hit saves, in milliseconds.
    pub cost_ms: u32,
}

impl From<&Entry> for Item {
    fn from(entry: &Entry) -> Self {
        Self {
            id: entry.id,
            key: entry.key,
            bytes: entry.bytes,
            cost_ms: entry.cost_ms,
        }
    }
}

/// An eviction policy as the papers describe them. It knows the items that were inserted and have
/// neither been removed nor evicted; ids of others it ignores.
pub trait Policy {
    /// Name and version of what `save` gives: other policies and other versions refuse it.
    const FORMAT: &'static str;

    /// Whether room is made before a new item is inserted, so that it cannot be chosen itself.
    const ROOM_FIRST: bool = true;

    /// What `save` gives.
    type State: Serialize + DeserializeOwned;

    /// An item comes in.
    fn insert(&mut self, item: Item);

    /// An item is used.
    fn hit(&mut self, id: u64);

    /// An item leaves that this policy has not chosen.
    fn remove(&mut self, id: u64);

    /// Chooses an item and lets it go. `None` if there is none.
    fn evict(&mut self) -> Option<Item>;

    /// All that further choices depend on.
    fn save(&self) -> Self::State;

    /// Takes a saved state over, in place of its own.
    fn restore(&mut self, state: Self::State);
}
