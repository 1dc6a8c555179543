//! How much a queue may hold.
//!
//! The papers count objects of one size. Here a queue is over its quota when it holds more than its
//! share of either limit, entries or bytes: with sizes all alike, or one limit out of reach, that is
//! what the papers say.

use deja_plugin::eviction::Capacity;

/// What a queue holds, or may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Quota {
    /// All that the cache may hold.
    pub(crate) fn whole(capacity: Capacity) -> Self {
        Self {
            entries: capacity.entries,
            bytes: capacity.bytes,
        }
    }

    /// A share of this, between 0 and 1, and the rest.
    pub(crate) fn split(self, share: f64) -> (Self, Self) {
        let part = Self {
            entries: part(self.entries, share),
            bytes: part(self.bytes, share),
        };
        let rest = Self {
            entries: self.entries - part.entries,
            bytes: self.bytes - part.bytes,
        };
        (part, rest)
    }

    /// Whether this much is too much.
    pub(crate) fn is_exceeded_by(self, load: Self) -> bool {
        load.entries > self.entries || load.bytes > self.bytes
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share need not be exact, and `min` keeps it below the whole"
)]
fn part(whole: u64, share: f64) -> u64 {
    ((whole as f64 * share) as u64).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_and_the_rest_are_the_whole() {
        let whole = Quota {
            entries: 15,
            bytes: u64::MAX,
        };
        let (part, rest) = whole.split(0.1);
        assert_eq!((part.entries, rest.entries), (1, 14));
        assert_eq!(part.bytes + rest.bytes, u64::MAX);
        assert_eq!(whole.split(1.0), (whole, Quota::default()));
    }

    #[test]
    fn either_limit_can_be_exceeded() {
        let quota = |entries, bytes| Quota { entries, bytes };
        assert!(!quota(2, 10).is_exceeded_by(quota(2, 10)));
        assert!(quota(2, 10).is_exceeded_by(quota(3, 0)));
        assert!(quota(2, 10).is_exceeded_by(quota(0, 11)));
    }
}
