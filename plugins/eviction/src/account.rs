//! Makes a plugin of a policy.

use std::cell::RefCell;

use deja_plugin::eviction::{self, Capacity, Cause, Entry};

use crate::{Driver, Item, Policy};

/// What a plugin adds to a policy: how it is made, of which settings.
pub trait Open: 'static {
    /// The policy.
    type Policy: Policy;

    /// A policy for an empty cache.
    fn open(capacity: Capacity) -> Self::Policy;
}

/// A policy's account of one cache, as the contract wants it.
pub struct Account<O: Open>(RefCell<Driver<O::Policy>>);

impl<O: Open> eviction::Policy for Account<O> {
    fn new(capacity: Capacity) -> Self {
        Self(RefCell::new(Driver::new(O::open(capacity))))
    }

    fn on_insert(&self, entry: Entry) {
        self.0.borrow_mut().insert(Item::from(&entry));
    }

    fn on_hit(&self, ids: Vec<u64>) {
        self.0.borrow_mut().hit(&ids);
    }

    fn on_remove(&self, id: u64, _cause: Cause) {
        self.0.borrow_mut().remove(id);
    }

    fn victims(&self, bytes: u64, entries: u64) -> Vec<u64> {
        self.0.borrow_mut().victims(bytes, entries)
    }

    fn save(&self) -> Vec<u8> {
        self.0.borrow_mut().save()
    }

    fn restore(&self, state: Vec<u8>) -> bool {
        self.0.borrow_mut().restore(&state)
    }
}
