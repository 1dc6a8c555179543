//! Belady's policy, which knows the future: it evicts what is used again last.
//!
//! Among entries of one size nothing does better (Belady 1966). With sizes, or with answers that
//! outlive their time, it is a heuristic and no bound: the best choice is NP-hard then.

use std::{collections::BinaryHeap, time::Duration};

use deja_cache::Capacity;

use super::{
    measure::{Model, Outcome, Removals},
    simulator::deadline,
    workload::{Request, Treatment, Workload},
};

/// A use that never comes.
const NEVER: u32 = u32::MAX;

/// A cache that evicts what is used again last.
pub(super) struct Belady<'a> {
    workload: &'a Workload,
    capacity: Capacity,
    ttl: Option<Duration>,
    /// For each request, the number of the next one with its key.
    next: Vec<u32>,
    /// What is held, by key.
    held: Vec<Option<Held>>,
    /// The next uses of what is held, the last first, some of them outdated.
    uses: BinaryHeap<(u32, u32)>,
    entries: u64,
    bytes: u64,
    removals: Removals,
}

#[derive(Clone, Copy)]
struct Held {
    by: u32,
    next: u32,
    deadline: Option<u64>,
}

impl<'a> Belady<'a> {
    pub(super) fn new(workload: &'a Workload, capacity: Capacity, ttl: Option<Duration>) -> Self {
        Self {
            workload,
            capacity,
            ttl,
            next: next_uses(workload),
            held: vec![None; workload.keys.len()],
            uses: BinaryHeap::new(),
            entries: 0,
            bytes: 0,
            removals: Removals::default(),
        }
    }

    fn hold(&mut self, key: u32, held: Held) {
        // An answer that is not good any more when it is wanted is not wanted.
        let next = self.workload.requests.get(held.next as usize);
        let is_late = next.is_some_and(|next| is_past(held.deadline, next));
        let next = if is_late { NEVER } else { held.next };
        self.held[key as usize] = Some(Held { next, ..held });
        self.uses.push((next, key));
    }

    fn store(&mut self, number: u32, request: &Request) {
        if request.bytes > self.capacity.bytes || self.capacity.entries == 0 {
            return;
        }
        while self.bytes + request.bytes > self.capacity.bytes
            || self.entries >= self.capacity.entries
        {
            self.evict();
        }
        self.entries += 1;
        self.bytes += request.bytes;
        let held = Held {
            by: number,
            next: self.next[number as usize],
            deadline: deadline(request, self.ttl),
        };
        self.hold(request.key, held);
    }

    fn evict(&mut self) {
        let (next, key) = self.uses.pop().expect("what is held has a next use");
        let is_current = |held: &Held| held.next == next;
        if self.held[key as usize].as_ref().is_some_and(is_current) {
            self.forget(key);
            self.removals.evictions += 1;
        }
    }

    fn forget(&mut self, key: u32) {
        if let Some(held) = self.held[key as usize].take() {
            self.entries -= 1;
            self.bytes -= self.workload.requests[held.by as usize].bytes;
        }
    }
}

impl Model for Belady<'_> {
    fn request(&mut self, number: u32) -> Outcome {
        let request = self.workload.requests[number as usize];
        if request.treatment == Treatment::Bypass {
            return Outcome::Bypass;
        }
        if let Some(held) = self.held[request.key as usize] {
            if !is_past(held.deadline, &request) {
                let next = self.next[number as usize];
                self.hold(request.key, Held { next, ..held });
                return Outcome::Hit { by: held.by };
            }
            self.forget(request.key);
            self.removals.expired += 1;
        }
        if request.treatment == Treatment::Cache {
            self.store(number, &request);
        }
        Outcome::Miss
    }

    fn removals(&self) -> Removals {
        self.removals
    }
}

fn is_past(deadline: Option<u64>, request: &Request) -> bool {
    deadline.is_some_and(|deadline| deadline <= request.at_ms)
}

fn next_uses(workload: &Workload) -> Vec<u32> {
    let mut coming = vec![NEVER; workload.keys.len()];
    let mut next = vec![NEVER; workload.requests.len()];
    let numbered = (0..).zip(&workload.requests);
    for (number, request) in numbered.collect::<Vec<(u32, _)>>().into_iter().rev() {
        if request.treatment != Treatment::Bypass {
            let key = request.key as usize;
            next[number as usize] = std::mem::replace(&mut coming[key], number);
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Outcome::Miss, *};
    use crate::replay::{
        simulator::{HostOrder, Simulator},
        testing::{entries, hits, workload},
    };

    #[test]
    fn what_is_used_again_last_leaves() {
        let workload = workload([1, 2, 3, 2, 1, 3]);
        let mut belady = Belady::new(&workload, entries(2), None);
        let hit = |by| Outcome::Hit { by };
        let outcomes: Vec<_> = (0..6).map(|number| belady.request(number)).collect();
        assert_eq!(outcomes, [Miss, Miss, Miss, hit(1), Miss, hit(2)]);
    }

    proptest! {
        #[test]
        fn nothing_hits_more_often(
            keys in prop::collection::vec(0_u64..12, 1..200),
            size in 1_u64..9,
        ) {
            let workload = workload(keys);
            let capacity = entries(size);
            let best = hits(&mut Belady::new(&workload, capacity, None), &workload);
            let host = Box::new(HostOrder);
            let least_recent = hits(&mut Simulator::new(&workload, host, capacity, None), &workload);
            prop_assert!(best >= least_recent);
        }
    }
}
