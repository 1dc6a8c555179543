//! From an HTTP request to what the pipeline works on.

use std::sync::Arc;

use deja_cache::{Endpoint, Headers, KeyRequest, Partition};
use deja_chat::{BadRequest, Delivery, openai};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{HeaderMap, Request, body::Incoming};
use serde_json::Value;

use crate::{
    error::Error,
    settings::{PartitionBy, ProxySettings},
};

/// The headers by which a caller shows who it is.
const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "api-key"];

/// A request that was read whole.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: Arc<CallHeaders>,
    pub(crate) body: Arc<Value>,
    pub(crate) delivery: Delivery,
}

/// A call's headers. Keyers are not shown the credentials: a plugin can write to the log.
pub(crate) struct CallHeaders(HeaderMap);

impl Headers for CallHeaders {
    fn get(&self, name: &str) -> Option<&str> {
        let is_secret = CREDENTIALS
            .iter()
            .any(|secret| secret.eq_ignore_ascii_case(name));
        self.0.get(name).filter(|_| !is_secret)?.to_str().ok()
    }
}

impl Call {
    /// What the keyers see.
    pub(crate) fn key_request(&self) -> KeyRequest {
        KeyRequest {
            endpoint: self.endpoint,
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }

    /// Whose answers the caller may see.
    pub(crate) fn partition(&self, by: PartitionBy) -> Partition {
        match by {
            PartitionBy::None => Partition::of([]),
            PartitionBy::ApiKey => Partition::of(CREDENTIALS.iter().map(|name| {
                self.headers
                    .0
                    .get(*name)
                    .map(hyper::header::HeaderValue::as_bytes)
                    .unwrap_or_default()
            })),
        }
    }
}

/// Reads a request whole, within the limits.
pub(crate) async fn decode(
    endpoint: Endpoint,
    request: Request<Incoming>,
    settings: &ProxySettings,
) -> Result<Call, Error> {
    let (head, body) = request.into_parts();
    let bytes = read(body, settings).await?;
    let body: Value = serde_json::from_slice(&bytes).map_err(Error::BadJson)?;
    if !body.is_object() {
        return Err(Error::NotAnObject);
    }
    let delivery = openai::delivery(&body)?;
    let headers = Arc::new(CallHeaders(head.headers));
    Ok(Call {
        endpoint,
        headers,
        body: Arc::new(body),
        delivery,
    })
}

async fn read(body: Incoming, settings: &ProxySettings) -> Result<bytes::Bytes, Error> {
    let limit = settings.max_body_bytes;
    let collected = Limited::new(body, limit).collect();
    let collected = tokio::time::timeout(settings.body_timeout, collected)
        .await
        .map_err(|_| Error::BodyTimeout {
            timeout: settings.body_timeout,
        })?;
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::BodyTooLarge { limit }),
        Err(error) => Err(Error::UnreadableBody(error.to_string())),
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
}
