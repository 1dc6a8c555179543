//! The store: answers by key, within its limits.

#[cfg(test)]
mod tests;

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
    Capacity, Difference, Entry, EntryId, Eviction, Fraction, Gauges, Key, NewEntry, PendingFetch,
    RemovalCause, Tenant, Ticket, difference, eviction::EvictionDriver, fetches::Fetches,
    tenant::Holdings,
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
    /// The most of the capacity that one tenant's answers may take; all if not set.
    pub max_share: Option<Fraction>,
}

impl CacheLimits {
    /// What one tenant's answers may take.
    fn share(&self) -> Capacity {
        let capacity = self.capacity;
        self.max_share
            .map_or(capacity, |share| share.of_capacity(capacity))
    }
}

/// What became of an answer that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is held.
    Yes,
    /// It alone is larger than the whole cache, or than its tenant's share of it.
    TooLarge,
    /// The eviction policy would rather keep the others.
    NotAdmitted,
    /// It was purged while it was fetched, or a newer answer is held.
    Outdated,
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
    /// Returns whether it takes the answer of this key, model and tags.
    pub(crate) fn takes(&self, key: &Key, model: &str, tags: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Key(purged) => purged == key,
            Self::Tag(purged) => tags.contains(purged),
            Self::Model(purged) => purged == model,
        }
    }
}

/// Answers by key. The host holds them; the eviction policy only chooses which of them leaves.
///
/// Lock order: `driver` before `entries` and before `hits`; `holdings` last.
pub struct Cache {
    limits: RwLock<CacheLimits>,
    entries: RwLock<HashMap<Key, Arc<Entry>>>,
    bytes: AtomicU64,
    holdings: Mutex<Holdings>,
    evictions: AtomicU64,
    /// Hits that the eviction policy has not been told of yet, oldest first.
    hits: Mutex<Vec<EntryId>>,
    driver: Mutex<EvictionDriver<Key>>,
    fetches: Fetches,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits, eviction: Box<dyn Eviction>) -> Self {
        Self {
            limits: RwLock::new(limits),
            entries: RwLock::default(),
            bytes: AtomicU64::new(0),
            holdings: Mutex::default(),
            evictions: AtomicU64::new(0),
            hits: Mutex::default(),
            driver: Mutex::new(EvictionDriver::new(eviction)),
            fetches: Fetches::default(),
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

    /// Begins a fetch of the answer to this ticket.
    #[must_use]
    pub fn begin_fetch(&self, ticket: &Ticket) -> PendingFetch {
        self.fetches.begin(ticket.into())
    }

    /// Stores a whole answer that was asked for just now, and evicts what has to leave for it.
    pub fn insert(&self, new: NewEntry) -> Stored {
        let fetch = self.fetches.begin((&new).into());
        self.insert_fetched(new, &fetch)
    }

    /// Stores a whole answer, unless it was purged since its fetch began or a newer one is held,
    /// and evicts what has to leave for it.
    pub fn insert_fetched(&self, new: NewEntry, fetch: &PendingFetch) -> Stored {
        let order = fetch.order();
        let limits = *self.limits.read();
        let ttl = [new.ttl, limits.ttl].into_iter().flatten().min();
        let mut entry = Entry::new(NewEntry { ttl, ..new });
        entry.order = order;
        let entry = Arc::new(entry);
        let most = match entry.tenant {
            Some(_) => limits.share(),
            None => limits.capacity,
        };
        if entry.facts.bytes > most.bytes || limits.capacity.entries == 0 {
            // The older answer is not what the newest would have been.
            self.remove_all(RemovalCause::Purged, |held| {
                held.key == entry.key && held.order < order
            });
            return Stored::TooLarge;
        }
        let mut driver = self.driver.lock();
        self.tell_hits(&mut driver);
        if fetch.is_purged() || self.holds_newer(&entry) {
            return Stored::Outdated;
        }
        self.put(&mut driver, entry.clone());
        if let Some(tenant) = entry.tenant {
            self.keep_share(&mut driver, limits, tenant);
        }
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
        let tenants = self.holdings.lock().tenants();
        for tenant in tenants {
            self.keep_share(&mut driver, limits, tenant);
        }
        self.make_room(&mut driver);
    }

    /// Forgets entries; returns how many. Fetches under way that it takes are not joined any more,
    /// and their answers are not stored.
    pub fn purge(&self, which: &Purge) -> usize {
        {
            // An insert under way is over, so that its entry is seen here, or sees this purge.
            let _driver = self.driver.lock();
            self.fetches.purge(which);
        }
        self.remove_all(RemovalCause::Purged, |entry| {
            which.takes(&entry.key, &entry.question.model, &entry.tags)
        })
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
        endpoint: deja_wire::Endpoint,
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

    fn holds_newer(&self, entry: &Entry) -> bool {
        let entries = self.entries.read();
        let held = entries.get(&entry.key).filter(|held| !held.is_expired());
        held.is_some_and(|held| held.order > entry.order)
    }

    fn put(&self, driver: &mut EvictionDriver<Key>, entry: Arc<Entry>) {
        let (key, facts) = (entry.key, entry.facts);
        self.bytes.fetch_add(facts.bytes, Ordering::Relaxed);
        self.holdings.lock().add(&entry);
        if let Some(old) = self.entries.write().insert(key, entry) {
            self.bytes.fetch_sub(old.facts.bytes, Ordering::Relaxed);
            self.holdings.lock().remove(&old);
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
        self.forget(&victims);
    }

    /// Evicts a tenant's own oldest answers while they take more than its share.
    fn keep_share(&self, driver: &mut EvictionDriver<Key>, limits: CacheLimits, tenant: Tenant) {
        if limits.max_share.is_none() {
            return;
        }
        let over = self.holdings.lock().excess(tenant, limits.share());
        let victims = {
            let entries = self.entries.read();
            let is_own = |key: &Key| {
                let entry = entries.get(key);
                entry.is_some_and(|entry| entry.tenant == Some(tenant))
            };
            driver.evict_own(over.bytes, over.entries, is_own)
        };
        self.forget(&victims);
    }

    /// Takes out entries that the driver has evicted.
    fn forget(&self, victims: &[Key]) {
        let mut entries = self.entries.write();
        for entry in victims.iter().filter_map(|key| entries.remove(key)) {
            self.bytes.fetch_sub(entry.facts.bytes, Ordering::Relaxed);
            self.holdings.lock().remove(&entry);
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
            self.holdings.lock().remove(&entry);
            self.bytes.fetch_sub(entry.facts.bytes, Ordering::Relaxed);
            driver.on_remove(id, cause);
            return true;
        }
        false
    }
}
