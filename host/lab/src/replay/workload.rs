//! What a trace asks of a cache, in the least memory: keys as numbers from 0, and no bodies.

use std::collections::HashMap;

use deja_trace::{Access, BlockRequest, Digest};

use super::asked::Asked;

/// The requests of a trace under the keys of one keyer.
#[derive(Debug, Default)]
pub(super) struct Workload {
    pub(super) requests: Vec<Request>,
    /// The digest of each key: what an eviction policy knows it by.
    pub(super) keys: Vec<u64>,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) at_ms: u64,
    /// Its key, an index into [`Workload::keys`].
    pub(super) key: u32,
    pub(super) treatment: Treatment,
    /// Bytes that its answer takes up.
    pub(super) bytes: u64,
    /// Milliseconds that a hit saves.
    pub(super) cost_ms: u32,
    pub(super) prompt_tokens: u32,
    pub(super) output_tokens: u32,
    /// How long its answer stays good, where its keyer says so.
    pub(super) ttl_seconds: Option<u32>,
}

/// What the cache may do for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Look its answer up, and store a new one.
    Cache,
    /// Look its answer up only.
    Lookup,
    /// Nothing.
    Bypass,
}

/// Why a trace cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTrace {
    /// Nothing is in it.
    #[error("it holds no request")]
    Empty,
    /// An access of no bytes.
    #[error("access {number} has a size of zero bytes")]
    NoBytes {
        /// Which, from 1.
        number: usize,
    },
    /// The clock goes back, so that nobody knows what came before what.
    #[error(
        "times run backwards: access {number} is at {at_ms} ms, the one before it at {before_ms} ms"
    )]
    Backwards {
        /// Which, from 1.
        number: usize,
        /// Its time.
        at_ms: u64,
        /// The time of the one before it.
        before_ms: u64,
    },
    /// More than can be numbered.
    #[error("it holds more than {} requests", u32::MAX)]
    TooLong,
}

impl Workload {
    /// The accesses of a trace that knows keys only, in its order.
    pub(super) fn of_accesses(
        accesses: impl IntoIterator<Item = Access>,
    ) -> Result<Self, BadTrace> {
        Self::gather(accesses.into_iter().map(|access| (access, [0, 0])))
    }

    /// The requests of a trace that knows them by their blocks, in its order.
    pub(super) fn of_blocks(
        requests: impl IntoIterator<Item = BlockRequest>,
    ) -> Result<Self, BadTrace> {
        let tokens = |request: &BlockRequest| [request.prompt_tokens, request.output_tokens];
        Self::gather(
            requests
                .into_iter()
                .map(|request| (request.access(), tokens(&request))),
        )
    }

    fn gather(accesses: impl Iterator<Item = (Access, [u32; 2])>) -> Result<Self, BadTrace> {
        let mut keys = Numbers::default();
        let mut requests: Vec<Request> = Vec::new();
        for (access, [prompt_tokens, output_tokens]) in accesses {
            let before_ms = requests.last().map_or(0, |request| request.at_ms);
            check(&access, requests.len() + 1, before_ms)?;
            requests.push(Request {
                at_ms: access.at_ms,
                key: keys.number(access.key),
                treatment: Treatment::Cache,
                bytes: access.bytes,
                cost_ms: access.cost_ms,
                prompt_tokens,
                output_tokens,
                ttl_seconds: None,
            });
        }
        if requests.is_empty() {
            return Err(BadTrace::Empty);
        }
        let keys = keys.digests;
        Ok(Self { requests, keys })
    }

    /// Requests under the keys of keyer number `keyer`.
    pub(super) fn of_asked(asked: &[Asked], keyer: usize) -> Self {
        let mut keys = Numbers::default();
        let request = |asked: &Asked| {
            let under = &asked.keyed[keyer];
            Request {
                at_ms: asked.at_ms,
                key: keys.number(under.key),
                treatment: under.treatment,
                bytes: under.bytes,
                cost_ms: asked.cost_ms,
                prompt_tokens: asked.prompt_tokens,
                output_tokens: asked.output_tokens,
                ttl_seconds: under.ttl_seconds,
            }
        };
        let requests = asked.iter().map(request).collect();
        let keys = keys.digests;
        Self { requests, keys }
    }

    /// The digest of all that the result of a simulation depends on.
    pub(super) fn digest(&self) -> Digest {
        let numbers = self.requests.iter().flat_map(|request| {
            [
                request.at_ms,
                self.keys[request.key as usize],
                request.treatment as u64,
                request.bytes,
                request.cost_ms.into(),
                request.prompt_tokens.into(),
                request.output_tokens.into(),
                request.ttl_seconds.map_or(u64::MAX, u64::from),
            ]
        });
        let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        Digest::of(&bytes)
    }
}

fn check(access: &Access, number: usize, before_ms: u64) -> Result<(), BadTrace> {
    let at_ms = access.at_ms;
    if access.bytes == 0 {
        return Err(BadTrace::NoBytes { number });
    }
    if at_ms < before_ms {
        return Err(BadTrace::Backwards {
            number,
            at_ms,
            before_ms,
        });
    }
    if u32::try_from(number).is_err() {
        return Err(BadTrace::TooLong);
    }
    Ok(())
}

/// Gives digests numbers, in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    numbers: HashMap<u64, u32>,
    pub(super) digests: Vec<u64>,
}

impl Numbers {
    pub(super) fn number(&mut self, digest: u64) -> u32 {
        let next = u32::try_from(self.digests.len()).expect("there are no more keys than requests");
        *self.numbers.entry(digest).or_insert_with(|| {
            self.digests.push(digest);
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(at_ms: u64, bytes: u64) -> Access {
        Access {
            at_ms,
            bytes,
            ..Access::unit(7)
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_named() {
        for (accesses, error) in [
            (vec![], "it holds no request"),
            (
                vec![access(0, 1), access(0, 0)],
                "access 2 has a size of zero bytes",
            ),
            (
                vec![access(5, 1), access(4, 1)],
                "times run backwards: access 2 is at 4 ms, the one before it at 5 ms",
            ),
        ] {
            let refused = Workload::of_accesses(accesses).expect_err("it makes no sense");
            assert_eq!(refused.to_string(), error);
        }
    }

    #[test]
    fn keys_are_numbered_as_they_come() {
        let keys = [9, 4, 9].map(Access::unit);
        let workload = Workload::of_accesses(keys).expect("it makes sense");
        let numbers: Vec<_> = workload
            .requests
            .iter()
            .map(|request| request.key)
            .collect();
        assert_eq!((numbers, workload.keys), (vec![0, 1, 0], vec![9, 4]));
    }
}
