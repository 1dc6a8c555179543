//! The store: answers by key, within its limits.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};

use crate::{
    Capacity, Difference, Entry, EntryId, Eviction, Gauges, Key, NewEntry, RemovalCause,
    difference, eviction::EvictionDriver,
};

/// Hits that are told to the eviction policy in one call: so many that most of its time goes into
/// the policy's own work, not into the way to WebAssembly and back. Inserts tell them sooner.
pub const HIT_BATCH: usize = 256;

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

/// Which entries are to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// All.
    All,
    /// The one under this key.
    Key(Key),
    /// Those of this tag.
    Tag(String),
    /// Those of this model, by the name that was asked for.
    Model(String),
}

impl Purge {
    fn takes(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Key(key) => entry.key == *key,
            Self::Tag(tag) => entry.tags.contains(tag),
            Self::Model(model) => *entry.question.model == **model,
        }
    }
}

/// Answers by key. The host holds them; the eviction policy only chooses which of them leaves.
///
/// Lock order: `driver` before `entries` and before `hits`.
pub struct Cache {
    limits: RwLock<CacheLimits>,
    entries: RwLock<HashMap<Key, Arc<Entry>>>,
    bytes: AtomicU64,
    evictions: AtomicU64,
    /// Hits that the eviction policy has not been told of yet, oldest first.
    hits: Mutex<Vec<EntryId>>,
    driver: Mutex<EvictionDriver<Key>>,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits, eviction: Box<dyn Eviction>) -> Self {
        Self {
            limits: RwLock::new(limits),
            entries: RwLock::default(),
            bytes: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            hits: Mutex::default(),
            driver: Mutex::new(EvictionDriver::new(eviction)),
        }
    }

    /// The answer under this key, if one is held, good, and no older than `max_age`.
    pub fn lookup(&self, key: &Key, max_age: Option<Duration>) -> Option<Arc<Entry>> {
        let entry = self.entries.read().get(key).cloned()?;
        if entry.is_expired() {
            self.remove(key, entry.facts.id, RemovalCause::Expired);
            return None;
        }
        if max_age.is_some_and(|most| entry.age() > most) {
            return None;
        }
        self.used(&entry);
        Some(entry)
    }

    /// The entry under this key, if it is good, without counting a hit: nothing is told to the
    /// eviction policy.
    #[must_use]
    pub fn peek(&self, key: &Key) -> Option<Arc<Entry>> {
        let entry = self.entries.read().get(key).cloned()?;
        (!entry.is_expired()).then_some(entry)
    }

    /// Counts a hit.
    pub fn used(&self, entry: &Entry) {
        entry.note_hit();
        self.note_hit(entry.facts.id);
    }

    /// Stores a whole answer, and evicts what has to leave for it.
    pub fn insert(&self, new: NewEntry) -> Stored {
        let limits = *self.limits.read();
        let ttl = [new.ttl, limits.ttl].into_iter().flatten().min();
        let entry = Arc::new(Entry::new(NewEntry { ttl, ..new }));
        if entry.facts.bytes > limits.capacity.bytes || limits.capacity.entries == 0 {
            // The older answer is not what the newest would have been.
            self.purge(&Purge::Key(entry.key));
            return Stored::TooLarge;
        }
        let mut driver = self.driver.lock();
        self.tell_hits(&mut driver);
        self.put(&mut driver, entry.clone());
        self.make_room(&mut driver);
        let held = self
            .entries
            .read()
            .get(&entry.key)
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

    /// Sets other limits, and evicts what they leave no room for. Entries keep their time.
    pub fn set_limits(&self, limits: CacheLimits) {
        let mut driver = self.driver.lock();
        *self.limits.write() = limits;
        self.tell_hits(&mut driver);
        self.make_room(&mut driver);
    }

    /// Forgets entries; returns how many.
    pub fn purge(&self, which: &Purge) -> usize {
        self.remove_all(RemovalCause::Purged, |entry| which.takes(entry))
    }

    /// Forgets what has outlived its time; returns how much.
    pub fn sweep(&self) -> usize {
        self.remove_all(RemovalCause::Expired, Entry::is_expired)
    }

    /// All entries, the newest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        let mut entries: Vec<_> = self.entries.read().values().cloned().collect();
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.facts.id));
        entries
    }

    /// The entry whose request differs least from this canonical body, of those that answer the
    /// same endpoint, and where it differs.
    #[must_use]
    pub fn nearest(
        &self,
        endpoint: deja_chat::Endpoint,
        canonical: &serde_json::Value,
    ) -> Option<(Arc<Entry>, Vec<Difference>)> {
        let asked = difference::leaves(canonical);
        let (nearest, body) = self
            .entries()
            .into_iter()
            .filter(|entry| entry.endpoint() == endpoint)
            .filter_map(|entry| Some((entry.question.body()?, entry)))
            .map(|(body, entry)| (entry, body))
            .min_by_key(|(_, body)| difference::distance(&asked, &difference::leaves(body)))?;
        let differences = difference::differences(&asked, &difference::leaves(&body));
        Some((nearest, differences))
    }

    /// What is held, and what left.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let capacity = self.limits.read().capacity;
        Gauges {
            at_ms: crate::now_ms(),
            entries: self.entries.read().len() as u64,
            bytes: self.bytes.load(Ordering::Relaxed),
            capacity_entries: capacity.entries,
            capacity_bytes: capacity.bytes,
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

    fn tell_hits(&self, driver: &mut EvictionDriver<Key>) {
        let hits = std::mem::take(&mut *self.hits.lock());
        driver.on_hit(&hits);
    }

    fn put(&self, driver: &mut EvictionDriver<Key>, entry: Arc<Entry>) {
        let (key, facts) = (entry.key, entry.facts);
        self.bytes.fetch_add(facts.bytes, Ordering::Relaxed);
        if let Some(old) = self.entries.write().insert(key, entry) {
            self.bytes.fetch_sub(old.facts.bytes, Ordering::Relaxed);
            driver.on_remove(old.facts.id, RemovalCause::Replaced);
        }
        driver.on_insert(key, facts);
    }

    fn make_room(&self, driver: &mut EvictionDriver<Key>) {
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

    fn remove_all(&self, cause: RemovalCause, takes: impl Fn(&Entry) -> bool) -> usize {
        let leaving: Vec<_> = {
            let entries = self.entries.read();
            entries
                .values()
                .filter(|entry| takes(entry))
                .cloned()
                .collect()
        };
        leaving
            .iter()
            .filter(|entry| self.remove(&entry.key, entry.facts.id, cause))
            .count()
    }

    /// Takes one entry out, unless another has taken its place.
    fn remove(&self, key: &Key, id: EntryId, cause: RemovalCause) -> bool {
        let mut driver = self.driver.lock();
        let mut entries = self.entries.write();
        if entries.get(key).is_some_and(|entry| entry.facts.id == id)
            && let Some(entry) = entries.remove(key)
        {
            drop(entries);
            self.bytes.fetch_sub(entry.facts.bytes, Ordering::Relaxed);
            driver.on_remove(id, cause);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        PolicyFailure,
        testing::{FakePolicy, key, new_entry},
    };

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
        cache.insert(new_entry(number, "Paris"));
        cache.entries.read()[&key(number)].facts.id
    }

    fn holds(cache: &Cache, number: u8) -> bool {
        cache.entries.read().contains_key(&key(number))
    }

    #[test]
    fn what_was_stored_is_found_under_its_key_only() {
        let (_, cache) = cache(9);
        assert_eq!(cache.insert(new_entry(1, "Paris")), Stored::Yes);
        let entry = cache.lookup(&key(1), None).expect("it is held");
        assert_eq!(
            (&*entry.question.summary, entry.facts.cost_ms),
            ("q1", 2000)
        );
        assert_eq!(entry.hits(), 1);
        assert!(cache.lookup(&key(2), None).is_none());
        let gauges = cache.gauges();
        assert_eq!((gauges.entries, gauges.bytes), (1, entry.facts.bytes));
    }

    #[test]
    fn the_policys_victim_leaves() {
        let (policy, cache) = cache(2);
        let (one, two) = (insert(&cache, 1), insert(&cache, 2));
        cache.lookup(&key(1), None);
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
        cache.lookup(&key(1), None);
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
        policy.0.lock().fails = Some(PolicyFailure::Broken);
        let two = insert(&cache, 2);
        {
            let mut script = policy.0.lock();
            script.fails = None;
            script.told.clear();
        }
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
        cache.lookup(&key(1), None);
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
        let short = || NewEntry {
            ttl: Some(Duration::ZERO),
            ..new_entry(1, "Paris")
        };
        assert_eq!(cache.insert(short()), Stored::Yes);
        assert!(cache.lookup(&key(1), None).is_none());
        assert_eq!(cache.gauges().entries, 0);
        assert!(
            policy
                .told()
                .last()
                .is_some_and(|last| last.starts_with("Expired"))
        );
        cache.insert(short());
        insert(&cache, 2);
        assert_eq!((cache.sweep(), cache.gauges().entries), (1, 1));
    }

    #[test]
    fn an_answer_older_than_asked_for_is_passed_over_and_stays() {
        let (_, cache) = cache(9);
        insert(&cache, 1);
        assert!(cache.lookup(&key(1), Some(Duration::ZERO)).is_none());
        assert!(
            cache
                .lookup(&key(1), Some(Duration::from_mins(1)))
                .is_some()
        );
    }

    #[test]
    fn what_is_purged_is_gone_and_the_policy_knows() {
        let (policy, cache) = cache(9);
        let tagged = |number| NewEntry {
            tags: vec!["blue".to_owned()],
            ..new_entry(number, "Paris")
        };
        let ids = [1, 2, 3, 4].map(|number| {
            cache.insert(if number < 3 {
                tagged(number)
            } else {
                new_entry(number, "Paris")
            });
            cache.peek(&key(number)).expect("it is held").facts.id
        });
        policy.told();
        assert_eq!(cache.purge(&Purge::Key(key(4))), 1);
        assert_eq!(policy.told(), [format!("Purged {}", ids[3])]);
        assert_eq!(cache.purge(&Purge::Tag("blue".to_owned())), 2);
        assert_eq!(cache.purge(&Purge::Model("other".to_owned())), 0);
        assert_eq!(cache.purge(&Purge::Model("m".to_owned())), 1);
        assert_eq!(cache.purge(&Purge::All), 0);
        assert_eq!((cache.gauges().entries, cache.gauges().bytes), (0, 0));
    }

    #[test]
    fn tighter_limits_take_hold_at_once() {
        let (_, cache) = cache(9);
        for number in 1..=4 {
            insert(&cache, number);
        }
        let capacity = Capacity {
            entries: 2,
            bytes: 1 << 20,
        };
        cache.set_limits(CacheLimits {
            capacity,
            ttl: None,
        });
        assert_eq!(cache.gauges().entries, 2);
        assert_eq!(cache.gauges().capacity_entries, 2);
    }

    #[test]
    fn the_nearest_request_is_the_one_that_differs_least() {
        let (_, cache) = cache(9);
        insert(&cache, 1);
        insert(&cache, 2);
        let mut asked = cache.peek(&key(2)).and_then(|entry| entry.question.body());
        asked.as_mut().expect("it is kept")["temperature"] = 1.into();
        let asked = asked.expect("it is kept");
        let (entry, differences) = cache
            .nearest(deja_chat::Endpoint::ChatCompletions, &asked)
            .expect("there are two");
        assert_eq!(entry.key, key(2));
        assert_eq!(differences.len(), 1);
        assert_eq!(differences[0].pointer, "/temperature");
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
        assert_eq!(cache.insert(new_entry(1, &huge)), Stored::TooLarge);
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
            let capacity = Capacity { entries: 5, bytes: 6000 };
            let cache = Cache::new(CacheLimits { capacity, ttl: None }, Box::new(policy.clone()));
            for (stores, number, length) in steps {
                {
                    let mut script = policy.0.lock();
                    script.fails = broken.then_some(PolicyFailure::Broken);
                    script.victims = victims.iter().copied().map(EntryId).collect();
                }
                if stores {
                    cache.insert(new_entry(number, &"x".repeat(length)));
                } else {
                    cache.lookup(&key(number), None);
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
