//! How the server and the pipeline are set up.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use deja_cache::{Fraction, HeaderRules};
use hyper::header::HeaderName;

use crate::conversations::ConversationLimits;

/// The server's address and its patience. Read at the start only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The most connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// The largest head of a request, in bytes.
    pub max_header_bytes: usize,
    /// How long a client may take to send a request's headers.
    pub header_timeout: Duration,
    /// How long a client may take nothing of what it is sent.
    pub write_timeout: Duration,
    /// How long answers in the making may take to end after the server was told to stop.
    pub drain_timeout: Duration,
}

/// What the pipeline takes and how it tells callers apart. It can change while the server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// The most bytes of all request bodies that are held at once.
    pub max_bodies_bytes: usize,
    /// The most bytes of memory that one body's values may take once it is parsed.
    pub max_parsed_body_bytes: usize,
    /// The most bytes of memory for the values of all bodies that are parsed at once.
    pub max_parse_bytes: usize,
    /// The largest answer of an upstream, in bytes.
    pub max_answer_bytes: usize,
    /// The most bytes of all answers that are being received at once.
    pub max_in_flight_bytes: usize,
    /// The most requests that are answered at once.
    pub max_requests: usize,
    /// The most answers that are fetched from backends at once.
    pub max_fetches: usize,
    /// The most of these requests, and of these fetches, that are one tenant's; all if not set.
    pub max_share: Option<Fraction>,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a stream's head waits for a backend to begin, whose refusal has a status until then.
    pub head_timeout: Duration,
    /// How long a stream may be silent before its client gets a sign of life.
    pub keep_alive: Duration,
    /// How long an upstream may take to list its models.
    pub models_timeout: Duration,
    /// Which web pages may call.
    pub cors: Origins,
    /// Under which names the server may be called, besides those of this machine.
    pub hosts: Hosts,
    /// Who shares answers with whom.
    pub partition: PartitionBy,
    /// Which headers are part of a key, and which plugins and traces may see.
    pub headers: HeaderRules,
    /// Which responses can be continued by their id where the backend keeps none.
    pub conversations: ConversationLimits,
    /// Whether requests are held beside their answers, to explain misses with.
    pub keep_requests: bool,
    /// Requests whose keys are remembered, byte for byte.
    pub memo_entries: usize,
    /// Who shows this may use `/admin` from anywhere.
    pub admin_token: Option<Secret>,
    /// Whether programs on this machine have to show it, too.
    pub admin_needs_token: bool,
}

/// Who shares answers with whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionBy {
    /// Callers who show the same credentials.
    ApiKey,
    /// Callers who send the same value of a header.
    Header(HeaderName),
    /// Everybody.
    None,
}

impl PartitionBy {
    /// Its name, as in the configuration: answers that were shared otherwise are not shared now.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::ApiKey => "api-key",
            Self::Header(name) => name.as_str(),
            Self::None => "none",
        }
    }
}

/// The origins of web pages that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Any.
    Any,
    /// Those named, and with `loopback` those of this machine.
    Named {
        /// Whether pages served from this machine may call.
        loopback: bool,
        /// Origins like `https://app.example`.
        origins: Vec<String>,
    },
}

/// Names under which the server may be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    is_any: bool,
    names: Vec<String>,
}

impl Hosts {
    /// Takes names and addresses without ports; `*` stands for all.
    #[must_use]
    pub fn new(names: &[String]) -> Self {
        Self {
            is_any: names.iter().any(|name| name == "*"),
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
        }
    }

    /// Returns whether a name in lower case is one of them.
    pub(crate) fn allow(&self, name: &str) -> bool {
        self.is_any || self.names.iter().any(|known| known == name)
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text. It goes to whom it is meant for, and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}
