//! The keys of requests that came before, byte for byte: an identical one needs no parsing and no
//! keyer.
//!
//! It holds while every keyer decides alike about the same request, which the contract asks of
//! them; another chain starts with an empty memo.

use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

use deja_chat::Delivery;

use crate::{Headers, Key, digest::Digest, headers::HeaderRead};

/// A digest of a request as it came: its scope's parts and its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RawDigest([u8; 32]);

/// Makes a [`RawDigest`] while the body comes in.
pub struct RawHasher(blake3::Hasher);

impl RawHasher {
    /// For a body in this scope.
    #[must_use]
    pub fn new<'a>(scope: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Digest::new();
        scope.into_iter().for_each(|part| digest.add(part));
        Self(digest.into_hasher())
    }

    /// Takes the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest, once the body is whole.
    #[must_use]
    pub fn finish(self) -> RawDigest {
        RawDigest(self.0.finalize().into())
    }
}

/// What is known of a request that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Its key.
    pub key: Key,
    /// The form in which its answer is wanted.
    pub delivery: Delivery,
}

/// The requests that came lately, and their keys.
pub struct Memo {
    /// None where nothing is to be remembered.
    known: Option<Mutex<LruCache<RawDigest, Remembered>>>,
}

struct Remembered {
    recalled: Recalled,
    /// The key is theirs who sent these values.
    headers_read: Box<[HeaderRead]>,
}

impl Memo {
    /// Remembers up to `capacity` requests.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            known: NonZeroUsize::new(capacity).map(|capacity| Mutex::new(LruCache::new(capacity))),
        }
    }

    /// The key of a request, if it came before with the headers that mattered then.
    pub fn recall(&self, digest: &RawDigest, headers: &dyn Headers) -> Option<Recalled> {
        let mut known = self.known.as_ref()?.lock();
        let remembered = known.get(digest)?;
        let same = |read: &HeaderRead| headers.get(&read.name) == read.value.as_deref();
        remembered
            .headers_read
            .iter()
            .all(same)
            .then_some(remembered.recalled)
    }

    /// Remembers a request's key, and the headers on which it rests.
    pub fn remember(&self, digest: RawDigest, recalled: Recalled, headers_read: Vec<HeaderRead>) {
        if let Some(known) = &self.known {
            let headers_read = headers_read.into_boxed_slice();
            let remembered = Remembered {
                recalled,
                headers_read,
            };
            known.lock().put(digest, remembered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NoHeaders, testing::key};

    struct Team(&'static str);

    impl Headers for Team {
        fn get(&self, name: &str) -> Option<&str> {
            (name == "x-team").then_some(self.0)
        }
    }

    fn digest(scope: &[&[u8]], pieces: &[&str]) -> RawDigest {
        let mut hasher = RawHasher::new(scope.iter().copied());
        for piece in pieces {
            hasher.update(piece.as_bytes());
        }
        hasher.finish()
    }

    const RECALLED: fn() -> Recalled = || Recalled {
        key: key(1),
        delivery: Delivery::Whole,
    };

    #[test]
    fn pieces_do_not_matter_and_the_scope_does() {
        assert_eq!(digest(&[b"a"], &["bo", "dy"]), digest(&[b"a"], &["body"]));
        assert_ne!(digest(&[b"a"], &["body"]), digest(&[b"b"], &["body"]));
        assert_ne!(digest(&[b"a", b"b"], &[]), digest(&[b"ab"], &[]));
    }

    #[test]
    fn a_key_is_recalled_for_the_same_headers_only() {
        let memo = Memo::new(2);
        let digest = digest(&[], &["body"]);
        assert_eq!(memo.recall(&digest, &NoHeaders), None);
        let read = HeaderRead {
            name: "x-team".into(),
            value: Some("blue".into()),
        };
        memo.remember(digest, RECALLED(), vec![read]);
        assert_eq!(memo.recall(&digest, &Team("blue")), Some(RECALLED()));
        assert_eq!(memo.recall(&digest, &Team("red")), None);
        assert_eq!(memo.recall(&digest, &NoHeaders), None);
    }

    #[test]
    fn a_memo_of_no_size_remembers_nothing() {
        let memo = Memo::new(0);
        memo.remember(digest(&[], &[]), RECALLED(), Vec::new());
        assert_eq!(memo.recall(&digest(&[], &[]), &NoHeaders), None);
    }
}
