//! What was not used for the longest time leaves first.

use deja_eviction::{Account, Capacity, Lru, Open};
use deja_plugin::eviction::Eviction;

/// The eviction policy.
pub struct Plugin;

impl Open for Plugin {
    type Policy = Lru;

    fn open(_capacity: Capacity) -> Lru {
        Lru::default()
    }
}

impl Eviction for Plugin {
    type Policy = Account<Self>;
}

deja_plugin::export_eviction!(Plugin);
