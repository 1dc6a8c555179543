//! W-TinyLFU: Einziger, Friedman and Manes, "`TinyLFU`: A Highly Efficient Cache Admission Policy",
//! ACM Transactions on Storage, 2017; with the shares of Caffeine.
//!
//! What comes in stands in a *window*, in the order of use. Who leaves it, a candidate, is admitted
//! to the main part if it was asked for more often than the one that would have to leave there. The
//! main part is a segmented LRU: *probation*, and *protected* for what was used there.
//!
//! A queue's share is one of the cache's entries and bytes alike; it is over it when it exceeds
//! either. An entry larger than the window is a candidate at once.

use deja_plugin::eviction::Capacity;
use serde::{Deserialize, Serialize};

use crate::queues::{Queues, Slot};
use crate::quota::Quota;
use crate::sketch::Sketch;
use crate::{Item, Policy};

const WINDOW: usize = 0;
const PROBATION: usize = 1;
const PROTECTED: usize = 2;

/// What was asked for least often, of late, leaves first.
#[derive(Debug)]
pub struct WTinyLfu {
    queues: Queues<(), 3>,
    sketch: Sketch,
    window: Quota,
    protected: Quota,
}

/// How the cache is divided; shares are between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// The window's, of the whole.
    pub window: f64,
    /// The protected segment's, of what the window leaves.
    pub protected: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            window: 0.01,
            protected: 0.8,
        }
    }
}

/// What W-TinyLFU saves.
#[derive(Serialize, Deserialize)]
pub struct State {
    queues: [Vec<(Item, ())>; 3],
    sketch: (Vec<u64>, u64),
}

impl WTinyLfu {
    /// A policy for an empty cache that is divided so.
    #[must_use]
    pub fn new(capacity: Capacity, shares: Shares) -> Self {
        let (mut window, main) = Quota::whole(capacity).split(shares.window);
        window.entries = window.entries.max(1);
        let (protected, _probation) = main.split(shares.protected);
        Self {
            queues: Queues::default(),
            sketch: Sketch::new(capacity.entries),
            window,
            protected,
        }
    }

    /// Who has to leave the window, if anybody.
    fn candidate(&self) -> Option<Slot> {
        let is_over = self.window.is_exceeded_by(self.queues.load(WINDOW));
        self.queues.oldest(WINDOW).filter(|_| is_over)
    }

    /// Who has to leave the main part for a candidate.
    fn victim(&self) -> Option<Slot> {
        let probation = self.queues.oldest(PROBATION);
        probation.or_else(|| self.queues.oldest(PROTECTED))
    }

    fn count(&self, slot: Slot) -> u64 {
        self.sketch.count(self.queues.item(slot).key)
    }

    /// Protects an item, and no longer those for which no room is left.
    fn protect(&mut self, slot: Slot) {
        self.queues.refile(slot, PROTECTED);
        while self.protected.is_exceeded_by(self.queues.load(PROTECTED))
            && let Some(oldest) = self.queues.oldest(PROTECTED)
        {
            self.queues.refile(oldest, PROBATION);
        }
    }
}

impl Policy for WTinyLfu {
    const FORMAT: &'static str = "w-tinylfu 1";

    /// The newcomer is in the window when somebody has to leave it.
    const ROOM_FIRST: bool = false;

    type State = State;

    fn insert(&mut self, item: Item) {
        // Nobody had to leave for them.
        while let Some(candidate) = self.candidate() {
            self.queues.refile(candidate, PROBATION);
        }
        self.sketch.add(item.key);
        self.queues.push(WINDOW, item, ());
    }

    fn hit(&mut self, id: u64) {
        let Some(slot) = self.queues.find(id) else {
            return;
        };
        self.sketch.add(self.queues.item(slot).key);
        match self.queues.queue(slot) {
            WINDOW => self.queues.refile(slot, WINDOW),
            _ => self.protect(slot),
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(slot) = self.queues.find(id) {
            self.queues.remove(slot);
        }
    }

    fn evict(&mut self) -> Option<Item> {
        let leaves = match (self.candidate(), self.victim()) {
            (Some(candidate), Some(victim)) if self.count(candidate) > self.count(victim) => {
                self.queues.refile(candidate, PROBATION);
                victim
            }
            (Some(candidate), _) => candidate,
            (None, victim) => victim.or_else(|| self.queues.oldest(WINDOW))?,
        };
        Some(self.queues.remove(leaves))
    }

    fn save(&self) -> State {
        State {
            queues: [WINDOW, PROBATION, PROTECTED].map(|queue| self.queues.save(queue)),
            sketch: self.sketch.save(),
        }
    }

    fn restore(&mut self, state: State) {
        self.queues = Queues::restore(state.queues);
        self.sketch.restore(state.sketch);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Model, Step, agree, capacity, steps, take};

    const SHARES: Shares = Shares {
        window: 0.25,
        protected: 0.5,
    };

    /// Least recently used first. The sketch is tested where it stands.
    struct Naive {
        window: Vec<Item>,
        probation: Vec<Item>,
        protected: Vec<Item>,
        sketch: Sketch,
        capacity: Capacity,
    }

    impl Naive {
        fn new(capacity: Capacity) -> Self {
            Self {
                window: Vec::new(),
                probation: Vec::new(),
                protected: Vec::new(),
                sketch: Sketch::new(capacity.entries),
                capacity,
            }
        }

        fn window_is_over(&self) -> bool {
            let Capacity { entries, bytes } = self.capacity;
            exceeds(&self.window, (entries / 4).max(1), bytes / 4)
        }

        fn protected_is_over(&self) -> bool {
            let Capacity { entries, bytes } = self.capacity;
            let (entries, bytes) = (entries - entries / 4, bytes - bytes / 4);
            exceeds(&self.protected, entries / 2, bytes / 2)
        }
    }

    fn exceeds(items: &[Item], entries: u64, bytes: u64) -> bool {
        let held: u64 = items.iter().map(|item| item.bytes).sum();
        items.len() as u64 > entries || held > bytes
    }

    impl Model for Naive {
        fn insert(&mut self, item: Item) {
            while self.window_is_over() {
                self.probation.push(self.window.remove(0));
            }
            self.sketch.add(item.key);
            self.window.push(item);
        }

        fn hit(&mut self, id: u64) {
            if let Some(item) = take(&mut self.window, |item| item.id == id) {
                self.sketch.add(item.key);
                self.window.push(item);
                return;
            }
            let used = take(&mut self.probation, |item| item.id == id)
                .or_else(|| take(&mut self.protected, |item| item.id == id));
            if let Some(item) = used {
                self.sketch.add(item.key);
                self.protected.push(item);
            }
            while self.protected_is_over() {
                self.probation.push(self.protected.remove(0));
            }
        }

        fn remove(&mut self, id: u64) {
            for segment in [&mut self.window, &mut self.probation, &mut self.protected] {
                take(segment, |item| item.id == id);
            }
        }

        fn evict(&mut self) -> Item {
            let window_is_over = self.window_is_over();
            let main = if self.probation.is_empty() {
                &mut self.protected
            } else {
                &mut self.probation
            };
            let Some(victim) = main.first().copied() else {
                return self.window.remove(0);
            };
            if window_is_over {
                let candidate = self.window.remove(0);
                if self.sketch.count(candidate.key) <= self.sketch.count(victim.key) {
                    return candidate;
                }
                main.remove(0);
                self.probation.push(candidate);
            } else {
                main.remove(0);
            }
            victim
        }
    }

    fn policy(capacity: Capacity) -> WTinyLfu {
        WTinyLfu::new(capacity, SHARES)
    }

    proptest! {
        #[test]
        fn decides_as_the_paper_says(capacity in capacity(), steps in steps()) {
            agree(capacity, &steps, policy, Naive::new)?;
        }
    }

    #[test]
    fn what_is_asked_for_once_does_not_replace_what_is_asked_for_often() {
        let capacity = Capacity {
            entries: 4,
            bytes: 4,
        };
        let requests = [1, 1, 2, 2, 3, 3, 4, 5, 6, 7].map(Step::unit);
        let held = agree(capacity, &requests, policy, Naive::new);
        assert_eq!(held.expect("they agree"), [1, 2, 3, 7]);
    }
}
