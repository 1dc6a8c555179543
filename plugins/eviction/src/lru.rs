//! Least recently used.

use crate::queues::Queues;
use crate::{Item, Policy};

/// What was not used for the longest time leaves first.
#[derive(Debug, Default)]
pub struct Lru(Queues<(), 1>);

impl Policy for Lru {
    const FORMAT: &'static str = "lru 2";

    type State = Vec<(Item, ())>;

    fn insert(&mut self, item: Item) {
        self.0.push(0, item, ());
    }

    fn hit(&mut self, id: u64) {
        if let Some(slot) = self.0.find(id) {
            self.0.refile(slot, 0);
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(slot) = self.0.find(id) {
            self.0.remove(slot);
        }
    }

    fn evict(&mut self) -> Option<Item> {
        self.0.oldest(0).map(|slot| self.0.remove(slot))
    }

    fn save(&self) -> Self::State {
        self.0.save(0)
    }

    fn restore(&mut self, state: Self::State) {
        self.0 = Queues::restore([state]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Model, agree, capacity, steps, take};

    /// Least recently used first.
    struct Naive(Vec<Item>);

    impl Model for Naive {
        fn insert(&mut self, item: Item) {
            self.0.push(item);
        }

        fn hit(&mut self, id: u64) {
            let used = take(&mut self.0, |item| item.id == id);
            self.0.extend(used);
        }

        fn remove(&mut self, id: u64) {
            take(&mut self.0, |item| item.id == id);
        }

        fn evict(&mut self) -> Item {
            self.0.remove(0)
        }
    }

    proptest! {
        #[test]
        fn decides_as_a_list_does(capacity in capacity(), steps in steps()) {
            agree(capacity, &steps, |_| Lru::default(), |_| Naive(Vec::new()))?;
        }
    }
}
