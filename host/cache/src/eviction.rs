//! Asks the eviction policy, and chooses in its place when it fails.
//!
//! The policy's word is advice: a victim that does not exist is skipped, and where too few are
//! named the host's own order, least recently used first, tops up.

use std::time::{Duration, Instant};

use lru::LruCache;
use tracing::{debug, warn};

use crate::{EntryFacts, EntryId, Eviction, Key, PolicyError, RemovalCause};

/// How long a policy that failed is left alone; twice as long after each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// All entries held, the least recently used last.
type Order = LruCache<EntryId, (Key, EntryFacts)>;

/// The eviction policy with the host's own order beside it.
pub(crate) struct EvictionDriver {
    advisor: Advisor,
    order: Order,
    topped_up: u64,
}

impl EvictionDriver {
    pub(crate) fn new(policy: Box<dyn Eviction>) -> Self {
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
    pub(crate) fn topped_up(&self) -> u64 {
        self.topped_up
    }

    pub(crate) fn on_insert(&mut self, key: Key, facts: EntryFacts) {
        self.order.put(facts.id, (key, facts));
        self.advisor
            .tell(&self.order, |policy| policy.on_insert(&facts));
    }

    pub(crate) fn on_hit(&mut self, ids: &[EntryId]) {
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

    pub(crate) fn on_remove(&mut self, id: EntryId, cause: RemovalCause) {
        if self.order.pop(&id).is_some() {
            self.advisor
                .tell(&self.order, |policy| policy.on_remove(id, cause));
        }
    }

    /// Takes out entries, the policy's first choice first, until this much is free, and names them.
    pub(crate) fn evict(&mut self, bytes: u64, entries: u64) -> Vec<Key> {
        let mut needed = Needed { bytes, entries };
        let mut evicted = Vec::new();
        if needed.is_met() {
            return evicted;
        }
        let advice = self
            .advisor
            .ask(&self.order, |policy| policy.victims(bytes, entries));
        for id in advice.unwrap_or_default() {
            if needed.is_met() {
                return evicted;
            }
            evicted.extend(self.take(id, &mut needed));
        }
        while !needed.is_met() {
            let Some((&id, _)) = self.order.peek_lru() else {
                break;
            };
            evicted.extend(self.take(id, &mut needed));
            self.topped_up += 1;
        }
        evicted
    }

    fn take(&mut self, id: EntryId, needed: &mut Needed) -> Option<Key> {
        let (key, facts) = *self.order.peek(&id)?;
        needed.bytes = needed.bytes.saturating_sub(facts.bytes);
        needed.entries = needed.entries.saturating_sub(1);
        self.on_remove(id, RemovalCause::Evicted);
        Some(key)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    #[cfg(test)]
    pub(crate) fn end_pause(&mut self) {
        if let Standing::Paused { until, .. } = &mut self.advisor.standing {
            *until = Instant::now();
        }
    }

    /// Puts another policy in place, which takes over what its predecessor knew.
    pub(crate) fn replace(&mut self, policy: Box<dyn Eviction>) {
        self.advisor.succeed(policy, &self.order);
    }
}

/// What has still to be freed.
struct Needed {
    bytes: u64,
    entries: u64,
}

impl Needed {
    fn is_met(&self) -> bool {
        self.bytes == 0 && self.entries == 0
    }
}

/// The policy, and whether it is asked.
struct Advisor {
    policy: Box<dyn Eviction>,
    standing: Standing,
}

enum Standing {
    /// It has seen all that happened.
    Trusted,
    /// It lost its state. Once the pause is over it is told of all entries, and trusted again.
    Paused { until: Instant, pause: Duration },
}

impl Standing {
    fn paused(pause: Duration) -> Self {
        Self::Paused {
            until: Instant::now() + pause,
            pause,
        }
    }
}

impl Advisor {
    /// Lets the policy know what happened. `order` shows it already, so a policy that has to be
    /// told of all entries first knows it then.
    fn tell(
        &mut self,
        order: &Order,
        news: impl FnOnce(&mut dyn Eviction) -> Result<(), PolicyError>,
    ) {
        if matches!(self.standing, Standing::Trusted) {
            let told = news(self.policy.as_mut());
            self.judge(told, FIRST_PAUSE);
        } else {
            self.recover(order);
        }
    }

    fn ask<T>(
        &mut self,
        order: &Order,
        question: impl FnOnce(&mut dyn Eviction) -> Result<T, PolicyError>,
    ) -> Option<T> {
        self.recover(order);
        if !matches!(self.standing, Standing::Trusted) {
            return None;
        }
        let answer = question(self.policy.as_mut());
        self.judge(answer, FIRST_PAUSE)
    }

    fn recover(&mut self, order: &Order) {
        if let Standing::Paused { until, pause } = self.standing
            && until <= Instant::now()
        {
            let told = replay(self.policy.as_mut(), order);
            if self.judge(told, (pause * 2).min(LONGEST_PAUSE)).is_some() {
                self.standing = Standing::Trusted;
            }
        }
    }

    fn judge<T>(&mut self, result: Result<T, PolicyError>, pause: Duration) -> Option<T> {
        result
            .inspect_err(|error| {
                warn!(%error, "the host evicts in the policy's place");
                if error.state_lost {
                    self.standing = Standing::paused(pause);
                }
            })
            .ok()
    }

    fn succeed(&mut self, policy: Box<dyn Eviction>, order: &Order) {
        let mut predecessor = std::mem::replace(&mut self.policy, policy);
        let state = match self.standing {
            Standing::Trusted => predecessor.save().ok(),
            Standing::Paused { .. } => None,
        };
        self.standing = Standing::Trusted;
        let restored = match state {
            Some(state) => self.policy.restore(&state),
            None => Ok(false),
        };
        if !self.judge(restored, FIRST_PAUSE).unwrap_or(false) {
            debug!(plugin = self.policy.name(), "told of all entries anew");
            // A restore that failed left a fresh policy behind: what it is told now is all there is.
            self.standing = Standing::Trusted;
            let told = replay(self.policy.as_mut(), order);
            self.judge(told, FIRST_PAUSE);
        }
    }
}

/// Tells a policy that knows nothing of all entries, the least recently used first.
fn replay(policy: &mut dyn Eviction, order: &Order) -> Result<(), PolicyError> {
    order
        .iter()
        .rev()
        .try_for_each(|(_, (_, facts))| policy.on_insert(facts))
}
