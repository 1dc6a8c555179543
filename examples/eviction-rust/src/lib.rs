//! What has the fewest hits leaves first, and of those the oldest.

use std::collections::{BTreeSet, HashMap};

use deja_plugin::NoSettings;
use deja_plugin::eviction::{Capacity, Cause, Entry, EvictionPolicy};

/// How often each entry was used.
#[derive(Default)]
struct LeastFrequentlyUsed {
    hits: HashMap<u64, u64>,
    /// Hits and number of each entry: first who leaves first. Numbers go up with time.
    order: BTreeSet<(u64, u64)>,
}

impl EvictionPolicy for LeastFrequentlyUsed {
    type Settings = NoSettings;

    fn new(_capacity: Capacity, _settings: &NoSettings) -> Self {
        Self::default()
    }

    fn insert(&mut self, entry: Entry) {
        self.hits.insert(entry.id, 0);
        self.order.insert((0, entry.id));
    }

    fn hit(&mut self, id: u64) {
        if let Some(hits) = self.hits.get_mut(&id) {
            self.order.remove(&(*hits, id));
            *hits += 1;
            self.order.insert((*hits, id));
        }
    }

    fn remove(&mut self, id: u64, _cause: Cause) {
        if let Some(hits) = self.hits.remove(&id) {
            self.order.remove(&(hits, id));
        }
    }

    fn victims(&mut self, _bytes: u64, entries: u64) -> Vec<u64> {
        // Bytes are not counted here. The host takes as many as it needs, and chooses itself where
        // these are too few.
        let wanted = usize::try_from(entries).unwrap_or(usize::MAX).max(16);
        self.order.iter().take(wanted).map(|&(_, id)| id).collect()
    }
}

deja_plugin::eviction_policy!(LeastFrequentlyUsed);

#[cfg(test)]
mod tests {
    use deja_plugin::testing::Cache;

    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut cache = Cache::<LeastFrequentlyUsed>::of_entries(2, &NoSettings);
        for question in [1, 1, 2, 3] {
            cache.ask(question);
        }
        assert_eq!(cache.keys(), [1, 3]);
    }

    #[test]
    fn of_those_used_alike_the_oldest_leaves() {
        let mut cache = Cache::<LeastFrequentlyUsed>::of_entries(2, &NoSettings);
        for question in [1, 2, 3] {
            cache.ask(question);
        }
        assert_eq!(cache.keys(), [2, 3]);
    }
}
