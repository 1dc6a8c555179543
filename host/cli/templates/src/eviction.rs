//! What came in first leaves first, whether it was used or not.

use std::collections::VecDeque;

use deja_plugin::eviction::{Capacity, Cause, Entry, EvictionPolicy};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the configuration may set.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Whether what came in last leaves first instead.
    last_first: bool,
}

/// The entries in the order in which they came, with their sizes.
struct Queue {
    entries: VecDeque<(u64, u64)>,
    last_first: bool,
}

impl EvictionPolicy for Queue {
    type Settings = Settings;

    fn new(_capacity: Capacity, settings: &Settings) -> Self {
        let entries = VecDeque::new();
        let last_first = settings.last_first;
        Self {
            entries,
            last_first,
        }
    }

    fn insert(&mut self, entry: Entry) {
        let entry = (entry.id, entry.bytes);
        if self.last_first {
            self.entries.push_front(entry);
        } else {
            self.entries.push_back(entry);
        }
    }

    fn hit(&mut self, _id: u64) {}

    fn remove(&mut self, id: u64, _cause: Cause) {
        self.entries.retain(|(held, _)| *held != id);
    }

    fn victims(&mut self, bytes: u64, entries: u64) -> Vec<u64> {
        let (mut freed, mut gone) = (0, 0);
        let needed = self.entries.iter().take_while(|(_, size)| {
            let is_needed = freed < bytes || gone < entries;
            freed += size;
            gone += 1;
            is_needed
        });
        needed.map(|(id, _)| *id).collect()
    }
}

deja_plugin::eviction_policy!(Queue);

#[cfg(test)]
mod tests {
    use deja_plugin::testing::Cache;

    use super::*;

    /// What is left of three questions in a cache for two.
    fn kept(settings: &Settings) -> Vec<u64> {
        let mut cache = Cache::<Queue>::of_entries(2, settings);
        for question in [1, 2, 1, 3] {
            cache.ask(question);
        }
        cache.keys()
    }

    #[test]
    fn what_came_first_leaves_first() {
        assert_eq!(kept(&Settings::default()), [2, 3]);
    }

    #[test]
    fn what_came_last_leaves_first_if_that_is_set() {
        assert_eq!(kept(&Settings { last_first: true }), [1, 2]);
    }
}
