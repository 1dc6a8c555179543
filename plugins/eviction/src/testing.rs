//! Plays the same requests to a policy, in the host's order of events, and to a model of it, in the
//! order of the papers.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::{Capacity, Item, Policy, Simulation};

/// A policy by the simplest means.
pub(crate) trait Model {
    fn insert(&mut self, item: Item);
    fn hit(&mut self, id: u64);
    fn remove(&mut self, id: u64);
    fn evict(&mut self) -> Item;
}

/// What happens to a cache.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A key is asked for, and stored if it is not held.
    Request { key: u64, bytes: u64, cost_ms: u32 },
    /// A key is forgotten.
    Remove(u64),
    /// The policy saves its state, and another takes over.
    HandOver,
}

impl Step {
    /// A request for an entry of one byte.
    pub(crate) fn unit(key: u64) -> Self {
        Self::Request {
            key,
            bytes: 1,
            cost_ms: 1,
        }
    }
}

/// A cache in which either limit may be what binds.
pub(crate) fn capacity() -> impl Strategy<Value = Capacity> {
    (1..15_u64, 1..100_u64).prop_map(|(entries, bytes)| Capacity { entries, bytes })
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let request = |key, bytes, cost_ms| Step::Request {
        key,
        bytes,
        cost_ms,
    };
    let step = prop_oneof![
        20 => (0..30_u64, 0..20_u64, 0..5_u32)
            .prop_map(move |(key, bytes, cost_ms)| request(key, bytes, cost_ms)),
        2 => (0..30_u64).prop_map(Step::Remove),
        1 => Just(Step::HandOver),
    ];
    prop::collection::vec(step, 0..300)
}

/// Takes out the element that fits, if any.
pub(crate) fn take<T>(list: &mut Vec<T>, fits: impl Fn(&T) -> bool) -> Option<T> {
    let place = list.iter().position(fits)?;
    Some(list.remove(place))
}

/// Checks that both hold the same after each step, and names the keys that they hold in the end.
pub(crate) fn agree<P: Policy, M: Model>(
    capacity: Capacity,
    steps: &[Step],
    policy: fn(Capacity) -> P,
    model: fn(Capacity) -> M,
) -> Result<Vec<u64>, TestCaseError> {
    let mut simulation = Simulation::new(policy(capacity), capacity);
    let mut papers = Papers {
        model: model(capacity),
        room_first: P::ROOM_FIRST,
        capacity,
        held: Vec::new(),
        next_id: 0,
    };
    for step in steps {
        match *step {
            Step::Request {
                key,
                bytes,
                cost_ms,
            } => {
                let hit = simulation.request(key, bytes, cost_ms);
                prop_assert_eq!(hit, papers.request(key, bytes, cost_ms));
            }
            Step::Remove(key) => {
                simulation.remove(key);
                papers.remove(key);
            }
            Step::HandOver => prop_assert!(simulation.hand_over(policy(capacity))),
        }
        let mut held: Vec<_> = simulation.held().copied().collect();
        held.sort_unstable_by_key(|item| item.id);
        prop_assert_eq!(&held, &papers.held);
    }
    let mut keys: Vec<_> = papers.held.iter().map(|item| item.key).collect();
    keys.sort_unstable();
    Ok(keys)
}

/// A cache as the papers have it.
struct Papers<M> {
    model: M,
    room_first: bool,
    capacity: Capacity,
    /// In the order of insertion.
    held: Vec<Item>,
    next_id: u64,
}

impl<M: Model> Papers<M> {
    fn request(&mut self, key: u64, bytes: u64, cost_ms: u32) -> bool {
        if let Some(item) = self.held.iter().find(|item| item.key == key) {
            self.model.hit(item.id);
            return true;
        }
        if bytes <= self.capacity.bytes {
            let id = self.next_id;
            self.next_id += 1;
            self.insert(Item {
                id,
                key,
                bytes,
                cost_ms,
            });
        }
        false
    }

    fn insert(&mut self, item: Item) {
        self.held.push(item);
        if !self.room_first {
            self.model.insert(item);
        }
        while self.is_over() {
            let victim = self.model.evict();
            self.held.retain(|item| item.id != victim.id);
        }
        if self.room_first {
            self.model.insert(item);
        }
    }

    fn remove(&mut self, key: u64) {
        if let Some(item) = take(&mut self.held, |item| item.key == key) {
            self.model.remove(item.id);
        }
    }

    fn is_over(&self) -> bool {
        let bytes: u64 = self.held.iter().map(|item| item.bytes).sum();
        self.held.len() as u64 > self.capacity.entries || bytes > self.capacity.bytes
    }
}
