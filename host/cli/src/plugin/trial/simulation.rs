//! A cache that holds no answers, and evicts what a policy names: the events that a server has for
//! it, in a server's order.

use std::collections::{BTreeMap, HashMap};

use deja_cache::{Capacity, EntryFacts, EntryId, Eviction, HIT_BATCH, PolicyError, RemovalCause};

use super::{times::Times, workload::Access};

/// The cache.
pub(super) struct Simulation<P> {
    pub(super) policy: P,
    capacity: Capacity,
    /// By key.
    held: HashMap<u64, EntryFacts>,
    /// Keys by number, the oldest entry first.
    keys: BTreeMap<EntryId, u64>,
    bytes: u64,
    last_id: u64,
    /// What the policy has not been told of yet.
    hits: Vec<EntryId>,
    pub(super) played: Played,
    /// How long the calls of the policy took.
    pub(super) times: Times,
}

/// What came of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Played {
    pub(super) hits: usize,
    /// The numbers of what was evicted.
    pub(super) victims: Vec<u64>,
    /// Victims that were named and were not there.
    pub(super) needless: usize,
    /// Victims that were not named, so that the oldest entry had to go.
    pub(super) missing: usize,
}

impl<P: Eviction> Simulation<P> {
    /// An empty cache.
    pub(super) fn new(policy: P, capacity: Capacity) -> Self {
        Self {
            policy,
            capacity,
            held: HashMap::new(),
            keys: BTreeMap::new(),
            bytes: 0,
            last_id: 0,
            hits: Vec::new(),
            played: Played::default(),
            times: Times::default(),
        }
    }

    /// Looks up what is asked for, and stores what is not held.
    pub(super) fn play(&mut self, accesses: &[Access]) -> Result<(), PolicyError> {
        for access in accesses {
            match self.held.get(&access.key) {
                Some(entry) => self.hit(entry.id)?,
                None => self.insert(access)?,
            }
        }
        self.tell_hits()
    }

    /// Another instance takes the policy's place, and its state if it wants it.
    pub(super) fn hand_over(&mut self, successor: P) -> Result<bool, PolicyError> {
        let state = self.policy.save()?;
        self.policy = successor;
        self.policy.restore(&state)
    }

    fn hit(&mut self, id: EntryId) -> Result<(), PolicyError> {
        self.played.hits += 1;
        self.hits.push(id);
        if self.hits.len() < HIT_BATCH {
            return Ok(());
        }
        self.tell_hits()
    }

    fn tell_hits(&mut self) -> Result<(), PolicyError> {
        let hits = std::mem::take(&mut self.hits);
        if hits.is_empty() {
            return Ok(());
        }
        self.times.of(|| self.policy.on_hit(&hits))
    }

    fn insert(&mut self, access: &Access) -> Result<(), PolicyError> {
        self.tell_hits()?;
        self.last_id += 1;
        let entry = EntryFacts {
            id: EntryId(self.last_id),
            key: access.key,
            bytes: access.bytes,
            cost_ms: access.cost_ms,
            prompt_tokens: 1,
            output_tokens: 1,
            at_ms: self.last_id,
        };
        self.bytes += entry.bytes;
        self.held.insert(entry.key, entry);
        self.keys.insert(entry.id, entry.key);
        self.times.of(|| self.policy.on_insert(&entry))?;
        self.make_room()
    }

    fn make_room(&mut self) -> Result<(), PolicyError> {
        let (bytes, entries) = self.excess();
        if (bytes, entries) == (0, 0) {
            return Ok(());
        }
        for id in self.times.of(|| self.policy.victims(bytes, entries))? {
            if self.excess() == (0, 0) {
                return Ok(());
            }
            if !self.evict(id)? {
                self.played.needless += 1;
            }
        }
        while self.excess() != (0, 0)
            && let Some((&oldest, _)) = self.keys.first_key_value()
        {
            self.played.missing += 1;
            self.evict(oldest)?;
        }
        Ok(())
    }

    /// Bytes and entries that are too many.
    fn excess(&self) -> (u64, u64) {
        let entries = self.held.len() as u64;
        (
            self.bytes.saturating_sub(self.capacity.bytes),
            entries.saturating_sub(self.capacity.entries),
        )
    }

    /// Lets an entry go. Returns whether it was there.
    fn evict(&mut self, id: EntryId) -> Result<bool, PolicyError> {
        let key = self.keys.remove(&id);
        let Some(entry) = key.and_then(|key| self.held.remove(&key)) else {
            return Ok(false);
        };
        self.bytes -= entry.bytes;
        self.played.victims.push(id.0);
        self.times
            .of(|| self.policy.on_remove(id, RemovalCause::Evicted))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names these, whatever happens.
    struct Names(Vec<u64>);

    impl Eviction for Names {
        fn name(&self) -> &'static str {
            "names"
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
            Ok(self.0.iter().copied().map(EntryId).collect())
        }

        fn save(&mut self) -> Result<Vec<u8>, PolicyError> {
            Ok(self.0.iter().map(|_| 0).collect())
        }

        fn restore(&mut self, state: &[u8]) -> Result<bool, PolicyError> {
            Ok(state.len() == self.0.len())
        }
    }

    fn played(victims: &[u64], keys: &[u64]) -> Played {
        let capacity = Capacity {
            entries: 2,
            bytes: 25,
        };
        let access = |&key| Access {
            key,
            bytes: 10,
            cost_ms: 1,
        };
        let accesses: Vec<_> = keys.iter().map(access).collect();
        let mut cache = Simulation::new(Names(victims.to_vec()), capacity);
        cache.play(&accesses).expect("it does not fail");
        cache.played
    }

    #[test]
    fn what_the_policy_names_leaves() {
        let played = played(&[2, 1], &[7, 8, 7, 9, 7, 8]);
        assert_eq!((played.hits, &*played.victims), (2, &[2, 1][..]));
        assert_eq!((played.needless, played.missing), (1, 0));
    }

    #[test]
    fn the_oldest_leaves_where_too_few_are_named() {
        let played = played(&[], &[1, 2, 3, 4]);
        assert_eq!((&*played.victims, played.missing), (&[1, 2][..], 2));
    }

    #[test]
    fn a_successor_may_refuse_the_state() {
        let capacity = Capacity {
            entries: 1,
            bytes: 1,
        };
        let mut cache = Simulation::new(Names(vec![1]), capacity);
        let mut taken = |names| cache.hand_over(Names(names)).expect("it does not fail");
        assert!(taken(vec![2]));
        assert!(!taken(vec![3, 4]));
    }
}
