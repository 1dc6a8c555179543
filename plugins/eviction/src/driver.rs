//! Between the contract's order of events and that of the papers.
//!
//! The papers make room and then insert; the host tells of a new entry and then asks for victims.
//! So a new item waits until room has been made for it. And what a policy chose it has forgotten,
//! while the host may yet hold on to it: until it says that a victim left, the victim is kept here.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{Item, Policy};

/// A policy, and what it does not know yet or not any more.
#[derive(Debug)]
pub struct Driver<P> {
    policy: P,
    /// It waits until room is made for it.
    newcomer: Option<Item>,
    /// Named as victims, in this order; the host has not said yet that they left.
    named: VecDeque<Item>,
}

#[derive(Serialize, Deserialize)]
struct Saved<'a, S> {
    format: &'a str,
    state: S,
}

impl<P: Policy> Driver<P> {
    /// Drives this policy.
    pub fn new(policy: P) -> Self {
        Self {
            policy,
            newcomer: None,
            named: VecDeque::new(),
        }
    }

    /// An item came in.
    pub fn insert(&mut self, item: Item) {
        self.settle();
        if P::ROOM_FIRST {
            self.newcomer = Some(item);
        } else {
            self.policy.insert(item);
        }
    }

    /// These were used, in this order.
    pub fn hit(&mut self, ids: &[u64]) {
        self.settle();
        for &id in ids {
            self.policy.hit(id);
        }
    }

    /// An item is gone.
    pub fn remove(&mut self, id: u64) {
        if let Some(place) = self.named.iter().position(|item| item.id == id) {
            self.named.remove(place);
        } else if self.newcomer.is_some_and(|item| item.id == id) {
            self.newcomer = None;
        } else {
            self.policy.remove(id);
        }
    }

    /// The first choices that together have this many bytes and are this many: those that were named
    /// before, and then those that the policy chooses.
    pub fn victims(&mut self, bytes: u64, entries: u64) -> Vec<u64> {
        let mut victims = Vec::new();
        let mut freed = 0_u64;
        while freed < bytes || (victims.len() as u64) < entries {
            let Some(victim) = self.named(victims.len()) else {
                break;
            };
            freed = freed.saturating_add(victim.bytes);
            victims.push(victim.id);
        }
        self.admit();
        victims
    }

    /// The state, to be restored.
    pub fn save(&mut self) -> Vec<u8> {
        self.settle();
        let saved = Saved {
            format: P::FORMAT,
            state: self.policy.save(),
        };
        // Numbers and lists of them can always be written; an empty state would be refused.
        postcard::to_allocvec(&saved).unwrap_or_default()
    }

    /// Takes a saved state over, in place of its own. False: it is none of this policy's.
    pub fn restore(&mut self, state: &[u8]) -> bool {
        match postcard::take_from_bytes::<Saved<'_, P::State>>(state) {
            Ok((saved, [])) if saved.format == P::FORMAT => {
                self.newcomer = None;
                self.named.clear();
                self.policy.restore(saved.state);
                true
            }
            _ => false,
        }
    }

    /// The victim at this place of the list, which may be its end.
    fn named(&mut self, place: usize) -> Option<Item> {
        if place == self.named.len() {
            let victim = self.policy.evict().or_else(|| self.newcomer.take())?;
            self.named.push_back(victim);
        }
        self.named.get(place).copied()
    }

    /// Lets the policy know of all that the host holds. A victim that stayed counts as new.
    fn settle(&mut self) {
        for item in self.named.drain(..) {
            self.policy.insert(item);
        }
        self.admit();
    }

    fn admit(&mut self) {
        if let Some(item) = self.newcomer.take() {
            self.policy.insert(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Capacity, Fifo, Gdsf, Lru, S3Fifo, Shares, Sieve, WTinyLfu};

    fn item(id: u64) -> Item {
        Item {
            id,
            key: id,
            bytes: 10,
            cost_ms: 1,
        }
    }

    fn driver(ids: std::ops::RangeInclusive<u64>) -> Driver<Lru> {
        let mut driver = Driver::new(Lru::default());
        ids.for_each(|id| driver.insert(item(id)));
        driver
    }

    #[test]
    fn victims_are_as_many_and_as_large_as_asked() {
        assert_eq!(driver(1..=5).victims(0, 2), [1, 2]);
        assert_eq!(driver(1..=5).victims(21, 1), [1, 2, 3]);
        assert!(driver(1..=5).victims(0, 0).is_empty());
    }

    #[test]
    fn the_newcomer_is_the_last_choice() {
        assert_eq!(driver(1..=3).victims(u64::MAX, 0), [1, 2, 3]);
        let mut driver = Driver::new(Sieve::default());
        (1..=2).for_each(|id| driver.insert(item(id)));
        driver.hit(&[1, 2]);
        driver.insert(item(3));
        assert_eq!(driver.victims(0, 1), [1]);
    }

    #[test]
    fn a_newcomer_may_leave_before_it_is_let_in() {
        let mut driver = driver(1..=3);
        driver.remove(3);
        assert_eq!(driver.victims(u64::MAX, 0), [1, 2]);
    }

    #[test]
    fn who_asks_again_gets_the_same_answer() {
        let mut driver = driver(1..=4);
        assert_eq!(driver.victims(0, 3), [1, 2, 3]);
        assert_eq!(driver.victims(0, 2), [1, 2]);
        driver.remove(2);
        assert_eq!(driver.victims(u64::MAX, 0), [1, 3, 4]);
    }

    #[test]
    fn a_victim_that_stays_while_another_comes_in_counts_as_new() {
        let mut driver = driver(1..=3);
        assert_eq!(driver.victims(0, 2), [1, 2]);
        driver.remove(2);
        driver.insert(item(4));
        assert_eq!(driver.victims(u64::MAX, 0), [3, 1, 4]);
    }

    #[test]
    fn a_state_of_another_policy_is_refused_and_changes_nothing() {
        let mut lru = driver(1..=2);
        let mut state = Driver::new(Fifo::default()).save();
        assert!(!lru.restore(&state));
        assert_eq!(lru.victims(u64::MAX, 0), [1, 2]);
        assert!(Driver::new(Fifo::default()).restore(&state));
        state.push(0);
        assert!(!Driver::new(Fifo::default()).restore(&state));
    }

    proptest! {
        #[test]
        fn what_is_no_state_is_refused(state in prop::collection::vec(any::<u8>(), 0..100)) {
            let capacity = Capacity { entries: 10, bytes: 100 };
            prop_assert!(!Driver::new(Lru::default()).restore(&state));
            prop_assert!(!Driver::new(Sieve::default()).restore(&state));
            prop_assert!(!Driver::new(Gdsf::default()).restore(&state));
            prop_assert!(!Driver::new(S3Fifo::new(capacity, 0.1)).restore(&state));
            let w_tinylfu = WTinyLfu::new(capacity, Shares::default());
            prop_assert!(!Driver::new(w_tinylfu).restore(&state));
        }
    }
}
