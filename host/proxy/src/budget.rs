//! Memory that all requests, or all answers, have together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes that each share has without asking: small requests and answers are not refused because
/// large ones have taken all.
const FREE: usize = 64 << 10;

/// Counts the bytes that are taken, by all shares of it. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget(Arc<AtomicUsize>);

/// All bytes that may be taken are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Budget {
    /// Takes so many bytes, if no more than `limit` are taken then.
    pub(crate) fn take(&self, bytes: usize, limit: usize) -> Result<Share, Exhausted> {
        let share = Share {
            budget: self.clone(),
            limit,
            free: 0,
            bytes: AtomicUsize::new(0),
        };
        share.grow(bytes).map(|()| share)
    }

    /// Returns a share that holds nothing yet, and takes nothing while it is small.
    pub(crate) fn share(&self, limit: usize) -> Share {
        Share {
            budget: self.clone(),
            limit,
            free: FREE,
            bytes: AtomicUsize::new(0),
        }
    }
}

/// Bytes of a budget. Its drop gives them back.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    limit: usize,
    free: usize,
    bytes: AtomicUsize,
}

impl Share {
    /// Takes more bytes, if no more than the limit are taken then.
    pub(crate) fn grow(&self, bytes: usize) -> Result<(), Exhausted> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let more = self.charged(before.saturating_add(bytes)) - self.charged(before);
        let fits = |taken: usize| taken.checked_add(more).filter(|all| *all <= self.limit);
        let taken = &self.budget.0;
        if more == 0
            || taken
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
                .is_ok()
        {
            return Ok(());
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(Exhausted)
    }

    fn charged(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.free)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        let taken = self.charged(bytes);
        self.budget.0.fetch_sub(taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100;

    #[test]
    fn no_more_is_taken_than_the_limit_and_all_is_given_back() {
        let budget = Budget::default();
        let first = budget.take(60, LIMIT).expect("there is room");
        assert_eq!(budget.take(60, LIMIT).err(), Some(Exhausted));
        assert_eq!(first.grow(usize::MAX), Err(Exhausted));
        first.grow(40).expect("there is room");
        assert_eq!(budget.take(1, LIMIT).err(), Some(Exhausted));
        drop(first);
        budget.take(LIMIT, LIMIT).expect("all was given back");
    }

    #[test]
    fn a_small_share_takes_nothing() {
        let budget = Budget::default();
        let _all = budget.take(LIMIT, LIMIT).expect("there is room");
        let small = budget.share(LIMIT);
        small.grow(FREE).expect("it is small");
        assert_eq!(small.grow(1), Err(Exhausted));
    }
}
