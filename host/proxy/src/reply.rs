//! HTTP responses.

use std::convert::Infallible;

use bytes::Bytes;
use deja_cache::Entry;
use deja_chat::{
    Delivery, Event,
    openai::{self, Envelope},
};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    header::{AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};

use crate::{cache_status::CacheStatus, error::Error};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What a client gets.
pub(crate) type Reply = Response<Body>;

/// The body of every reply.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A JSON document.
pub(crate) fn json(document: String) -> Reply {
    typed("application/json", Full::from(document).boxed_unsync())
}

/// Server-sent events.
pub(crate) fn event_stream(events: Body) -> Reply {
    let mut reply = typed("text/event-stream", events);
    reply
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

/// Nothing but headers.
pub(crate) fn empty() -> Reply {
    Response::new(Body::default())
}

/// An error in the client's wire format.
pub(crate) fn error(error: &Error) -> Reply {
    let mut reply = json(error.body());
    *reply.status_mut() = error.status();
    let headers = reply.headers_mut();
    if let Some(wait) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if let Error::MethodNotAllowed { allowed, .. } = error {
        headers.insert(ALLOW, HeaderValue::from_static(allowed));
    }
    reply
}

/// An answer that was kept, under a new id.
pub(crate) fn kept(entry: &Entry, delivery: Delivery) -> Reply {
    let envelope = Envelope::fresh(&entry.answer.model);
    let mut reply = match delivery {
        Delivery::Whole => json(openai::completion(&envelope, &entry.answer)),
        Delivery::Stream { usage } => {
            let mut frames = Frames::new(envelope, usage);
            let body: String = entry
                .answer
                .events()
                .map(|event| frames.of(&event))
                .collect();
            event_stream(Full::from(body).boxed_unsync())
        }
    };
    reply
        .headers_mut()
        .insert(AGE, HeaderValue::from(entry.age().as_secs()));
    reply
}

/// The reply, and what the cache did.
pub(crate) fn with_status(mut reply: Reply, status: &CacheStatus) -> Reply {
    let value = HeaderValue::from_str(&status.to_string()).expect("it is printable ASCII");
    reply.headers_mut().insert(CACHE_STATUS, value);
    reply
}

fn typed(content_type: &'static str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// Writes a streamed answer's events, one after the other.
pub(crate) struct Frames {
    envelope: Envelope,
    usage: bool,
    begun: bool,
}

impl Frames {
    /// The frames of one reply; `usage` says whether the client wants the token counts.
    pub(crate) fn new(envelope: Envelope, usage: bool) -> Self {
        Self {
            envelope,
            usage,
            begun: false,
        }
    }

    /// The frames of the next event.
    pub(crate) fn of(&mut self, event: &Event) -> String {
        let first = !std::mem::replace(&mut self.begun, true);
        openai::event(&self.envelope, event, first, self.usage)
    }
}
