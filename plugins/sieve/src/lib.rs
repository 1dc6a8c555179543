//! What was not used since a hand last passed it leaves first.

use deja_eviction::{Account, Capacity, Open, Sieve};
use deja_plugin::eviction::Eviction;

/// The eviction policy.
pub struct Plugin;

impl Open for Plugin {
    type Policy = Sieve;

    fn open(_capacity: Capacity) -> Sieve {
        Sieve::default()
    }
}

impl Eviction for Plugin {
    type Policy = Account<Self>;
}

deja_plugin::export_eviction!(Plugin);
