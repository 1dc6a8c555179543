//! A cache without answers, which shows what an eviction policy is worth.

use std::collections::BTreeMap;

use crate::eviction::{Capacity, Cause, Entry, EvictionPolicy};

/// Holds what an eviction policy lets it hold. Unlike the host, it does not choose in the policy's
/// place: one that names too few victims, or such as are not there, fails the test.
pub struct Cache<P> {
    policy: P,
    capacity: Capacity,
    last_id: u64,
    held: BTreeMap<u64, Entry>,
}

impl<P: EvictionPolicy> Cache<P> {
    /// An empty cache for so many entries, of whatever size.
    #[must_use]
    pub fn of_entries(entries: u64, settings: &P::Settings) -> Self {
        let bytes = u64::MAX;
        Self::new(Capacity { entries, bytes }, settings)
    }

    /// An empty cache.
    #[must_use]
    pub fn new(capacity: Capacity, settings: &P::Settings) -> Self {
        Self {
            policy: P::new(capacity, settings),
            capacity,
            last_id: 0,
            held: BTreeMap::new(),
        }
    }

    /// Asks for the answer to a question, and whether it was a hit. After a miss an entry of one
    /// byte is there.
    pub fn ask(&mut self, key: u64) -> bool {
        let is_hit = self.hit(key);
        if !is_hit {
            self.insert(Entry {
                id: 0,
                key,
                bytes: 1,
                cost_ms: 1,
                prompt_tokens: 1,
                output_tokens: 1,
                at_ms: self.last_id,
            });
        }
        is_hit
    }

    /// Uses the entry of a question, if it is there.
    pub fn hit(&mut self, key: u64) -> bool {
        let found = self.held.values().find(|entry| entry.key == key);
        let id = found.map(|entry| entry.id);
        if let Some(id) = id {
            self.policy.hit(id);
        }
        id.is_some()
    }

    /// Takes an entry in, under a number of the cache's own, and lets others go for it.
    pub fn insert(&mut self, mut entry: Entry) {
        self.last_id += 1;
        entry.id = self.last_id;
        self.held.insert(entry.id, entry);
        self.policy.insert(entry);
        self.make_room();
    }

    /// The questions whose answers are held, the oldest entry first.
    pub fn keys(&self) -> Vec<u64> {
        self.held.values().map(|entry| entry.key).collect()
    }

    /// The policy, for what only it knows.
    pub fn policy(&mut self) -> &mut P {
        &mut self.policy
    }

    fn make_room(&mut self) {
        let (bytes, entries) = self.excess();
        if (bytes, entries) == (0, 0) {
            return;
        }
        for id in self.policy.victims(bytes, entries) {
            if self.excess() == (0, 0) {
                return;
            }
            let entry = self.held.remove(&id);
            assert!(entry.is_some(), "victim {id} is not there");
            self.policy.remove(id, Cause::Evicted);
        }
        assert_eq!(self.excess(), (0, 0), "too few victims");
    }

    /// Bytes and entries that are too many.
    fn excess(&self) -> (u64, u64) {
        let bytes: u64 = self.held.values().map(|entry| entry.bytes).sum();
        let entries = self.held.len() as u64;
        (
            bytes.saturating_sub(self.capacity.bytes),
            entries.saturating_sub(self.capacity.entries),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoSettings;

    /// What came in first leaves first.
    struct Fifo(Vec<u64>);

    impl EvictionPolicy for Fifo {
        type Settings = NoSettings;

        fn new(_: Capacity, _: &NoSettings) -> Self {
            Self(Vec::new())
        }

        fn insert(&mut self, entry: Entry) {
            self.0.push(entry.id);
        }

        fn hit(&mut self, _: u64) {}

        fn remove(&mut self, id: u64, _: Cause) {
            self.0.retain(|held| *held != id);
        }

        fn victims(&mut self, _: u64, entries: u64) -> Vec<u64> {
            let entries = usize::try_from(entries).expect("the test is small");
            self.0[..entries].to_vec()
        }
    }

    #[test]
    fn the_policy_chooses_what_leaves() {
        let mut cache = Cache::<Fifo>::of_entries(2, &NoSettings);
        let hits = [1, 2, 1, 3, 1].map(|key| cache.ask(key));
        assert_eq!(hits, [false, false, true, false, false]);
        assert_eq!(cache.keys(), [3, 1]);
        assert_eq!(cache.policy().0, [3, 4]);
    }
}
