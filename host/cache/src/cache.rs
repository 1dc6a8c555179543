//! The store: answers by key, within its limits.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deja_chat::Answer;
use parking_lot::{Mutex, RwLock};

use crate::{
    Capacity, Entry, EntryId, Eviction, Gauges, Key, RemovalCause, Ticket, eviction::EvictionDriver,
};

/// Hits that are told to the eviction policy in one call.
const HIT_BATCH: usize = 64;

/// What the cache may hold, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// The most that is held.
    pub capacity: Capacity,
    /// How long an answer stays good; for ever if not set.
    pub ttl: Option<Duration>,
}

/// What became of an answer that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is held.
    Yes,
    /// It alone is larger than the whole cache.
    TooLarge,
    /// The eviction policy would rather keep the others.
    NotAdmitted,
}

/// Answers by key. The host holds them; the eviction policy only chooses which of them leaves.
///
/// Lock order: `driver` before `entries` and before `hits`.
pub struct Cache {
    limits: CacheLimits,
    entries: RwLock<HashMap<Key, Arc<Entry>>>,
    bytes: AtomicU64,
    evictions: AtomicU64,
    /// Hits that the eviction policy has not been told of yet, oldest first.
    hits: Mutex<Vec<EntryId>>,
    driver: Mutex<EvictionDriver>,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits, eviction: Box<dyn Eviction>) -> Self {
        Self {
            limits,
            entries: RwLock::default(),
            bytes: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            hits: Mutex::default(),
            driver: Mutex::new(EvictionDriver::new(eviction)),
        }
    }

    /// The answer under this key, if one is held and good.
    pub fn lookup(&self, key: &Key) -> Option<Arc<Entry>> {
        let entry = self.entries.read().get(key).cloned()?;
        if entry.is_expired() {
            self.remove(key, entry.facts.id, RemovalCause::Expired);
            return None;
        }
        self.note_hit(entry.facts.id);
        Some(entry)
    }

    /// Stores a whole answer that took `cost` to make, and evicts what has to leave for it.
    pub fn insert(&self, ticket: &Ticket, answer: Answer, cost: Duration) -> Stored {
        let ttl = [ticket.ttl, self.limits.ttl].into_iter().flatten().min();
        let entry = Arc::new(Entry::new(answer, cost, ttl, ticket.tags.clone()));
        if entry.facts.bytes > self.limits.capacity.bytes || self.limits.capacity.entries == 0 {
            return Stored::TooLarge;
        }
        let mut driver = self.driver.lock();
        self.tell_hits(&mut driver);
        self.put(&mut driver, ticket.key, entry.clone());
        self.make_room(&mut driver);
        let held = self
            .entries
            .read()
            .get(&ticket.key)
            .is_some_and(|held| Arc::ptr_eq(held, &entry));
        if held {
            Stored::Yes
        } else {
            Stored::NotAdmitted
        }
    }

    /// Puts another eviction policy in place. Entries stay; the new policy takes over what the old
    /// one knew of them, or is told of them anew.
    pub fn replace_eviction(&self, eviction: Box<dyn Eviction>) {
        let mut driver = self.driver.lock();
        self.tell_hits(&mut driver);
        driver.replace(eviction);
    }

    /// What is held, and what left.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            entries: self.entries.read().len() as u64,
            bytes: self.bytes.load(Ordering::Relaxed),
            capacity_entries: self.limits.capacity.entries,
            capacity_bytes: self.limits.capacity.bytes,
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    /// Evictions that the host chose because the policy failed or named too few.
    #[must_use]
    pub fn host_evictions(&self) -> u64 {
        self.driver.lock().topped_up()
    }

    /// Hits gather in a buffer, as in Caffeine's `BoundedLocalCache`: whoever fills it hands it to
    /// the policy, unless somebody else is talking to the policy already.
    fn note_hit(&self, id: EntryId) {
        let full = {
            let mut hits = self.hits.lock();
            hits.push(id);
            hits.len() >= HIT_BATCH
        };
        if full && let Some(mut driver) = self.driver.try_lock() {
            self.tell_hits(&mut driver);
        }
    }

    fn tell_hits(&self, driver: &mut EvictionDriver) {
        let hits = std::mem::take(&mut *self.hits.lock());
        driver.on_hit(&hits);
    }

    fn put(&self, driver: &mut EvictionDriver, key: Key, entry: Arc<Entry>) {
        let facts = entry.facts;
        self.bytes.fetch_add(facts.bytes, Ordering::Relaxed);
        if let Some(old) = self.entries.write().insert(key, entry) {
            self.bytes.fetch_sub(old.facts.bytes, Ordering::Relaxed);
            driver.on_remove(old.facts.id, RemovalCause::Replaced);
        }
        driver.on_insert(key, facts);
    }

    fn make_room(&self, driver: &mut EvictionDriver) {
        let gauges = self.gauges();
        let victims = driver.evict(
            gauges.bytes.saturating_sub(gauges.capacity_bytes),
            gauges.entries.saturating_sub(gauges.capacity_entries),
        );
        let mut entries = self.entries.write();
        for entry in victims.iter().filter_map(|key| entries.remove(key)) {
            self.bytes.fetch_sub(entry.facts.bytes, Ordering::Relaxed);
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes one entry out, unless another has taken its place.
    fn remove(&self, key: &Key, id: EntryId, cause: RemovalCause) {
        let mut driver = self.driver.lock();
        let mut entries = self.entries.write();
        if entries.get(key).is_some_and(|entry| entry.facts.id == id)
            && let Some(entry) = entries.remove(key)
        {
            drop(entries);
            self.bytes.fetch_sub(entry.facts.bytes, Ordering::Relaxed);
            driver.on_remove(id, cause);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{FakePolicy, answer, key, ticket};

    const COST: Duration = Duration::from_secs(2);

    fn cache(entries: u64) -> (FakePolicy, Cache) {
        let policy = FakePolicy::default();
        let capacity = Capacity {
            entries,
            bytes: 1 << 20,
        };
        let limits = CacheLimits {
            capacity,
            ttl: None,
        };
        (policy.clone(), Cache::new(limits, Box::new(policy)))
    }

    fn insert(cache: &Cache, number: u8) -> EntryId {
        cache.insert(&ticket(number), answer("Paris"), COST);
        cache.entries.read()[&key(number)].facts.id
    }

    fn holds(cache: &Cache, number: u8) -> bool {
        cache.entries.read().contains_key(&key(number))
    }

    #[test]
    fn what_was_stored_is_found_under_its_key_only() {
        let (_, cache) = cache(9);
        assert_eq!(cache.insert(&ticket(1), answer("Paris"), COST), Stored::Yes);
        let entry = cache.lookup(&key(1)).expect("it is held");
        assert_eq!(
            (entry.answer.text().as_str(), entry.facts.cost_ms),
            ("Paris", 2000)
        );
        assert!(cache.lookup(&key(2)).is_none());
        let gauges = cache.gauges();
        assert_eq!((gauges.entries, gauges.bytes), (1, entry.facts.bytes));
    }

    #[test]
    fn the_policys_victim_leaves() {
        let (policy, cache) = cache(2);
        let (one, two) = (insert(&cache, 1), insert(&cache, 2));
        cache.lookup(&key(1));
        policy.0.lock().victims = vec![EntryId(u64::MAX), two, one];
        let three = insert(&cache, 3);
        assert_eq!(
            [1, 2, 3].map(|number| holds(&cache, number)),
            [true, false, true]
        );
        let story = [
            format!("insert {one}"),
            format!("insert {two}"),
            format!("hit {one}"),
            format!("insert {three}"),
            "victims for 0 bytes, 1 entries".to_owned(),
            format!("Evicted {two}"),
        ];
        assert_eq!(policy.told(), story);
        assert_eq!((cache.gauges().evictions, cache.host_evictions()), (1, 0));
    }

    #[test]
    fn the_host_tops_up_with_the_least_recently_used() {
        let (_policy_without_victims, cache) = cache(2);
        insert(&cache, 1);
        insert(&cache, 2);
        cache.lookup(&key(1));
        insert(&cache, 3);
        assert_eq!(
            [1, 2, 3].map(|number| holds(&cache, number)),
            [true, false, true]
        );
        assert_eq!((cache.gauges().evictions, cache.host_evictions()), (1, 1));
    }

    #[test]
    fn a_policy_that_lost_its_state_is_told_of_all_entries() {
        let (policy, cache) = cache(9);
        let one = insert(&cache, 1);
        policy.0.lock().broken = true;
        let two = insert(&cache, 2);
        {
            let mut script = policy.0.lock();
            script.broken = false;
            script.told.clear();
        }
        cache.driver.lock().end_pause();
        let three = insert(&cache, 3);
        assert_eq!(
            policy.told(),
            [one, two, three].map(|id| format!("insert {id}"))
        );
    }

    #[test]
    fn a_successor_restores_the_state_or_is_told_of_all_entries() {
        let (_, cache) = cache(9);
        let (one, two) = (insert(&cache, 1), insert(&cache, 2));
        let [knowing, ignorant] = [true, false].map(|restores| {
            let policy = FakePolicy::default();
            policy.0.lock().restores = restores;
            policy
        });
        cache.lookup(&key(1));
        cache.replace_eviction(Box::new(knowing.clone()));
        assert_eq!(knowing.told(), ["restore"]);
        cache.replace_eviction(Box::new(ignorant.clone()));
        let replayed = [
            "restore".to_owned(),
            format!("insert {two}"),
            format!("insert {one}"),
        ];
        assert_eq!(ignorant.told(), replayed);
    }

    #[test]
    fn a_successor_whose_restore_fails_is_told_once_and_then_trusted() {
        let (_, cache) = cache(9);
        let one = insert(&cache, 1);
        let policy = FakePolicy::default();
        policy.0.lock().restore_traps = true;
        cache.replace_eviction(Box::new(policy.clone()));
        let two = insert(&cache, 2);
        assert_eq!(policy.told(), [one, two].map(|id| format!("insert {id}")));
    }

    #[test]
    fn an_answer_that_outlived_its_time_is_gone() {
        let (policy, cache) = cache(9);
        let short = Ticket {
            ttl: Some(Duration::ZERO),
            ..ticket(1)
        };
        assert_eq!(cache.insert(&short, answer("Paris"), COST), Stored::Yes);
        assert!(cache.lookup(&key(1)).is_none());
        assert_eq!(cache.gauges().entries, 0);
        assert!(
            policy
                .told()
                .last()
                .is_some_and(|last| last.starts_with("Expired"))
        );
    }

    #[test]
    fn a_newer_answer_takes_the_olds_place() {
        let (policy, cache) = cache(9);
        let old = insert(&cache, 1);
        let new = insert(&cache, 1);
        assert_eq!(cache.gauges().entries, 1);
        let last = [format!("Replaced {old}"), format!("insert {new}")];
        assert!(policy.told().ends_with(&last));
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_stored() {
        let (_, cache) = cache(9);
        let huge = "x".repeat(1 << 20);
        assert_eq!(
            cache.insert(&ticket(1), answer(&huge), COST),
            Stored::TooLarge
        );
        assert_eq!(cache.gauges().bytes, 0);
    }

    proptest! {
        #[test]
        fn limits_hold_whatever_the_policy_says(
            steps in prop::collection::vec((any::<bool>(), 0_u8..12, 0_usize..400), 1..80),
            victims in prop::collection::vec(0_u64..40, 0..6),
            broken in any::<bool>(),
        ) {
            let policy = FakePolicy::default();
            let capacity = Capacity { entries: 5, bytes: 1500 };
            let cache = Cache::new(CacheLimits { capacity, ttl: None }, Box::new(policy.clone()));
            for (stores, number, length) in steps {
                {
                    let mut script = policy.0.lock();
                    script.broken = broken;
                    script.victims = victims.iter().copied().map(EntryId).collect();
                }
                if stores {
                    cache.insert(&ticket(number), answer(&"x".repeat(length)), COST);
                } else {
                    cache.lookup(&key(number));
                }
                let gauges = cache.gauges();
                let held: u64 = cache.entries.read().values().map(|entry| entry.facts.bytes).sum();
                prop_assert_eq!(gauges.bytes, held);
                prop_assert!(gauges.entries <= capacity.entries && gauges.bytes <= capacity.bytes);
                prop_assert_eq!(cache.driver.lock().len() as u64, gauges.entries);
            }
        }
    }
}
