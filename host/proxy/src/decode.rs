//! From an HTTP request to what the pipeline works on.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use deja_cache::{Endpoint, Headers, KeyRequest, RawDigest, RawHasher, Scope};
use deja_chat::{Api, BadRequest, Delivery};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Request,
    body::{Body, Incoming},
    http::request::Parts,
};
use serde_json::Value;

use crate::{
    backend::Route,
    directives::Directives,
    error::Error,
    settings::{PartitionBy, ProxySettings},
};

/// The headers by which a caller shows who it is, in lower case. No keyer is shown them.
pub const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "api-key"];

/// The headers that can change an answer. They are part of every key; all others are not.
const MEANINGFUL: [&str; 5] = [
    "anthropic-beta",
    "anthropic-version",
    "openai-beta",
    "openai-organization",
    "openai-project",
];

/// A request that was read whole, and not looked into yet.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: Arc<CallHeaders>,
    pub(crate) query: Option<String>,
    pub(crate) directives: Directives,
    /// Tells it from every other request under the same rules.
    pub(crate) digest: RawDigest,
    partition: PartitionBy,
    pieces: Vec<Bytes>,
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
        let is_secret = CREDENTIALS
            .iter()
            .any(|secret| secret.eq_ignore_ascii_case(name));
        self.0.get(name).filter(|_| !is_secret)?.to_str().ok()
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

    /// Looks into the body.
    pub(crate) fn parse(&self) -> Result<Asked, Error> {
        let raw = joined(&self.pieces);
        let body: Value = serde_json::from_slice(&raw).map_err(Error::BadJson)?;
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
        }
    }

    /// What separates this call's answers from others with the same body.
    pub(crate) fn scope(&self, route: &Route) -> Scope {
        let identity = route.identity();
        Scope::of(self.scope_parts().into_iter().chain([identity.as_bytes()]))
    }

    /// The API that the caller speaks.
    pub(crate) fn api(&self) -> Api {
        self.endpoint.api()
    }

    fn scope_parts(&self) -> Vec<&[u8]> {
        let value = |name: &str| {
            let value = self.headers.0.get(name);
            value.map_or(&b""[..], |value| value.as_bytes())
        };
        let mut parts = vec![
            self.endpoint.name().as_bytes(),
            self.query.as_deref().unwrap_or_default().as_bytes(),
        ];
        parts.extend(MEANINGFUL.map(value));
        match &self.partition {
            PartitionBy::ApiKey => parts.extend(CREDENTIALS.map(value)),
            PartitionBy::Header(name) => parts.push(value(name.as_str())),
            PartitionBy::None => {}
        }
        parts
    }
}

fn joined(pieces: &[Bytes]) -> Bytes {
    match pieces {
        [] => Bytes::new(),
        [one] => one.clone(),
        many => {
            let mut all = BytesMut::with_capacity(many.iter().map(Bytes::len).sum());
            many.iter().for_each(|piece| all.extend_from_slice(piece));
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
            parts("/", Some(("x-api-key", "ada")), PartitionBy::ApiKey),
            parts("/", Some(("x-team", "blue")), by_team()),
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
