//! The host's side of the contract without answers: what a policy is tested and measured with.

use std::collections::HashMap;

use deja_plugin::eviction::Capacity;
use rustc_hash::FxBuildHasher;

use crate::{Driver, Item, Policy};

/// Hits that are told in one call, as by the host.
const HIT_BATCH: usize = 64;

/// A cache that holds no answers, and knows what it would hold.
#[derive(Debug)]
pub struct Simulation<P> {
    driver: Driver<P>,
    capacity: Capacity,
    /// By key.
    held: HashMap<u64, Item, FxBuildHasher>,
    /// Keys by id.
    keys: HashMap<u64, u64, FxBuildHasher>,
    bytes: u64,
    next_id: u64,
    /// What the policy has not been told of yet.
    hits: Vec<u64>,
}

impl<P: Policy> Simulation<P> {
    /// An empty cache.
    pub fn new(policy: P, capacity: Capacity) -> Self {
        Self {
            driver: Driver::new(policy),
            capacity,
            held: HashMap::default(),
            keys: HashMap::default(),
            bytes: 0,
            next_id: 0,
            hits: Vec::with_capacity(HIT_BATCH),
        }
    }

    /// Looks a key up, and stores it if it is not held. Returns whether it was.
    pub fn request(&mut self, key: u64, bytes: u64, cost_ms: u32) -> bool {
        if let Some(item) = self.held.get(&key) {
            self.hits.push(item.id);
            if self.hits.len() == HIT_BATCH {
                self.tell_hits();
            }
            return true;
        }
        if bytes <= self.capacity.bytes && self.capacity.entries > 0 {
            self.insert(key, bytes, cost_ms);
        }
        false
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: u64) {
        self.tell_hits();
        if let Some(item) = self.held.remove(&key) {
            self.forget(item);
        }
    }

    /// The items held, in no order.
    pub fn held(&self) -> impl Iterator<Item = &Item> {
        self.held.values()
    }

    /// Another policy of the same kind takes over.
    pub fn hand_over(&mut self, policy: P) -> bool {
        self.tell_hits();
        let state = self.driver.save();
        self.driver = Driver::new(policy);
        self.driver.restore(&state)
    }

    fn insert(&mut self, key: u64, bytes: u64, cost_ms: u32) {
        self.tell_hits();
        let id = self.next_id;
        let item = Item {
            id,
            key,
            bytes,
            cost_ms,
        };
        self.next_id += 1;
        self.bytes += bytes;
        self.held.insert(key, item);
        self.keys.insert(id, key);
        self.driver.insert(item);
        self.make_room();
    }

    fn make_room(&mut self) {
        let bytes = self.bytes.saturating_sub(self.capacity.bytes);
        let entries = (self.held.len() as u64).saturating_sub(self.capacity.entries);
        if bytes == 0 && entries == 0 {
            return;
        }
        for id in self.driver.victims(bytes, entries) {
            let key = self.keys.get(&id);
            if let Some(item) = key.and_then(|key| self.held.remove(key)) {
                self.forget(item);
            }
        }
    }

    fn forget(&mut self, item: Item) {
        self.bytes -= item.bytes;
        self.keys.remove(&item.id);
        self.driver.remove(item.id);
    }

    fn tell_hits(&mut self) {
        self.driver.hit(&self.hits);
        self.hits.clear();
    }
}
