//! From an HTTP request to what the pipeline works on.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use deja_cache::{
    Endpoint, Headers, KeyRequest, RawDigest, RawHasher, Scope, can_change_answer, is_credential,
};
use deja_chat::{Api, BadRequest, Delivery};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Request,
    body::{Body, Incoming},
    header::{CONTENT_ENCODING, HeaderName},
    http::request::Parts,
};
use serde_json::Value;

use crate::{
    backend::Route,
    body::{Unambiguous, has_long_integer},
    directives::Directives,
    error::Error,
    settings::{PartitionBy, ProxySettings},
};

/// Bytes of a body from which on its parsing would hold up others.
const LARGE_BODY: usize = 1 << 20;

/// A request that was read whole, and not looked into yet.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: Arc<CallHeaders>,
    pub(crate) query: Option<String>,
    pub(crate) directives: Directives,
    /// Tells it from every other request under the same rules.
    pub(crate) digest: RawDigest,
    partition: PartitionBy,
    /// The body as it came.
    pub(crate) pieces: Vec<Bytes>,
}

/// What a call asks.
pub(crate) struct Asked {
    pub(crate) body: Arc<Value>,
    /// The body as it came.
    pub(crate) raw: Bytes,
    pub(crate) delivery: Delivery,
    /// The model that is asked for; empty if none is.
    pub(crate) model: String,
}

/// A call's headers. Keyers are not shown the credentials: a plugin can write to the log.
pub(crate) struct CallHeaders(pub(crate) HeaderMap);

impl Headers for CallHeaders {
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        let is_secret = is_credential(&name.to_ascii_lowercase());
        value.to_str().ok().filter(|_| !is_secret)
    }
}

impl Call {
    /// Reads a request whole, within the limits.
    pub(crate) async fn read(
        endpoint: Endpoint,
        request: Request<Incoming>,
        settings: &ProxySettings,
    ) -> Result<Self, Error> {
        let (head, body) = request.into_parts();
        let limit = settings.max_body_bytes;
        if let Some(coding) = head
            .headers
            .get(CONTENT_ENCODING)
            .filter(|c| *c != "identity")
        {
            let coding = String::from_utf8_lossy(coding.as_bytes()).into_owned();
            return Err(Error::UnknownCoding(coding));
        }
        if body.size_hint().lower() > limit as u64 {
            return Err(Error::BodyTooLarge { limit });
        }
        let mut call = Self::new(endpoint, head, settings.partition.clone());
        let mut hasher = RawHasher::new(call.scope_parts());
        let mut body = Limited::new(body, limit);
        let read = async {
            while let Some(frame) = body.frame().await {
                let Ok(piece) = frame
                    .map_err(|error| unreadable(&*error, limit))?
                    .into_data()
                else {
                    continue;
                };
                hasher.update(&piece);
                call.pieces.push(piece);
            }
            Ok::<_, Error>(())
        };
        let timeout = settings.body_timeout;
        tokio::time::timeout(timeout, read)
            .await
            .map_err(|_| Error::BodyTimeout { timeout })??;
        call.digest = hasher.finish();
        Ok(call)
    }

    fn new(endpoint: Endpoint, head: Parts, partition: PartitionBy) -> Self {
        Self {
            endpoint,
            directives: Directives::of(&head.headers),
            query: head.uri.query().map(str::to_owned),
            headers: Arc::new(CallHeaders(head.headers)),
            digest: RawHasher::new([]).finish(),
            partition,
            pieces: Vec::new(),
        }
    }

    /// The same call with another query string.
    pub(crate) fn with_query(self, query: Option<String>) -> Self {
        Self { query, ..self }
    }

    /// Looks into the body; into a large one beside the threads that serve.
    pub(crate) async fn parse(&self) -> Result<Asked, Error> {
        let raw = joined(&self.pieces);
        if raw.len() < LARGE_BODY {
            return self.asked(raw);
        }
        let large = raw.clone();
        let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice(&large)).await;
        self.asked_by(raw, parsed.map_err(|_| Error::Abandoned)?)
    }

    fn asked(&self, raw: Bytes) -> Result<Asked, Error> {
        let parsed = serde_json::from_slice(&raw);
        self.asked_by(raw, parsed)
    }

    fn asked_by(
        &self,
        raw: Bytes,
        parsed: serde_json::Result<Unambiguous>,
    ) -> Result<Asked, Error> {
        let Unambiguous(body) = parsed.map_err(Error::BadJson)?;
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
            body: Arc::new(body),
            raw,
            delivery,
            model,
        })
    }

    /// What the keyers see.
    pub(crate) fn key_request(&self, asked: &Asked) -> KeyRequest {
        KeyRequest {
            endpoint: self.endpoint,
            headers: self.headers.clone(),
            body: asked.body.clone(),
            text: Some(asked.raw.clone()),
        }
    }

    /// What separates this call's answers from others with the same body. Where the body holds a
    /// number that the key could not tell from another, that is every byte of it.
    pub(crate) fn scope(&self, asked: &Asked, route: &Route) -> Scope {
        let identity = route.identity();
        let exactly = if has_long_integer(&asked.raw) {
            &asked.raw[..]
        } else {
            b""
        };
        let parts = self.scope_parts().into_iter();
        Scope::of(parts.chain([identity.as_bytes(), exactly]))
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
            self.partition.name().as_bytes(),
        ];
        let headers = &self.headers.0;
        let mut names: Vec<_> = headers
            .keys()
            .map(HeaderName::as_str)
            .filter(|name| self.separates(name))
            .collect();
        names.sort_unstable();
        for name in names {
            for value in headers.get_all(name) {
                parts.extend([name.as_bytes(), value.as_bytes()]);
            }
        }
        parts
    }

    /// Whether callers that differ in this header do not share answers.
    fn separates(&self, name: &str) -> bool {
        can_change_answer(name)
            || match &self.partition {
                PartitionBy::ApiKey => is_credential(name),
                PartitionBy::Header(header) => header == name,
                PartitionBy::None => false,
            }
    }
}

/// The bytes of all pieces.
pub(crate) fn joined(pieces: &[Bytes]) -> Bytes {
    match pieces {
        [] => Bytes::new(),
        [one] => one.clone(),
        many => {
            let mut all = BytesMut::with_capacity(many.iter().map(Bytes::len).sum());
            for piece in many {
                all.extend_from_slice(piece);
            }
            all.freeze()
        }
    }
}

fn unreadable(error: &(dyn std::error::Error + 'static), limit: usize) -> Error {
    if error.is::<LengthLimitError>() {
        Error::BodyTooLarge { limit }
    } else {
        Error::UnreadableBody(error.to_string())
    }
}

impl From<BadRequest> for Error {
    fn from(error: BadRequest) -> Self {
        Self::BadRequest(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyers_see_headers_but_no_credentials() {
        let mut headers = HeaderMap::new();
        headers.insert("x-team", "blue".parse().expect("it is text"));
        headers.insert("authorization", "Bearer ada".parse().expect("it is text"));
        let headers = CallHeaders(headers);
        assert_eq!(headers.get("x-team"), Some("blue"));
        assert_eq!(headers.get("Authorization"), None);
    }

    #[test]
    fn what_can_change_an_answer_is_in_its_scope() {
        let parts = |uri: &str, header: Option<(&'static str, &str)>, by: PartitionBy| {
            let mut request = Request::builder().uri(uri);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let (head, ()) = request.body(()).expect("it is a request").into_parts();
            let call = Call::new(Endpoint::Messages, head, by);
            Scope::of(call.scope_parts())
        };
        let by_team = || PartitionBy::Header("x-team".parse().expect("it is a name"));
        let plain = parts("/v1/messages", None, PartitionBy::ApiKey);
        let others = [
            parts("/v1/messages?beta=true", None, PartitionBy::ApiKey),
            parts("/", Some(("anthropic-beta", "a")), PartitionBy::ApiKey),
            parts("/", Some(("openai-safety", "a")), PartitionBy::ApiKey),
            parts("/", Some(("x-api-key", "ada")), PartitionBy::ApiKey),
            parts("/", Some(("x-goog-api-key", "ada")), PartitionBy::ApiKey),
            parts("/", Some(("x-team", "blue")), by_team()),
            parts("/", None, by_team()),
            parts("/", None, PartitionBy::None),
        ];
        assert!(others.iter().all(|other| *other != plain));
        let retried = ("x-stainless-retry-count", "1");
        assert_eq!(parts("/", Some(retried), PartitionBy::ApiKey), plain);
        let ada = Some(("x-api-key", "ada"));
        let bob = Some(("x-api-key", "bob"));
        for by in [by_team(), PartitionBy::None] {
            assert_eq!(parts("/", ada, by.clone()), parts("/", bob, by));
        }
    }
}
