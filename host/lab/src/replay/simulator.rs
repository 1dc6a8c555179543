//! A cache that holds no answers, and knows which it would hold.
//!
//! The eviction policy is asked as `deja_cache::Cache` asks it, through the same driver: hits in
//! batches, a new entry before the victims. Two things are simpler than in a server: an answer is
//! there as soon as its request comes, and what outlives its time goes at that moment.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use deja_cache::{
    Capacity, EntryFacts, EntryId, Eviction, EvictionDriver, HIT_BATCH, PolicyError, RemovalCause,
};

use super::{
    measure::{Model, Outcome, Removals},
    workload::{Request, Treatment, Workload},
};

/// A cache of which only the bookkeeping is there.
pub(super) struct Simulator<'a> {
    workload: &'a Workload,
    capacity: Capacity,
    ttl: Option<Duration>,
    driver: EvictionDriver<u32>,
    /// What is held, by key.
    held: Vec<Option<Held>>,
    entries: u64,
    bytes: u64,
    /// Hits that the policy has not been told of yet, oldest first.
    hits: Vec<EntryId>,
    /// What outlives its time, soonest first, some of it gone before.
    deadlines: BinaryHeap<Reverse<(u64, u32, EntryId)>>,
    last_id: u64,
    evictions: u64,
    expired: u64,
}

#[derive(Clone, Copy)]
struct Held {
    id: EntryId,
    /// The request that brought it.
    by: u32,
}

impl<'a> Simulator<'a> {
    pub(super) fn new(
        workload: &'a Workload,
        eviction: Box<dyn Eviction>,
        capacity: Capacity,
        ttl: Option<Duration>,
    ) -> Self {
        Self {
            workload,
            capacity,
            ttl,
            driver: EvictionDriver::new(eviction),
            held: vec![None; workload.keys.len()],
            entries: 0,
            bytes: 0,
            hits: Vec::with_capacity(HIT_BATCH),
            deadlines: BinaryHeap::new(),
            last_id: 0,
            evictions: 0,
            expired: 0,
        }
    }

    fn store(&mut self, number: u32, request: &Request) {
        if request.bytes > self.capacity.bytes || self.capacity.entries == 0 {
            return;
        }
        self.tell_hits();
        self.last_id += 1;
        let id = EntryId(self.last_id);
        self.held[request.key as usize] = Some(Held { id, by: number });
        self.entries += 1;
        self.bytes += request.bytes;
        if let Some(deadline) = deadline(request, self.ttl) {
            self.deadlines.push(Reverse((deadline, request.key, id)));
        }
        self.driver.on_insert(request.key, self.facts(id, request));
        self.make_room();
    }

    fn facts(&self, id: EntryId, request: &Request) -> EntryFacts {
        EntryFacts {
            id,
            key: self.workload.keys[request.key as usize],
            bytes: request.bytes,
            cost_ms: request.cost_ms,
            prompt_tokens: request.prompt_tokens,
            output_tokens: request.output_tokens,
            at_ms: request.at_ms,
        }
    }

    fn make_room(&mut self) {
        let bytes = self.bytes.saturating_sub(self.capacity.bytes);
        let entries = self.entries.saturating_sub(self.capacity.entries);
        for key in self.driver.evict(bytes, entries) {
            self.forget(key);
            self.evictions += 1;
        }
    }

    /// Takes an entry out, of which the policy knows already that it leaves.
    fn forget(&mut self, key: u32) {
        if let Some(held) = self.held[key as usize].take() {
            self.entries -= 1;
            self.bytes -= self.workload.requests[held.by as usize].bytes;
        }
    }

    fn note_hit(&mut self, id: EntryId) {
        self.hits.push(id);
        if self.hits.len() >= HIT_BATCH {
            self.tell_hits();
        }
    }

    fn tell_hits(&mut self) {
        self.driver.on_hit(&self.hits);
        self.hits.clear();
    }

    fn expire(&mut self, now_ms: u64) {
        while let Some(&Reverse((deadline, key, id))) = self.deadlines.peek()
            && deadline <= now_ms
        {
            self.deadlines.pop();
            if self.held[key as usize].is_some_and(|held| held.id == id) {
                self.forget(key);
                self.driver.on_remove(id, RemovalCause::Expired);
                self.expired += 1;
            }
        }
    }
}

impl Model for Simulator<'_> {
    fn request(&mut self, number: u32) -> Outcome {
        let request = self.workload.requests[number as usize];
        self.expire(request.at_ms);
        if request.treatment == Treatment::Bypass {
            return Outcome::Bypass;
        }
        if let Some(held) = self.held[request.key as usize] {
            self.note_hit(held.id);
            return Outcome::Hit { by: held.by };
        }
        if request.treatment == Treatment::Cache {
            self.store(number, &request);
        }
        Outcome::Miss
    }

    fn removals(&self) -> Removals {
        Removals {
            evictions: self.evictions,
            by_host: self.driver.topped_up(),
            expired: self.expired,
        }
    }
}

/// When an answer stops being good, if it does.
pub(super) fn deadline(request: &Request, ttl: Option<Duration>) -> Option<u64> {
    let own = request.ttl_seconds.map(|seconds| u64::from(seconds) * 1000);
    let common = ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    let longest = [own, common].into_iter().flatten().min()?;
    Some(request.at_ms.saturating_add(longest))
}

/// The policy that names no victims: so the host's own order chooses, least recently used first.
pub(super) struct HostOrder;

impl Eviction for HostOrder {
    fn name(&self) -> &'static str {
        "host"
    }

    fn on_insert(&mut self, _: &EntryFacts) -> Result<(), PolicyError> {
        Ok(())
    }

    fn on_hit(&mut self, _: &[EntryId]) -> Result<(), PolicyError> {
        Ok(())
    }

    fn on_remove(&mut self, _: EntryId, _: RemovalCause) -> Result<(), PolicyError> {
        Ok(())
    }

    fn victims(&mut self, _: u64, _: u64) -> Result<Vec<EntryId>, PolicyError> {
        Ok(Vec::new())
    }

    fn save(&mut self) -> Result<Vec<u8>, PolicyError> {
        Ok(Vec::new())
    }

    fn restore(&mut self, _: &[u8]) -> Result<bool, PolicyError> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Outcome::Miss, *};
    use crate::replay::testing::{entries, request, workload};

    fn outcomes(simulator: &mut Simulator<'_>) -> Vec<Outcome> {
        let requests = simulator.workload.requests.len();
        let numbers = 0..u32::try_from(requests).expect("they are few");
        numbers.map(|number| simulator.request(number)).collect()
    }

    #[test]
    fn the_least_recently_used_leaves() {
        let workload = workload([1, 2, 1, 3, 1, 2]);
        let mut simulator = Simulator::new(&workload, Box::new(HostOrder), entries(2), None);
        let hit = Outcome::Hit { by: 0 };
        assert_eq!(outcomes(&mut simulator), [Miss, Miss, hit, Miss, hit, Miss]);
        assert_eq!(
            simulator.removals(),
            Removals {
                evictions: 2,
                by_host: 2,
                expired: 0
            }
        );
    }

    #[test]
    fn what_outlives_its_time_is_asked_for_anew() {
        let mut workload = workload([1, 1, 1]);
        workload.requests[1].at_ms = 999;
        workload.requests[2].at_ms = 1000;
        let ttl = Some(Duration::from_secs(1));
        let mut simulator = Simulator::new(&workload, Box::new(HostOrder), entries(2), ttl);
        let hit = Outcome::Hit { by: 0 };
        assert_eq!(outcomes(&mut simulator), [Miss, hit, Miss]);
        assert_eq!(simulator.removals().expired, 1);
        let sooner = Request {
            ttl_seconds: Some(1),
            ..request(0)
        };
        assert_eq!(deadline(&sooner, Some(Duration::from_secs(9))), Some(1000));
    }

    #[test]
    fn what_must_not_be_stored_is_not() {
        let mut workload = workload([1, 1, 2, 2, 3, 3]);
        for (number, treatment) in [(0, Treatment::Lookup), (2, Treatment::Bypass)] {
            workload.requests[number].treatment = treatment;
        }
        workload.requests[4].bytes = 99;
        let capacity = Capacity {
            entries: 9,
            bytes: 10,
        };
        let mut simulator = Simulator::new(&workload, Box::new(HostOrder), capacity, None);
        let missed = [Miss, Miss, Outcome::Bypass, Miss, Miss, Miss];
        assert_eq!(outcomes(&mut simulator), missed);
    }

    proptest! {
        #[test]
        fn limits_hold_and_nothing_is_counted_twice(
            keys in prop::collection::vec((0_u64..20, 1_u64..9), 1..200),
            entries in 1_u64..9,
            bytes in 1_u64..40,
            ttl in prop::option::of(0_u64..50),
        ) {
            let mut workload = workload(keys.iter().map(|(key, _)| *key));
            for (at_ms, (request, (_, bytes))) in (0..).zip(workload.requests.iter_mut().zip(&keys)) {
                (request.at_ms, request.bytes) = (at_ms, *bytes);
            }
            let capacity = Capacity { entries, bytes };
            let ttl = ttl.map(Duration::from_millis);
            let mut simulator = Simulator::new(&workload, Box::new(HostOrder), capacity, ttl);
            outcomes(&mut simulator);
            let held: Vec<_> = simulator.held.iter().flatten().collect();
            let held_bytes: u64 = held.iter().map(|held| workload.requests[held.by as usize].bytes).sum();
            prop_assert_eq!((simulator.entries, simulator.bytes), (held.len() as u64, held_bytes));
            prop_assert!(simulator.entries <= entries && simulator.bytes <= bytes);
        }
    }
}
