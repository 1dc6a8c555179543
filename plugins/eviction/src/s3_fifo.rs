//! S3-FIFO: Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023.
//!
//! Three queues: *small*, for what is new; *main*, for what was used while it was small; *ghost*,
//! for the keys of what left without it, as many as main holds. What comes in again while its key
//! is there goes to main.
//!
//! A queue's share is one of the cache's entries and bytes alike; main is over it when it exceeds
//! either.

use deja_plugin::eviction::Capacity;
use serde::{Deserialize, Serialize};

use crate::queues::{Queues, Slot};
use crate::quota::Quota;
use crate::{Item, Policy};

const SMALL: usize = 0;
const MAIN: usize = 1;

/// The most uses that are counted, and the fewest that lead from small to main.
const MOST_USES: u8 = 3;
const ENOUGH_USES: u8 = 2;

/// What is not used twice soon leaves soon; of the rest leaves what was not used for a round.
#[derive(Debug)]
pub struct S3Fifo {
    /// Small and main, and how often each item was used there.
    queues: Queues<u8, 2>,
    ghosts: Ghosts,
    /// Of main.
    quota: Quota,
}

/// What S3-FIFO saves.
#[derive(Serialize, Deserialize)]
pub struct State {
    small: Vec<(Item, u8)>,
    main: Vec<(Item, u8)>,
    ghosts: Vec<(Item, ())>,
}

impl S3Fifo {
    /// A policy for an empty cache, of which this share, between 0 and 1, is for what is new.
    #[must_use]
    pub fn new(capacity: Capacity, small_share: f64) -> Self {
        let (_small, quota) = Quota::whole(capacity).split(small_share);
        Self {
            queues: Queues::default(),
            ghosts: Ghosts::new(quota),
            quota,
        }
    }

    /// Lets main's oldest go, unless it was used: then it goes round again.
    fn evict_main(&mut self, oldest: Slot) -> Option<Item> {
        match self.queues.mark(oldest) {
            0 => return Some(self.queues.remove(oldest)),
            uses => *uses -= 1,
        }
        self.queues.refile(oldest, MAIN);
        None
    }

    /// Lets small's oldest go, unless it was used enough: then it goes to main.
    fn evict_small(&mut self, oldest: Slot) -> Option<Item> {
        if std::mem::take(self.queues.mark(oldest)) >= ENOUGH_USES {
            self.queues.refile(oldest, MAIN);
            return None;
        }
        let item = self.queues.remove(oldest);
        self.ghosts.remember(item);
        Some(item)
    }
}

impl Policy for S3Fifo {
    const FORMAT: &'static str = "s3-fifo 1";

    type State = State;

    fn insert(&mut self, item: Item) {
        let queue = if self.ghosts.recall(item.key) {
            MAIN
        } else {
            SMALL
        };
        self.queues.push(queue, item, 0);
    }

    fn hit(&mut self, id: u64) {
        if let Some(slot) = self.queues.find(id) {
            let uses = self.queues.mark(slot);
            *uses = uses.saturating_add(1).min(MOST_USES);
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(slot) = self.queues.find(id) {
            self.queues.remove(slot);
        }
    }

    fn evict(&mut self) -> Option<Item> {
        loop {
            let main_is_over = self.quota.is_exceeded_by(self.queues.load(MAIN));
            let evicted = match self.queues.oldest(SMALL) {
                Some(oldest) if !main_is_over => self.evict_small(oldest),
                _ => self.evict_main(self.queues.oldest(MAIN)?),
            };
            if evicted.is_some() {
                return evicted;
            }
        }
    }

    fn save(&self) -> State {
        State {
            small: self.queues.save(SMALL),
            main: self.queues.save(MAIN),
            ghosts: self.ghosts.queue.save(0),
        }
    }

    fn restore(&mut self, state: State) {
        self.queues = Queues::restore([state.small, state.main]);
        self.ghosts.queue = Queues::restore([state.ghosts]);
    }
}

/// Keys of what left, and how large it was.
#[derive(Debug)]
struct Ghosts {
    /// Items that go by their key: their id is never used again.
    queue: Queues<(), 1>,
    quota: Quota,
}

impl Ghosts {
    fn new(quota: Quota) -> Self {
        Self {
            queue: Queues::default(),
            quota,
        }
    }

    fn remember(&mut self, item: Item) {
        let ghost = Item {
            id: item.key,
            ..item
        };
        self.queue.push(0, ghost, ());
        while self.quota.is_exceeded_by(self.queue.load(0))
            && let Some(oldest) = self.queue.oldest(0)
        {
            self.queue.remove(oldest);
        }
    }

    /// Whether this key is here; it is not, from now on.
    fn recall(&mut self, key: u64) -> bool {
        let slot = self.queue.find(key);
        slot.map(|slot| self.queue.remove(slot)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Model, Step, agree, capacity, steps, take};

    /// Oldest first, each with how often it was used.
    struct Naive {
        small: Vec<(Item, u32)>,
        main: Vec<(Item, u32)>,
        /// Keys and bytes.
        ghosts: Vec<(u64, u64)>,
        quota: Quota,
    }

    impl Naive {
        fn new(capacity: Capacity) -> Self {
            let quota = Quota {
                entries: capacity.entries - capacity.entries / 4,
                bytes: capacity.bytes - capacity.bytes / 4,
            };
            Self {
                small: Vec::new(),
                main: Vec::new(),
                ghosts: Vec::new(),
                quota,
            }
        }

        fn exceeds(&self, bytes: impl ExactSizeIterator<Item = u64>) -> bool {
            bytes.len() as u64 > self.quota.entries || bytes.sum::<u64>() > self.quota.bytes
        }

        fn remember(&mut self, item: &Item) {
            self.ghosts.push((item.key, item.bytes));
            while self.exceeds(self.ghosts.iter().map(|ghost| ghost.1)) {
                self.ghosts.remove(0);
            }
        }
    }

    impl Model for Naive {
        fn insert(&mut self, item: Item) {
            match self.ghosts.iter().position(|ghost| ghost.0 == item.key) {
                Some(at) => {
                    self.ghosts.remove(at);
                    self.main.push((item, 0));
                }
                None => self.small.push((item, 0)),
            }
        }

        fn hit(&mut self, id: u64) {
            for (item, uses) in self.small.iter_mut().chain(&mut self.main) {
                if item.id == id && *uses < 3 {
                    *uses += 1;
                }
            }
        }

        fn remove(&mut self, id: u64) {
            take(&mut self.small, |(item, _)| item.id == id);
            take(&mut self.main, |(item, _)| item.id == id);
        }

        fn evict(&mut self) -> Item {
            let bytes = self.main.iter().map(|(item, _)| item.bytes);
            if self.exceeds(bytes) || self.small.is_empty() {
                match self.main.remove(0) {
                    (item, 0) => return item,
                    (item, uses) => self.main.push((item, uses - 1)),
                }
            } else {
                match self.small.remove(0) {
                    (item, 0 | 1) => {
                        self.remember(&item);
                        return item;
                    }
                    (item, _) => self.main.push((item, 0)),
                }
            }
            self.evict()
        }
    }

    proptest! {
        #[test]
        fn decides_as_the_paper_says(capacity in capacity(), steps in steps()) {
            agree(capacity, &steps, |capacity| S3Fifo::new(capacity, 0.25), Naive::new)?;
        }
    }

    #[test]
    fn what_comes_in_again_soon_outlives_what_does_not() {
        let capacity = Capacity {
            entries: 4,
            bytes: 4,
        };
        let requests = [1, 2, 3, 4, 5, 1, 6, 7, 8, 9, 1].map(Step::unit);
        let held = agree(
            capacity,
            &requests,
            |capacity| S3Fifo::new(capacity, 0.25),
            Naive::new,
        );
        assert_eq!(held.expect("they agree"), [1, 7, 8, 9]);
    }
}
