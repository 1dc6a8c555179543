//! From an HTTP request to what the pipeline works on.

use std::sync::Arc;

use bytes::Bytes;
use deja_cache::{
    Endpoint, HeaderRole, HeaderRules, Headers, KeyRequest, RawDigest, RawHasher, Scope, ScopePart,
    Tenant, is_credential,
};
use deja_wire::{Api, BadRequest, Delivery};
use hyper::{
    HeaderMap, Request,
    body::{Body, Incoming},
    header::{CONNECTION, HeaderName},
    http::request::Parts,
};
use serde_json::{Map, Value};

use crate::{
    backend::Route,
    body::{Outline, ParsedBody, Unambiguous},
    budget::{Budget, Exhausted, Share},
    coding::Unpacked,
    directives::Directives,
    error::Error,
    pieces::{Pieces, joined},
    settings::{PartitionBy, ProxySettings},
};

/// Bytes of a body from which on a look at all of it would hold up others.
const LARGE_BODY: usize = 1 << 20;

/// A request that was read whole, and not looked into yet.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: Arc<CallHeaders>,
    pub(crate) query: Option<String>,
    pub(crate) directives: Directives,
    /// Tells it from every other request under the same rules.
    pub(crate) digest: RawDigest,
    /// The body as it came.
    pub(crate) pieces: Vec<Bytes>,
    /// What the body takes of the memory for all bodies, as long as anybody holds it.
    pub(crate) held: Arc<Share>,
}

/// What a call asks.
pub(crate) struct Asked {
    pub(crate) body: ParsedBody,
    /// The body as it came.
    pub(crate) raw: Bytes,
    pub(crate) delivery: Delivery,
    /// The model that is asked for; empty if none is.
    pub(crate) model: String,
    /// Whether the body may hold an integer of which 64 bits do not tell the whole.
    has_long_integer: bool,
}

impl Asked {
    /// Changes the fields of the body.
    pub(crate) fn replace(&mut self, change: impl FnOnce(&mut Map<String, Value>)) {
        let mut fields = self.body.as_object().cloned().unwrap_or_default();
        change(&mut fields);
        let body = Value::Object(fields);
        self.raw = body.to_string().into();
        self.body.replace(body);
    }
}

/// A call's headers, without those of the connection. Keyers and traces see only what the rules
/// show: a plugin can write to the log.
pub(crate) struct CallHeaders {
    pub(crate) map: HeaderMap,
    rules: HeaderRules,
    partition: PartitionBy,
}

impl CallHeaders {
    pub(crate) fn new(mut map: HeaderMap, rules: HeaderRules, partition: PartitionBy) -> Self {
        for name in named_by_connection(&map) {
            // Else a client behind a proxy that sets it could take itself out of its partition.
            if !matches!(&partition, PartitionBy::Header(header) if *header == name) {
                map.remove(name);
            }
        }
        Self {
            map,
            rules,
            partition,
        }
    }

    /// The headers that may be shown, where they are text, in their order.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.map.iter().filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            self.shows(name.as_str()).then_some((name.as_str(), value))
        })
    }

    fn shows(&self, name: &str) -> bool {
        self.rules.shows(name) || self.is_partition(name)
    }

    fn is_partition(&self, name: &str) -> bool {
        matches!(&self.partition, PartitionBy::Header(header) if header == name)
    }

    /// The headers that are part of the key, sorted by name.
    fn keyed(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut names: Vec<_> = self
            .map
            .keys()
            .map(HeaderName::as_str)
            .filter(|name| self.is_keyed(name))
            .collect();
        names.sort_unstable();
        let values = |name| self.map.get_all(name).iter();
        names
            .into_iter()
            .flat_map(move |name| values(name).map(move |value| (name, value.as_bytes())))
    }

    /// Who calls, where callers are told apart: those who show the same credentials.
    pub(crate) fn tenant(&self) -> Option<Tenant> {
        let is_shown = |name: &&HeaderName| match &self.partition {
            PartitionBy::ApiKey => is_credential(name.as_str()),
            PartitionBy::Header(header) => header == *name,
            PartitionBy::None => false,
        };
        if self.partition == PartitionBy::None {
            return None;
        }
        let mut names: Vec<_> = self.map.keys().filter(is_shown).collect();
        names.sort_unstable_by_key(|name| name.as_str());
        let values = names.into_iter().flat_map(|name| {
            let values = self.map.get_all(name).iter();
            values.flat_map(|value| [name.as_str().as_bytes(), value.as_bytes()])
        });
        Some(Tenant::of(values))
    }

    /// Whether callers that differ in this header do not share answers.
    fn is_keyed(&self, name: &str) -> bool {
        let callers_share = self.partition != PartitionBy::ApiKey;
        match self.rules.role(name) {
            _ if self.is_partition(name) => true,
            HeaderRole::Neutral => false,
            HeaderRole::Public => true,
            HeaderRole::Private => !(callers_share && is_credential(name)),
        }
    }
}

impl Headers for CallHeaders {
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.map.get(name)?.to_str().ok()?;
        self.shows(&name.to_ascii_lowercase()).then_some(value)
    }
}

/// The headers that concern the connection alone because it says so (RFC 9110, section 7.6.1).
pub(crate) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

impl Call {
    /// Reads a request whole, within the limits.
    pub(crate) async fn read(
        endpoint: Endpoint,
        request: Request<Incoming>,
        settings: &ProxySettings,
        bodies: &Budget,
    ) -> Result<Self, Error> {
        let (head, body) = request.into_parts();
        let limit = settings.max_body_bytes;
        if body.size_hint().lower() > limit as u64 {
            return Err(Error::BodyTooLarge { limit });
        }
        let mut body = Unpacked::new(&head.headers, body, limit)?;
        let most = settings.max_bodies_bytes;
        let share = bodies.share(most);
        let (rules, partition) = (settings.headers.clone(), settings.partition.clone());
        let mut call = Self::new(endpoint, head, rules, partition, share);
        let mut pieces = Pieces::default();
        let mut hasher = RawHasher::new(call.scope_parts());
        let read = async {
            while let Some(piece) = body.next(limit).await? {
                let grown = call.held.grow(piece.len());
                grown.map_err(|Exhausted| Error::NoMemory { limit: most })?;
                hasher.update(&piece);
                pieces.push(piece);
            }
            Ok::<_, Error>(())
        };
        let timeout = settings.body_timeout;
        tokio::time::timeout(timeout, read)
            .await
            .map_err(|_| Error::BodyTimeout { timeout })??;
        call.digest = hasher.finish();
        call.pieces = pieces.finish();
        Ok(call)
    }

    pub(crate) fn new(
        endpoint: Endpoint,
        head: Parts,
        rules: HeaderRules,
        partition: PartitionBy,
        share: Share,
    ) -> Self {
        Self {
            endpoint,
            directives: Directives::of(&head.headers),
            query: head.uri.query().map(str::to_owned),
            headers: Arc::new(CallHeaders::new(head.headers, rules, partition)),
            digest: RawHasher::new([]).finish(),
            pieces: Vec::new(),
            held: Arc::new(share),
        }
    }

    /// The same call with another query string.
    pub(crate) fn with_query(self, query: Option<String>) -> Self {
        Self { query, ..self }
    }

    /// Looks into the body; into a large one beside the threads that serve, if there is memory for
    /// its values.
    pub(crate) async fn parse(
        self: &Arc<Self>,
        settings: &ProxySettings,
        parsed: &Budget,
    ) -> Result<Asked, Error> {
        let bytes: usize = self.pieces.iter().map(Bytes::len).sum();
        if bytes < LARGE_BODY {
            let raw = joined(&self.pieces);
            let outline = Outline::of(&raw);
            if !outline.is_large() {
                return self.asked(raw, outline, None);
            }
        }
        let (call, parsed) = (self.clone(), parsed.clone());
        let limits = (settings.max_parsed_body_bytes, settings.max_parse_bytes);
        let parse = move || call.parse_large(&parsed, limits);
        tokio::task::spawn_blocking(parse)
            .await
            .map_err(|_| Error::Abandoned)?
    }

    fn parse_large(
        &self,
        parsed: &Budget,
        (of_one, of_all): (usize, usize),
    ) -> Result<Asked, Error> {
        let raw = joined(&self.pieces);
        let outline = Outline::of(&raw);
        let bytes = outline.parsed_bytes;
        let limit = of_one.min(of_all);
        if bytes > limit {
            return Err(Error::BodyTooDense { limit });
        }
        let share = parsed.take(bytes, of_all);
        let share = share.map_err(|Exhausted| Error::NoMemory { limit: of_all })?;
        self.asked(raw, outline, Some(share))
    }

    pub(crate) fn asked(
        &self,
        raw: Bytes,
        outline: Outline,
        share: Option<Share>,
    ) -> Result<Asked, Error> {
        let parsed = serde_json::from_slice(&raw);
        let Unambiguous(value) = parsed.map_err(Error::BadJson)?;
        let body = ParsedBody::new(value, share);
        if !body.is_object() {
            return Err(Error::NotAnObject);
        }
        let delivery = self.endpoint.delivery(&body)?;
        let model = match body.get("model") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(model)) => model.clone(),
            Some(_) => return Err(BadRequest::field("model", "must be a string").into()),
        };
        Ok(Asked {
            body,
            raw,
            delivery,
            model,
            has_long_integer: outline.has_long_integer,
        })
    }

    /// What the keyers see.
    pub(crate) fn key_request(&self, asked: &Asked) -> KeyRequest {
        KeyRequest {
            endpoint: self.endpoint,
            headers: self.headers.clone(),
            body: asked.body.shared(),
            text: Some(asked.raw.clone()),
        }
    }

    /// What separates this call's answers from others with the same body. Where the body holds a
    /// number that the key could not tell from another, that is every byte of it.
    pub(crate) fn scope(&self, asked: &Asked, route: &Route) -> Scope {
        let identity = route.identity();
        let exactly = if asked.has_long_integer {
            &asked.raw[..]
        } else {
            b""
        };
        let parts = self.scope_parts().into_iter();
        Scope::of(parts.chain([identity.as_bytes(), exactly]))
    }

    /// Who calls, where callers are told apart: those who show the same credentials.
    pub(crate) fn tenant(&self) -> Option<Tenant> {
        self.headers.tenant()
    }

    /// The API that the caller speaks.
    pub(crate) fn api(&self) -> Api {
        self.endpoint.api()
    }

    /// All that separates answers and is known before the body is looked into, each part with its
    /// name.
    pub(crate) fn scope_parts(&self) -> Vec<&[u8]> {
        let mut parts = vec![
            self.endpoint.name().as_bytes(),
            self.query.as_deref().unwrap_or_default().as_bytes(),
            self.headers.partition.name().as_bytes(),
        ];
        for (name, value) in self.headers.keyed() {
            parts.extend([name.as_bytes(), value]);
        }
        parts
    }

    /// The same parts by name and digest, and the backend: they are kept beside an answer, to
    /// explain what keeps another request apart from it.
    pub(crate) fn named_scope(&self, route: &Route) -> Box<[ScopePart]> {
        let headers = self.headers.keyed();
        let headers = headers.map(|(name, value)| ScopePart::new(&format!("header {name}"), value));
        let query = self.query.as_deref().unwrap_or_default();
        let others = [
            ScopePart::new("query string", query.as_bytes()),
            ScopePart::new("cache.partition", self.headers.partition.name().as_bytes()),
            ScopePart::new("backend", route.identity().as_bytes()),
        ];
        others.into_iter().chain(headers).collect()
    }
}

impl From<BadRequest> for Error {
    fn from(error: BadRequest) -> Self {
        Self::BadRequest(error)
    }
}

#[cfg(test)]
mod tests;
