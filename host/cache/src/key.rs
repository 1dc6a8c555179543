//! From a request to the key under which its answer is kept.
//!
//! A keyer never makes a key. It says what does not matter; what is left is hashed here, so a
//! field that nobody thought of stays in the key.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::Value;

use crate::{
    Decision, Edit, EditError, EditProblem, Floor, Held, KeyRequest, Keyer, PolicyError, Recipe,
    canonical,
    digest::Digest,
    edit, floor,
    headers::{HeaderRead, WatchedHeaders},
    patch::Patch,
};

/// Changes whenever the same request comes to another key.
const KEY_FORMAT: &[u8] = b"deja key 2";

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
        f.write_str(blake3::Hash::from(self.0).to_hex().as_str())
    }
}

impl Key {
    /// A short digest of it, for those who need to know it again and not to find it.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let first = self.0.first_chunk().expect("a key is longer");
        u64::from_le_bytes(*first)
    }
}

/// A text that is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 64 hexadecimal digits")]
pub struct NotAKey;

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(hash.into()))
            .map_err(|_| NotAKey)
    }
}

/// What else must be the same, besides the body: whose answers they are, which backend gives them.
/// A digest, so that credentials are never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope([u8; 32]);

impl Scope {
    /// The scope of exactly these parts, in this order.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Digest::new();
        parts.into_iter().for_each(|part| digest.add(part));
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
    /// The model that is asked for; empty if none is.
    pub model: Box<str>,
    /// Whether a new answer is stored.
    pub store: bool,
    /// How long a new answer stays good, where it is less than the cache's own limit.
    pub ttl: Option<Duration>,
    /// Names to purge by.
    pub tags: Vec<String>,
    /// The body as it was hashed: canonical JSON.
    pub body: Bytes,
}

/// Why the cache is left out. A key is never guessed.
#[derive(Debug, thiserror::Error)]
pub enum BypassReason {
    /// A keyer says that the answer is not to be cached.
    #[error("{0}")]
    Asked(String),
    /// The answer depends on what the upstream keeps, as this field of the request says.
    #[error("the answer depends on what the upstream keeps: see `{0}`")]
    Stateful(&'static str),
    /// A keyer failed.
    #[error(transparent)]
    KeyerFailed(#[from] PolicyError),
    /// A keyer asked for a change that cannot be made.
    #[error(transparent)]
    BadEdit(#[from] EditError),
}

/// All that came of asking the keyers.
#[derive(Debug)]
pub struct Consultation {
    /// The key, or why there is none.
    pub keyed: Keyed,
    /// The edits that were made, each with its keyer's name.
    pub edits: Vec<(String, Edit)>,
    /// The headers that a keyer read, each with the value that it saw.
    pub headers_read: Vec<HeaderRead>,
}

impl Consultation {
    /// Returns that of a request that no keyer is asked about.
    #[must_use]
    pub fn bypassed(reason: BypassReason) -> Self {
        Self {
            keyed: Keyed::Bypass(reason),
            edits: Vec::new(),
            headers_read: Vec::new(),
        }
    }
}

/// Keyers in a row: each sees the body as the one before it left it.
#[derive(Clone)]
pub struct KeyerChain {
    keyers: Vec<Arc<dyn Keyer>>,
}

impl KeyerChain {
    /// A chain of these keyers, in this order.
    #[must_use]
    pub fn new(keyers: Vec<Arc<dyn Keyer>>) -> Self {
        Self { keyers }
    }

    /// Returns `Open` if the floor is open for any of the keyers.
    #[must_use]
    pub fn floor(&self) -> Floor {
        let mut keyers = self.keyers.iter();
        if keyers.any(|keyer| keyer.floor() == Floor::Open) {
            Floor::Open
        } else {
            Floor::Held
        }
    }

    /// Asks the keyers about a request. Its key, if it gets one, is one of this scope.
    #[must_use]
    pub fn consult(&self, request: KeyRequest, scope: Scope) -> Consultation {
        let headers = Arc::new(WatchedHeaders::new(request.headers.clone()));
        let mut draft = Draft::new(KeyRequest {
            headers: headers.clone(),
            ..request
        });
        let consulted = self
            .keyers
            .iter()
            .try_for_each(|keyer| draft.consult(keyer.as_ref()));
        let edits = std::mem::take(&mut draft.edits);
        let keyed = match consulted {
            Ok(()) => Keyed::Cache(draft.finish(self, scope)),
            Err(reason) => Keyed::Bypass(reason),
        };
        Consultation {
            keyed,
            edits,
            headers_read: headers.read(),
        }
    }
}

/// A request on its way through the chain.
struct Draft {
    request: KeyRequest,
    /// The body of which the floor holds what stands in it: the one that came, or as the last
    /// keyer left it whose floor is open.
    held: Arc<Value>,
    /// Whether the last keyer's floor is open.
    is_open: bool,
    /// What the last keyer's edits make of the body.
    patch: Patch,
    edits: Vec<(String, Edit)>,
    partitions: Vec<String>,
    store: bool,
    ttl_seconds: Option<u32>,
    tags: Vec<String>,
}

impl Draft {
    fn new(request: KeyRequest) -> Self {
        Self {
            held: request.body.clone(),
            is_open: false,
            request,
            patch: Patch::default(),
            edits: Vec::new(),
            partitions: Vec::new(),
            store: true,
            ttl_seconds: None,
            tags: Vec::new(),
        }
    }

    fn consult(&mut self, keyer: &dyn Keyer) -> Result<(), BypassReason> {
        self.make_edits();
        match keyer.decide(&self.request)? {
            Decision::Cache(recipe) => self.follow(keyer, recipe),
            Decision::Lookup(recipe) => {
                self.store = false;
                self.follow(keyer, recipe)
            }
            Decision::Bypass(reason) => Err(BypassReason::Asked(reason)),
        }
    }

    /// Makes the last keyer's edits, for the next one to see. They need not be made for the key.
    fn make_edits(&mut self) {
        let patch = std::mem::take(&mut self.patch);
        if !patch.is_kept() {
            self.request.body = Arc::new(patch.applied(&self.request.body));
            self.request.text = None;
        }
        if std::mem::take(&mut self.is_open) {
            self.held = self.request.body.clone();
        }
    }

    fn follow(&mut self, keyer: &dyn Keyer, recipe: Recipe) -> Result<(), BypassReason> {
        self.is_open = keyer.floor() == Floor::Open;
        self.patch = self
            .checked(&recipe.edits)
            .inspect_err(|error| keyer.note_useless(&error.to_string()))?;
        let edits = recipe.edits.into_iter();
        self.edits
            .extend(edits.map(|edit| (keyer.name().to_owned(), edit)));
        self.partitions.push(recipe.partition.unwrap_or_default());
        self.ttl_seconds = [self.ttl_seconds, recipe.ttl_seconds]
            .into_iter()
            .flatten()
            .min();
        self.tags.extend(recipe.tags);
        Ok(())
    }

    /// Returns the patch that makes these edits.
    ///
    /// # Errors
    /// Names an edit that cannot be made, or the one that goes below the floor.
    fn checked(&self, edits: &[Edit]) -> Result<Patch, EditError> {
        let patch = edit::patch(&self.request.body, edits)?;
        if edits.is_empty() {
            return Ok(patch);
        }
        match self.broken(&patch) {
            Some(held) if !self.is_open => Err(self.below_floor(edits, held)?),
            _ => Ok(patch),
        }
    }

    fn broken(&self, patch: &Patch) -> Option<Held> {
        floor::broken(self.request.endpoint, &self.held, &self.request.body, patch)
    }

    /// Returns the error for the edit with which the floor is broken: without it and those after it
    /// the floor holds. It is found by halves, as there can be many edits.
    fn below_floor(&self, edits: &[Edit], mut held: Held) -> Result<EditError, EditError> {
        let (mut good, mut bad) = (0, edits.len());
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            match self.broken(&edit::patch(&self.request.body, &edits[..middle])?) {
                Some(broken) => (bad, held) = (middle, broken),
                None => good = middle,
            }
        }
        let culprit = &edits[bad.saturating_sub(1)];
        let pointer = edit::pointer_of(&culprit.change).to_owned();
        Ok(EditError {
            rule: culprit.rule.clone(),
            problem: EditProblem::BelowFloor { pointer, held },
        })
    }

    fn finish(self, chain: &KeyerChain, scope: Scope) -> Ticket {
        let body = canonical::body(&self.request.body, &self.patch);
        let mut digest = Digest::new();
        digest.add(KEY_FORMAT);
        for (keyer, partition) in chain.keyers.iter().zip(&self.partitions) {
            digest.add(keyer.identity().as_bytes());
            digest.add(partition.as_bytes());
        }
        digest.add(self.request.endpoint.name().as_bytes());
        digest.add(&scope.0);
        digest.add(&body);
        Ticket {
            key: Key(digest.finish()),
            model: self.request.body["model"].as_str().unwrap_or("").into(),
            store: self.store,
            ttl: self
                .ttl_seconds
                .map(|seconds| Duration::from_secs(seconds.into())),
            tags: self.tags,
            body: body.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Change, Edit, Endpoint, NoHeaders};

    /// Decides alike about every request.
    struct Fixed(&'static str, Decision);

    impl Keyer for Fixed {
        fn name(&self) -> &str {
            self.0
        }

        fn identity(&self) -> &str {
            self.0
        }

        fn decide(&self, _: &KeyRequest) -> Result<Decision, PolicyError> {
            Ok(self.1.clone())
        }
    }

    struct Broken;

    impl Keyer for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }

        fn identity(&self) -> &'static str {
            "broken"
        }

        fn decide(&self, _: &KeyRequest) -> Result<Decision, PolicyError> {
            Err(PolicyError {
                plugin: "broken".into(),
                message: "trapped".into(),
                failure: crate::PolicyFailure::Broken,
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
            text: None,
        };
        chain
            .consult(request, Scope::of(credentials.iter().copied()))
            .keyed
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
    fn the_text_is_shown_until_it_is_another() {
        struct Quoting;

        impl Keyer for Quoting {
            fn name(&self) -> &'static str {
                "quoting"
            }

            fn identity(&self) -> &'static str {
                "quoting"
            }

            fn decide(&self, request: &KeyRequest) -> Result<Decision, PolicyError> {
                let body = serde_json::to_vec(&*request.body).expect("it is JSON");
                let shown = request.text.clone().unwrap_or(body.into());
                Ok(Decision::Bypass(String::from_utf8_lossy(&shown).into()))
            }
        }

        let shown = |recipe| {
            let first = Arc::new(Fixed("first", Decision::Cache(recipe)));
            let request = KeyRequest {
                endpoint: Endpoint::ChatCompletions,
                headers: Arc::new(NoHeaders),
                body: Arc::new(json!({"user": "ada", "n": 1})),
                text: Some(r#"{ "user":"ada", "n":1 }"#.into()),
            };
            let chain = KeyerChain::new(vec![first, Arc::new(Quoting)]);
            match chain.consult(request, Scope::of([])).keyed {
                Keyed::Bypass(reason) => reason.to_string(),
                Keyed::Cache(_) => panic!("the second keyer does not want it cached"),
            }
        };
        assert_eq!(shown(Recipe::default()), r#"{ "user":"ada", "n":1 }"#);
        assert_eq!(shown(removing("/user")), r#"{"n":1}"#);
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
    fn a_key_is_read_as_it_is_written() {
        let written = key(&chain([]), json!({}), &[]);
        assert_eq!(written.to_string().parse(), Ok(written));
        assert_eq!("12".parse::<Key>(), Err(NotAKey));
    }

    #[test]
    fn a_consultation_tells_edits_and_headers_read() {
        struct Reading;

        impl Keyer for Reading {
            fn name(&self) -> &'static str {
                "reading"
            }

            fn identity(&self) -> &'static str {
                "reading"
            }

            fn decide(&self, request: &KeyRequest) -> Result<Decision, PolicyError> {
                request.headers.get("x-team");
                Ok(Decision::Cache(removing("/user")))
            }
        }

        let request = KeyRequest {
            endpoint: Endpoint::ChatCompletions,
            headers: Arc::new(NoHeaders),
            body: Arc::new(json!({"user": "ada"})),
            text: None,
        };
        let consultation = KeyerChain::new(vec![Arc::new(Reading)]).consult(request, Scope::of([]));
        assert_eq!(
            consultation.headers_read,
            [HeaderRead {
                name: "x-team".into(),
                value: None
            }]
        );
        let (keyer, edit) = &consultation.edits[0];
        assert_eq!((keyer.as_str(), edit.rule.as_str()), ("reading", "drop"));
        assert!(matches!(consultation.keyed, Keyed::Cache(ticket) if ticket.body == "{}"));
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
