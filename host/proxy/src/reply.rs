//! HTTP responses.

use bytes::Bytes;
use deja_cache::{Entry, Floor};
use deja_wire::{Api, Delivery, Fresh};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Response,
    header::{
        AGE, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    },
};

use crate::{cache_status::CacheStatus, error::Error};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What a client gets.
pub(crate) type Reply = Response<Body>;

/// The body of every reply.
pub(crate) type Body = UnsyncBoxBody<Bytes, BrokenOff>;

/// Ends a body before it is whole: the connection is cut, so that the client notices.
#[derive(Debug, thiserror::Error)]
#[error("the upstream's reply broke off")]
pub(crate) struct BrokenOff;

/// A JSON document.
pub(crate) fn json(document: Bytes) -> Reply {
    typed(JSON, whole(document))
}

/// Text in the format of Prometheus.
pub(crate) fn metrics(text: String) -> Reply {
    const OPEN_METRICS: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    typed(OPEN_METRICS, whole(text.into()))
}

/// Server-sent events.
pub(crate) fn event_stream(events: Body) -> Reply {
    let mut reply = typed(EVENT_STREAM, events);
    reply
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

/// Nothing but headers.
pub(crate) fn empty() -> Reply {
    Response::new(Body::default())
}

/// A body that is all there.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An error in the client's wire format.
pub(crate) fn error(error: &Error, api: Api) -> Reply {
    let mut reply = json(error.body(api).into());
    *reply.status_mut() = error.status();
    if let Some(refusal) = error.refusal() {
        add(&mut reply, &refusal.headers);
    }
    let headers = reply.headers_mut();
    if let Some(wait) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if error.may_leave_body() {
        // The connection ends with the reply: a client that is not told would use it once more.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Error::MethodNotAllowed { allowed, .. } = error {
        headers.insert(ALLOW, HeaderValue::from_static(allowed));
    }
    reply
}

/// Returns an answer that was kept, under a new id, and its body.
pub(crate) fn kept(entry: &Entry, delivery: Delivery) -> (Reply, Bytes) {
    let fresh = Fresh::new();
    let body = match delivery {
        Delivery::Whole => entry.answer.document(&fresh),
        Delivery::Stream { usage } => entry.answer.stream(&fresh, usage).unwrap_or_default(),
    };
    let mut reply = match delivery {
        Delivery::Whole => json(body.clone()),
        Delivery::Stream { .. } => event_stream(whole(body.clone())),
    };
    reply
        .headers_mut()
        .insert(AGE, HeaderValue::from(entry.age().as_secs()));
    (reply, body)
}

/// The reply with a backend's own headers on it.
pub(crate) fn add(reply: &mut Reply, headers: &HeaderMap) {
    for (name, value) in headers {
        reply.headers_mut().append(name.clone(), value.clone());
    }
}

/// The reply, and what the cache did, with a note where the floor is open.
pub(crate) fn with_status(mut reply: Reply, status: &CacheStatus, floor: Floor) -> Reply {
    let text = match floor {
        Floor::Held => status.to_string(),
        Floor::Open => format!("{status}; floor=open"),
    };
    let value = HeaderValue::try_from(text).expect("it is printable ASCII");
    reply.headers_mut().insert(CACHE_STATUS, value);
    reply
}

fn typed(content_type: HeaderValue, body: Body) -> Reply {
    let mut reply = Response::new(body);
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}
