//! First in, first out.

use crate::queues::Queues;
use crate::{Item, Policy};

/// What came in first leaves first.
#[derive(Debug, Default)]
pub struct Fifo(Queues<(), 1>);

impl Policy for Fifo {
    const FORMAT: &'static str = "fifo 1";

    type State = Vec<(Item, ())>;

    fn insert(&mut self, item: Item) {
        self.0.push(0, item, ());
    }

    fn hit(&mut self, _id: u64) {}

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

    /// Oldest first.
    struct Naive(Vec<Item>);

    impl Model for Naive {
        fn insert(&mut self, item: Item) {
            self.0.push(item);
        }

        fn hit(&mut self, _id: u64) {}

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
            agree(capacity, &steps, |_| Fifo::default(), |_| Naive(Vec::new()))?;
        }
    }
}
