//! What came in first leaves first.

use deja_eviction::{Account, Capacity, Fifo, Open};
use deja_plugin::eviction::Eviction;

/// The eviction policy.
pub struct Plugin;

impl Open for Plugin {
    type Policy = Fifo;

    fn open(_capacity: Capacity) -> Fifo {
        Fifo::default()
    }
}

impl Eviction for Plugin {
    type Policy = Account<Self>;
}

deja_plugin::export_eviction!(Plugin);
