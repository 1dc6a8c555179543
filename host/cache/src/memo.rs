//! The keys of requests that came before, byte for byte: an identical one needs no parsing and no
//! keyer.
//!
//! It holds while every keyer decides alike about the same request, which the contract asks of
//! them; another chain starts with an empty memo.

use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

use deja_wire::Delivery;

use crate::{Headers, Key, digest::Digest, headers::HeaderRead};

/// A digest of a request as it came: its scope's parts and its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RawDigest([u8; 32]);

/// Makes a [`RawDigest`] while the body comes in. What is hashed is the scope's parts, each behind
/// its length, then the body, its length and the number of parts: read from its end, that is one
/// request only.
pub struct RawHasher {
    hasher: blake3::Hasher,
    parts: u64,
    body_bytes: u64,
}

impl RawHasher {
    /// For a body in this scope.
    #[must_use]
    pub fn new<'a>(scope: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Digest::new();
        let mut parts = 0;
        for part in scope {
            digest.add(part);
            parts += 1;
        }
        Self {
            hasher: digest.into_hasher(),
            parts,
            body_bytes: 0,
        }
    }

    /// Takes the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
        self.body_bytes += piece.len() as u64;
    }

    /// The digest, once the body is whole.
    #[must_use]
    pub fn finish(mut self) -> RawDigest {
        self.hasher.update(&self.body_bytes.to_le_bytes());
        self.hasher.update(&self.parts.to_le_bytes());
        RawDigest(self.hasher.finalize().into())
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
    use proptest::prelude::*;

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
    /// The bytes of parts and a body in a row, cut at these places, and the rest as the body.
    fn cut(bytes: &[u8], places: &[usize]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut places: Vec<_> = places
            .iter()
            .map(|place| place % (bytes.len() + 1))
            .collect();
        places.sort_unstable();
        let mut done = 0;
        let mut parts = Vec::new();
        for place in places {
            parts.push(bytes[done..place].to_vec());
            done = place;
        }
        (parts, bytes[done..].to_vec())
    }

    fn digest_of((parts, body): &(Vec<Vec<u8>>, Vec<u8>)) -> RawDigest {
        let mut hasher = RawHasher::new(parts.iter().map(Vec::as_slice));
        hasher.update(body);
        hasher.finish()
    }

    #[test]
    fn a_body_is_never_taken_for_a_part() {
        let mut body = 3_u64.to_le_bytes().to_vec();
        body.extend(b"ada");
        let as_body = (vec![b"x".to_vec()], body);
        let as_part = (vec![b"x".to_vec(), b"ada".to_vec()], Vec::new());
        assert_ne!(digest_of(&as_body), digest_of(&as_part));
    }

    proptest! {
        #[test]
        fn bytes_that_move_from_part_to_part_make_another_digest(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..40),
            one in prop::collection::vec(any::<usize>(), 0..5),
            other in prop::collection::vec(any::<usize>(), 0..5),
        ) {
            let (one, other) = (cut(&bytes, &one), cut(&bytes, &other));
            prop_assert_eq!(digest_of(&one) == digest_of(&other), one == other);
        }
    }
}
