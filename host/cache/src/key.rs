//! From a request to the key under which its answer is kept.
//!
//! A keyer never makes a key. It says what does not matter; what is left is hashed here, so a
//! field that nobody thought of stays in the key.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Decision, EditError, KeyRequest, Keyer, PolicyError, Recipe, canonical, edit};

/// Changes whenever the same request comes to another key.
const KEY_FORMAT: &[u8] = b"deja key 1";

/// The BLAKE3-256 digest of what matters in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

#[cfg(test)]
impl Key {
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whose answers a caller may see: a digest of the credentials, never they themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition([u8; 32]);

impl Partition {
    /// The partition of those who show exactly these credentials; none is one as well.
    #[must_use]
    pub fn of<'a>(credentials: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Digest::new();
        credentials.into_iter().for_each(|part| digest.add(part));
        Self(digest.finish())
    }
}

/// What the keyers make of a request.
#[derive(Debug)]
pub enum Keyed {
    /// It has a key.
    Cache(Ticket),
    /// The cache is left out.
    Bypass(BypassReason),
}

/// A request's key, and the terms on which its answer is kept.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Where the answer is, or will be.
    pub key: Key,
    /// Whether a new answer is stored.
    pub store: bool,
    /// How long a new answer stays good, where it is less than the cache's own limit.
    pub ttl: Option<Duration>,
    /// Names to purge by.
    pub tags: Vec<String>,
}

/// Why the cache is left out. A key is never guessed.
#[derive(Debug, thiserror::Error)]
pub enum BypassReason {
    /// A keyer says that the answer is not to be cached.
    #[error("{0}")]
    Asked(String),
    /// A keyer failed.
    #[error(transparent)]
    KeyerFailed(#[from] PolicyError),
    /// A keyer asked for a change that cannot be made.
    #[error(transparent)]
    BadEdit(#[from] EditError),
}

/// Keyers in a row: each sees the body as the one before it left it.
pub struct KeyerChain {
    keyers: Vec<Arc<dyn Keyer>>,
}

impl KeyerChain {
    /// A chain of these keyers, in this order.
    #[must_use]
    pub fn new(keyers: Vec<Arc<dyn Keyer>>) -> Self {
        Self { keyers }
    }

    /// The request's key in a caller's partition, or why it has none.
    #[must_use]
    pub fn key(&self, request: KeyRequest, partition: Partition) -> Keyed {
        let mut draft = Draft::new(request);
        for keyer in &self.keyers {
            if let Err(reason) = draft.consult(keyer.as_ref()) {
                return Keyed::Bypass(reason);
            }
        }
        Keyed::Cache(draft.finish(self, partition))
    }
}

/// A request on its way through the chain.
struct Draft {
    request: KeyRequest,
    partitions: Vec<String>,
    store: bool,
    ttl_seconds: Option<u32>,
    tags: Vec<String>,
}

impl Draft {
    fn new(request: KeyRequest) -> Self {
        Self {
            request,
            partitions: Vec::new(),
            store: true,
            ttl_seconds: None,
            tags: Vec::new(),
        }
    }

    fn consult(&mut self, keyer: &dyn Keyer) -> Result<(), BypassReason> {
        match keyer.decide(&self.request)? {
            Decision::Cache(recipe) => self.follow(recipe),
            Decision::Lookup(recipe) => {
                self.store = false;
                self.follow(recipe)
            }
            Decision::Bypass(reason) => Err(BypassReason::Asked(reason)),
        }
    }

    fn follow(&mut self, recipe: Recipe) -> Result<(), BypassReason> {
        if !recipe.edits.is_empty() {
            self.request.body = Arc::new(edit::apply(&self.request.body, &recipe.edits)?);
        }
        self.partitions.push(recipe.partition.unwrap_or_default());
        self.ttl_seconds = [self.ttl_seconds, recipe.ttl_seconds]
            .into_iter()
            .flatten()
            .min();
        self.tags.extend(recipe.tags);
        Ok(())
    }

    fn finish(self, chain: &KeyerChain, partition: Partition) -> Ticket {
        let mut digest = Digest::new();
        digest.add(KEY_FORMAT);
        for (keyer, partition) in chain.keyers.iter().zip(&self.partitions) {
            digest.add(keyer.identity().as_bytes());
            digest.add(partition.as_bytes());
        }
        digest.add(self.request.endpoint.name().as_bytes());
        digest.add(&partition.0);
        digest.add(&canonical::body(&self.request.body));
        Ticket {
            key: Key(digest.finish()),
            store: self.store,
            ttl: self
                .ttl_seconds
                .map(|seconds| Duration::from_secs(seconds.into())),
            tags: self.tags,
        }
    }
}

/// A digest of parts, each with its length, so that no two lists of parts run together.
struct Digest(blake3::Hasher);

impl Digest {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Change, Edit, Endpoint, testing::NoHeaders};

    /// Decides alike about every request.
    struct Fixed(&'static str, Decision);

    impl Keyer for Fixed {
        fn identity(&self) -> &str {
            self.0
        }

        fn decide(&self, _: &KeyRequest) -> Result<Decision, PolicyError> {
            Ok(self.1.clone())
        }
    }

    struct Broken;

    impl Keyer for Broken {
        fn identity(&self) -> &'static str {
            "broken"
        }

        fn decide(&self, _: &KeyRequest) -> Result<Decision, PolicyError> {
            Err(PolicyError {
                plugin: "broken".into(),
                message: "trapped".into(),
                state_lost: true,
            })
        }
    }

    fn removing(pointer: &str) -> Recipe {
        let change = Change::Remove {
            pointer: pointer.into(),
        };
        Recipe {
            edits: vec![Edit {
                rule: "drop".into(),
                change,
            }],
            ..Recipe::default()
        }
    }

    fn chain(keyers: impl IntoIterator<Item = (&'static str, Recipe)>) -> KeyerChain {
        let keyer =
            |(name, recipe)| Arc::new(Fixed(name, Decision::Cache(recipe))) as Arc<dyn Keyer>;
        KeyerChain::new(keyers.into_iter().map(keyer).collect())
    }

    fn ask(chain: &KeyerChain, body: Value, credentials: &[&[u8]]) -> Keyed {
        let request = KeyRequest {
            endpoint: Endpoint::ChatCompletions,
            headers: Arc::new(NoHeaders),
            body: Arc::new(body),
        };
        chain.key(request, Partition::of(credentials.iter().copied()))
    }

    fn key(chain: &KeyerChain, body: Value, credentials: &[&[u8]]) -> Key {
        match ask(chain, body, credentials) {
            Keyed::Cache(ticket) => ticket.key,
            Keyed::Bypass(reason) => panic!("bypassed: {reason}"),
        }
    }

    #[test]
    fn only_what_a_keyer_takes_out_stays_out_of_the_key() {
        let chain = chain([("a", removing("/user"))]);
        let ada = key(&chain, json!({"user": "ada", "messages": []}), &[]);
        assert_eq!(
            ada,
            key(
                &chain,
                json!({"messages": [], "user": "bob", "stream": true}),
                &[]
            )
        );
        assert_ne!(
            ada,
            key(
                &chain,
                json!({"user": "ada", "messages": [], "new": 1}),
                &[]
            )
        );
    }

    #[test]
    fn each_keyer_sees_what_the_one_before_left() {
        let twice = chain([("a", removing("/x")), ("b", removing("/x"))]);
        let reason = ask(&twice, json!({"x": 1}), &[]);
        assert!(
            matches!(reason, Keyed::Bypass(BypassReason::BadEdit(_))),
            "{reason:?}"
        );
    }

    #[test]
    fn identity_partition_and_credentials_keep_keys_apart() {
        let body = || json!({"messages": []});
        let of = |partition: Option<&str>| Recipe {
            partition: partition.map(str::to_owned),
            ..Recipe::default()
        };
        let keys = [
            key(&chain([("a", of(None))]), body(), &[]),
            key(&chain([("b", of(None))]), body(), &[]),
            key(&chain([("a", of(Some("p")))]), body(), &[]),
            key(&chain([("a", of(None)), ("a", of(None))]), body(), &[]),
            key(&chain([("a", of(None))]), body(), &[b"ada", b""]),
            key(&chain([("a", of(None))]), body(), &[b"", b"ada"]),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn the_strictest_terms_hold() {
        let recipe = |ttl_seconds| Recipe {
            ttl_seconds,
            ..Recipe::default()
        };
        let keyers: Vec<Arc<dyn Keyer>> = vec![
            Arc::new(Fixed("a", Decision::Cache(recipe(Some(9))))),
            Arc::new(Fixed("b", Decision::Lookup(recipe(Some(5))))),
            Arc::new(Fixed("c", Decision::Cache(recipe(None)))),
        ];
        let Keyed::Cache(ticket) = ask(&KeyerChain::new(keyers), json!({}), &[]) else {
            panic!("the request has a key");
        };
        assert_eq!(
            (ticket.store, ticket.ttl),
            (false, Some(Duration::from_secs(5)))
        );
    }

    #[test]
    fn a_failing_keyer_never_makes_a_key() {
        let keyed = ask(&KeyerChain::new(vec![Arc::new(Broken)]), json!({}), &[]);
        assert!(
            matches!(keyed, Keyed::Bypass(BypassReason::KeyerFailed(_))),
            "{keyed:?}"
        );
    }
}
