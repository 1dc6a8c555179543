//! Entries by the time of their last use. Every step takes constant time.

use lru::LruCache;

/// The first byte of a saved state: the version of what follows, which is the id and the size of
/// each entry, least recently used first, as little-endian numbers of eight bytes.
const STATE_VERSION: u8 = 1;

/// Bytes of a saved entry.
const SAVED_ENTRY: usize = 16;

/// The order in which entries were used, and their sizes.
pub(crate) struct Recency {
    /// Sizes by id.
    entries: LruCache<u64, u64>,
}

impl Default for Recency {
    fn default() -> Self {
        Self {
            entries: LruCache::unbounded(),
        }
    }
}

impl Recency {
    /// Adds an entry as the last used.
    pub(crate) fn insert(&mut self, id: u64, bytes: u64) {
        self.entries.put(id, bytes);
    }

    /// Makes an entry the last used.
    pub(crate) fn touch(&mut self, id: u64) {
        self.entries.promote(&id);
    }

    /// Forgets an entry.
    pub(crate) fn remove(&mut self, id: u64) {
        self.entries.pop(&id);
    }

    /// The least recently used entries that together have this many bytes and are this many.
    pub(crate) fn victims(&self, bytes: u64, entries: u64) -> Vec<u64> {
        let mut victims = Vec::new();
        let mut freed = 0_u64;
        for (&id, &size) in self.entries.iter().rev() {
            if freed >= bytes && victims.len() as u64 >= entries {
                break;
            }
            victims.push(id);
            freed = freed.saturating_add(size);
        }
        victims
    }

    /// The order, to be restored.
    pub(crate) fn save(&self) -> Vec<u8> {
        let mut state = Vec::with_capacity(1 + self.entries.len() * SAVED_ENTRY);
        state.push(STATE_VERSION);
        for (id, bytes) in self.entries.iter().rev() {
            state.extend(id.to_le_bytes());
            state.extend(bytes.to_le_bytes());
        }
        state
    }

    /// A saved order, if this is one.
    pub(crate) fn restore(state: &[u8]) -> Option<Self> {
        let (&STATE_VERSION, saved) = state.split_first()? else {
            return None;
        };
        let (entries, []) = saved.as_chunks::<SAVED_ENTRY>() else {
            return None;
        };
        let mut recency = Self::default();
        for entry in entries {
            let (id, bytes) = entry.split_at(SAVED_ENTRY / 2);
            recency.insert(number(id)?, number(bytes)?);
        }
        Some(recency)
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by the simplest means: ids and sizes, least recently used first.
    #[derive(Default)]
    struct Model(Vec<(u64, u64)>);

    impl Model {
        fn remove(&mut self, id: u64) -> Option<u64> {
            let at = self.0.iter().position(|&(held, _)| held == id)?;
            Some(self.0.remove(at).1)
        }

        fn insert(&mut self, id: u64, bytes: u64) {
            self.remove(id);
            self.0.push((id, bytes));
        }

        fn touch(&mut self, id: u64) {
            if let Some(bytes) = self.remove(id) {
                self.0.push((id, bytes));
            }
        }

        fn victims(&self, bytes: u64, entries: u64) -> Vec<u64> {
            let enough = |count: usize| {
                let freed: u64 = self.0[..count].iter().map(|&(_, size)| size).sum();
                freed >= bytes && count as u64 >= entries
            };
            let count = (0..=self.0.len()).find(|&count| enough(count));
            self.0[..count.unwrap_or(self.0.len())]
                .iter()
                .map(|&(id, _)| id)
                .collect()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, u64),
        Touch(u64),
        Remove(u64),
        Victims(u64, u64),
        Hand,
    }

    fn step() -> impl Strategy<Value = Step> {
        let id = 0..20_u64;
        prop_oneof![
            3 => (id.clone(), 0..100_u64).prop_map(|(id, bytes)| Step::Insert(id, bytes)),
            3 => id.clone().prop_map(Step::Touch),
            1 => id.prop_map(Step::Remove),
            2 => (0..500_u64, 0..10_u64).prop_map(|(bytes, entries)| Step::Victims(bytes, entries)),
            1 => Just(Step::Hand),
        ]
    }

    proptest! {
        #[test]
        fn decides_as_the_model_does(steps in prop::collection::vec(step(), 0..200)) {
            let (mut recency, mut model) = (Recency::default(), Model::default());
            for step in steps {
                match step {
                    Step::Insert(id, bytes) => {
                        recency.insert(id, bytes);
                        model.insert(id, bytes);
                    }
                    Step::Touch(id) => {
                        recency.touch(id);
                        model.touch(id);
                    }
                    Step::Remove(id) => {
                        recency.remove(id);
                        model.remove(id);
                    }
                    Step::Victims(bytes, entries) => prop_assert_eq!(
                        recency.victims(bytes, entries),
                        model.victims(bytes, entries)
                    ),
                    Step::Hand => recency = Recency::restore(&recency.save()).expect("is saved"),
                }
            }
            prop_assert_eq!(recency.victims(u64::MAX, 0), model.victims(u64::MAX, 0));
        }
    }

    #[test]
    fn a_state_of_another_kind_is_refused() {
        for state in [&[][..], &[2], &[STATE_VERSION, 0], b"{}"] {
            assert!(Recency::restore(state).is_none(), "{state:?}");
        }
    }
}
