//! What was not used for the longest time leaves first.

mod recency;

use std::cell::RefCell;

use deja_plugin::eviction::{Capacity, Cause, Entry, Eviction, Policy};
use recency::Recency;

/// The eviction policy.
pub struct Lru;

impl Eviction for Lru {
    type Policy = Account;
}

/// The policy's account of one cache.
pub struct Account(RefCell<Recency>);

impl Policy for Account {
    fn new(_capacity: Capacity) -> Self {
        Self(RefCell::default())
    }

    fn on_insert(&self, entry: Entry) {
        self.0.borrow_mut().insert(entry.id, entry.bytes);
    }

    fn on_hit(&self, ids: Vec<u64>) {
        let mut recency = self.0.borrow_mut();
        for id in ids {
            recency.touch(id);
        }
    }

    fn on_remove(&self, id: u64, _cause: Cause) {
        self.0.borrow_mut().remove(id);
    }

    fn victims(&self, bytes: u64, entries: u64) -> Vec<u64> {
        self.0.borrow().victims(bytes, entries)
    }

    fn save(&self) -> Vec<u8> {
        self.0.borrow().save()
    }

    fn restore(&self, state: Vec<u8>) -> bool {
        let Some(recency) = Recency::restore(&state) else {
            return false;
        };
        *self.0.borrow_mut() = recency;
        true
    }
}

deja_plugin::export_eviction!(Lru);
