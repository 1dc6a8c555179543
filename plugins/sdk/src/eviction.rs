//! For plugins that choose what leaves the cache.

use std::cell::RefCell;

use crate::bindings::eviction::exports::deja::policy::eviction as contract;
use crate::settings::Settings;

pub use contract::{Capacity, Cause, Entry, Guest as Eviction, GuestPolicy as Policy};

/// An eviction policy: the account of one cache, in one `impl`. The contract tells what each of
/// these is told, and what it answers.
pub trait EvictionPolicy: Sized + 'static {
    /// What it takes; [`NoSettings`](crate::NoSettings) if nothing.
    type Settings: Settings;

    /// A policy for an empty cache.
    fn new(capacity: Capacity, settings: &Self::Settings) -> Self;

    /// An entry came in.
    fn insert(&mut self, entry: Entry);

    /// An entry was used. It may be gone by now.
    fn hit(&mut self, id: u64);

    /// An entry is gone. It may be unknown.
    fn remove(&mut self, id: u64, cause: Cause);

    /// Entries to evict, first choice first, until this much is free. Each that leaves is told by
    /// [`remove`](Self::remove).
    fn victims(&mut self, bytes: u64, entries: u64) -> Vec<u64>;

    /// The state, for the next version of this plugin. Without one, the host tells that version of
    /// all entries anew.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes a predecessor's state over; false if it is not understood.
    fn restore(&mut self, _state: &[u8]) -> bool {
        false
    }
}

/// Where a policy's plugin keeps its settings.
#[doc(hidden)]
pub trait Configured: EvictionPolicy {
    /// The settings of this instance.
    fn settings() -> &'static Self::Settings;
}

/// A policy in the form that the contract asks for, which knows no exclusive access.
#[doc(hidden)]
pub struct Account<P>(RefCell<P>);

impl<P: Configured> contract::GuestPolicy for Account<P> {
    fn new(capacity: Capacity) -> Self {
        Self(RefCell::new(P::new(capacity, P::settings())))
    }

    fn on_insert(&self, entry: Entry) {
        self.0.borrow_mut().insert(entry);
    }

    fn on_hit(&self, ids: Vec<u64>) {
        let mut policy = self.0.borrow_mut();
        for id in ids {
            policy.hit(id);
        }
    }

    fn on_remove(&self, id: u64, cause: Cause) {
        self.0.borrow_mut().remove(id, cause);
    }

    fn victims(&self, bytes: u64, entries: u64) -> Vec<u64> {
        self.0.borrow_mut().victims(bytes, entries)
    }

    fn save(&self) -> Vec<u8> {
        self.0.borrow().save()
    }

    fn restore(&self, state: Vec<u8>) -> bool {
        self.0.borrow_mut().restore(&state)
    }
}
