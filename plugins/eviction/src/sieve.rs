//! SIEVE: Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024.
//!
//! One queue in the order of insertion. A hit leaves a mark. A hand goes from the oldest to the
//! newest and round again, wipes the marks off and takes the first item without one. Sizes do not
//! matter to it.

use serde::{Deserialize, Serialize};

use crate::queues::{Queues, Slot};
use crate::{Item, Policy};

/// What was not used since the hand last passed leaves first.
#[derive(Debug, Default)]
pub struct Sieve {
    /// All items, and whether each was used since the hand passed.
    queue: Queues<bool, 1>,
    /// Where the search begins; with the oldest, if nowhere.
    hand: Option<Slot>,
}

/// What SIEVE saves.
#[derive(Serialize, Deserialize)]
pub struct State {
    queue: Vec<(Item, bool)>,
    /// The id of the item at the hand.
    hand: Option<u64>,
}

impl Sieve {
    fn take(&mut self, slot: Slot) -> Item {
        if self.hand == Some(slot) {
            self.hand = self.queue.newer(slot);
        }
        self.queue.remove(slot)
    }
}

impl Policy for Sieve {
    const FORMAT: &'static str = "sieve 1";

    type State = State;

    fn insert(&mut self, item: Item) {
        self.queue.push(0, item, false);
    }

    fn hit(&mut self, id: u64) {
        if let Some(slot) = self.queue.find(id) {
            *self.queue.mark(slot) = true;
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(slot) = self.queue.find(id) {
            self.take(slot);
        }
    }

    fn evict(&mut self) -> Option<Item> {
        loop {
            let slot = self.hand.or_else(|| self.queue.oldest(0))?;
            self.hand = Some(slot);
            if !std::mem::take(self.queue.mark(slot)) {
                return Some(self.take(slot));
            }
            self.hand = self.queue.newer(slot);
        }
    }

    fn save(&self) -> State {
        State {
            queue: self.queue.save(0),
            hand: self.hand.map(|slot| self.queue.item(slot).id),
        }
    }

    fn restore(&mut self, state: State) {
        self.queue = Queues::restore([state.queue]);
        self.hand = state.hand.and_then(|id| self.queue.find(id));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Capacity;
    use crate::testing::{Model, Step, agree, capacity, steps};

    /// Oldest first, each with whether it was used.
    #[derive(Default)]
    struct Naive {
        queue: Vec<(Item, bool)>,
        /// A place in the queue, or its end: then the hand goes to the oldest next.
        hand: Option<usize>,
    }

    impl Naive {
        fn take(&mut self, place: usize) -> Item {
            let (item, _) = self.queue.remove(place);
            self.hand = match self.hand {
                Some(hand) if hand > place => Some(hand - 1),
                hand => hand.filter(|&hand| hand < self.queue.len()),
            };
            item
        }
    }

    impl Model for Naive {
        fn insert(&mut self, item: Item) {
            self.queue.push((item, false));
        }

        fn hit(&mut self, id: u64) {
            for (item, used) in &mut self.queue {
                *used |= item.id == id;
            }
        }

        fn remove(&mut self, id: u64) {
            if let Some(place) = self.queue.iter().position(|(item, _)| item.id == id) {
                self.take(place);
            }
        }

        fn evict(&mut self) -> Item {
            let mut hand = self.hand.unwrap_or(0);
            while self.queue[hand].1 {
                self.queue[hand].1 = false;
                hand = (hand + 1) % self.queue.len();
            }
            self.hand = Some(hand);
            self.take(hand)
        }
    }

    proptest! {
        #[test]
        fn decides_as_the_paper_says(capacity in capacity(), steps in steps()) {
            agree(capacity, &steps, |_| Sieve::default(), |_| Naive::default())?;
        }
    }

    #[test]
    fn the_hand_stays_where_it_was() {
        let capacity = Capacity {
            entries: 3,
            bytes: 3,
        };
        // For 4 the hand passes 1, wipes its mark off and takes 2; for 5 it goes on, with 3.
        let requests = [1, 2, 3, 1, 4, 5].map(Step::unit);
        let held = agree(
            capacity,
            &requests,
            |_| Sieve::default(),
            |_| Naive::default(),
        );
        assert_eq!(held.expect("they agree"), [1, 4, 5]);
    }
}
