//! Asks the eviction policy, and chooses in its place when it fails.
//!
//! The policy's word is advice: a victim that does not exist is skipped, and where too few are
//! named the host's own order, least recently used first, tops up. How long a policy that fails is
//! left alone is the plugin host's to say.
//!
//! It holds no answers, and does not care under what kind of key somebody else holds them: so a
//! simulation can drive it as the cache does.

use lru::LruCache;
use tracing::{debug, warn};

use crate::{EntryFacts, EntryId, Eviction, PolicyError, PolicyFailure, RemovalCause};

/// All entries held, the least recently used last.
type Order<K> = LruCache<EntryId, (K, EntryFacts)>;

/// The eviction policy with the host's own order beside it. Entries are held elsewhere, under keys
/// of type `K`.
pub struct EvictionDriver<K> {
    advisor: Advisor,
    order: Order<K>,
    topped_up: u64,
}

impl<K: Copy> EvictionDriver<K> {
    /// Drives this policy, of an empty cache.
    #[must_use]
    pub fn new(policy: Box<dyn Eviction>) -> Self {
        let advisor = Advisor {
            policy,
            standing: Standing::Trusted,
        };
        Self {
            advisor,
            order: LruCache::unbounded(),
            topped_up: 0,
        }
    }

    /// Evictions that the host chose because the policy did not.
    #[must_use]
    pub fn topped_up(&self) -> u64 {
        self.topped_up
    }

    /// An entry came in.
    pub fn on_insert(&mut self, key: K, facts: EntryFacts) {
        self.order.put(facts.id, (key, facts));
        self.advisor
            .tell(&self.order, |policy| policy.on_insert(&facts));
    }

    /// Entries were used, oldest use first.
    pub fn on_hit(&mut self, ids: &[EntryId]) {
        let held: Vec<_> = ids
            .iter()
            .copied()
            .filter(|id| self.order.get(id).is_some())
            .collect();
        if !held.is_empty() {
            self.advisor
                .tell(&self.order, |policy| policy.on_hit(&held));
        }
    }

    /// An entry is gone.
    pub fn on_remove(&mut self, id: EntryId, cause: RemovalCause) {
        if self.order.pop(&id).is_some() {
            self.advisor
                .tell(&self.order, |policy| policy.on_remove(id, cause));
        }
    }

    /// Takes out entries, the policy's first choice first, until this much is free, and names them.
    pub fn evict(&mut self, bytes: u64, entries: u64) -> Vec<K> {
        let mut needed = Needed { bytes, entries };
        let mut evicted = Vec::new();
        if needed.is_met() {
            return evicted;
        }
        let advice = self
            .advisor
            .ask(&self.order, |policy| policy.victims(bytes, entries));
        let advised = advice.is_some();
        for id in advice.unwrap_or_default() {
            if needed.is_met() {
                return evicted;
            }
            evicted.extend(self.take(id, &mut needed));
        }
        if advised && !needed.is_met() {
            self.advisor.policy.note_useless("it named too few victims");
        }
        self.top_up(&mut needed, &mut evicted);
        evicted
    }

    /// Takes out the least recently used of those entries that `is_own` picks until this much is
    /// free, and names them. The policy is not asked: who has more than their share evicts their own.
    pub fn evict_own(&mut self, bytes: u64, entries: u64, is_own: impl Fn(&K) -> bool) -> Vec<K> {
        let mut needed = Needed { bytes, entries };
        let mut victims = Vec::new();
        for (id, (key, facts)) in self.order.iter().rev() {
            if needed.is_met() {
                break;
            }
            if is_own(key) {
                needed.take_off(facts);
                victims.push((*id, *key));
            }
        }
        for (id, _) in &victims {
            self.on_remove(*id, RemovalCause::Evicted);
        }
        victims.into_iter().map(|(_, key)| key).collect()
    }

    /// Takes out the least recently used until enough is free.
    fn top_up(&mut self, needed: &mut Needed, evicted: &mut Vec<K>) {
        while !needed.is_met() {
            let Some((&id, _)) = self.order.peek_lru() else {
                return;
            };
            evicted.extend(self.take(id, needed));
            self.topped_up += 1;
        }
    }

    fn take(&mut self, id: EntryId, needed: &mut Needed) -> Option<K> {
        let (key, facts) = *self.order.peek(&id)?;
        needed.take_off(&facts);
        self.on_remove(id, RemovalCause::Evicted);
        Some(key)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Puts another policy in place, which takes over what its predecessor knew.
    pub fn replace(&mut self, policy: Box<dyn Eviction>) {
        self.advisor.succeed(policy, &self.order);
    }
}

/// What has still to be freed.
struct Needed {
    bytes: u64,
    entries: u64,
}

impl Needed {
    fn take_off(&mut self, facts: &EntryFacts) {
        self.bytes = self.bytes.saturating_sub(facts.bytes);
        self.entries = self.entries.saturating_sub(1);
    }

    fn is_met(&self) -> bool {
        self.bytes == 0 && self.entries == 0
    }
}

/// The policy, and whether it is asked.
struct Advisor {
    policy: Box<dyn Eviction>,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has seen all that happened.
    Trusted,
    /// It does not know all that happened. Once it has been told of all entries it is trusted again.
    Ignorant,
}

impl Advisor {
    /// Lets the policy know what happened. `order` shows it already, so a policy that has to be
    /// told of all entries first knows it then.
    fn tell<K>(
        &mut self,
        order: &Order<K>,
        news: impl FnOnce(&mut dyn Eviction) -> Result<(), PolicyError>,
    ) {
        if self.standing == Standing::Trusted {
            let told = news(self.policy.as_mut());
            self.judge(told);
        } else {
            self.replay(order);
        }
    }

    fn ask<K, T>(
        &mut self,
        order: &Order<K>,
        question: impl FnOnce(&mut dyn Eviction) -> Result<T, PolicyError>,
    ) -> Option<T> {
        if self.standing == Standing::Ignorant {
            self.replay(order);
        }
        if self.standing == Standing::Ignorant {
            return None;
        }
        let answer = question(self.policy.as_mut());
        self.judge(answer)
    }

    /// Tells a policy that knows nothing of all entries, the least recently used first. While it is
    /// left alone the first fails at once.
    fn replay<K>(&mut self, order: &Order<K>) {
        self.standing = Standing::Trusted;
        let mut entries = order.iter().rev();
        let told = entries.try_for_each(|(_, (_, facts))| self.policy.on_insert(facts));
        self.judge(told);
    }

    fn judge<T>(&mut self, result: Result<T, PolicyError>) -> Option<T> {
        result
            .inspect_err(|error| {
                if error.failure != PolicyFailure::LeftAlone {
                    warn!(%error, "the host evicts in the policy's place");
                }
                if !error.failure.is_harmless() {
                    self.standing = Standing::Ignorant;
                }
            })
            .ok()
    }

    fn succeed<K>(&mut self, policy: Box<dyn Eviction>, order: &Order<K>) {
        let mut predecessor = std::mem::replace(&mut self.policy, policy);
        let state = match self.standing {
            Standing::Trusted => predecessor.save().ok(),
            Standing::Ignorant => None,
        };
        self.standing = Standing::Trusted;
        let restored = match state {
            Some(state) => self.policy.restore(&state),
            None => Ok(false),
        };
        if !self.judge(restored).unwrap_or(false) {
            debug!(plugin = self.policy.name(), "told of all entries anew");
            self.replay(order);
        }
    }
}
