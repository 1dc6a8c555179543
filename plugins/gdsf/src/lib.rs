//! What saves the least inference for its size leaves first.

use deja_eviction::{Account, Capacity, Gdsf, Open};
use deja_plugin::eviction::Eviction;

/// The eviction policy.
pub struct Plugin;

impl Open for Plugin {
    type Policy = Gdsf;

    fn open(_capacity: Capacity) -> Gdsf {
        Gdsf::default()
    }
}

impl Eviction for Plugin {
    type Policy = Account<Self>;
}

deja_plugin::export_eviction!(Plugin);
