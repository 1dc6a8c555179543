//! One request: sent, read to its end, and timed.

use std::time::{Duration, Instant};

use deja_wire::{Answer, Endpoint, FrameKind, FrameReader, Incomplete, Recorder};
use reqwest::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use super::{cache_status::CacheSaid, request::Request, target::Target};

/// The longest frame of a stream.
const LONGEST_FRAME: usize = 64 << 20;

/// An answer that came whole.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// Time to the first piece of the answer.
    pub(crate) first_token: Duration,
    /// Time to its end.
    pub(crate) latency: Duration,
    /// Tokens of the answer, as the server counts them.
    pub(crate) output_tokens: u32,
    /// What the cache did.
    pub(crate) cache: CacheSaid,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server could not be asked.
    #[error("{}", transport(.0))]
    Unreachable(reqwest::Error),
    /// The server would not answer.
    #[error("{status}: {message}")]
    Refused { status: StatusCode, message: String },
    /// The answer broke off.
    #[error("the answer broke off")]
    BrokeOff,
    /// What came is no whole answer.
    #[error("what came is no whole answer: {0}")]
    Incomplete(Incomplete),
}

/// What kept a request from its answer. The URL in reqwest's own words would make every request's
/// error another.
fn transport(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "the connection broke"
    }
}

/// Asks, and counts the time from `since`: a moment that may lie before this call, where the
/// request should have gone out earlier.
pub(crate) async fn ask(
    target: &Target,
    request: &Request,
    since: Instant,
) -> Result<Answered, Failure> {
    let sent = target.post(request).send().await;
    let reply = sent.map_err(Failure::Unreachable)?;
    if !reply.status().is_success() {
        return Err(refused(reply).await);
    }
    let cache = CacheSaid::of(reply.headers());
    let kind = reply.headers().get(CONTENT_TYPE);
    let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let (answer, first) = if is_stream {
        stream(request.endpoint, reply).await?
    } else {
        document(request.endpoint, reply).await?
    };
    Ok(Answered {
        first_token: first.saturating_duration_since(since),
        latency: since.elapsed(),
        output_tokens: answer.usage().completion_tokens,
        cache,
    })
}

async fn refused(reply: Response) -> Failure {
    let status = reply.status();
    let body = reply.bytes().await.unwrap_or_default();
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = document.pointer("/error/message").and_then(Value::as_str);
    let message = message.unwrap_or("no reason given").to_owned();
    Failure::Refused { status, message }
}

/// A document's first piece is its first byte.
async fn document(endpoint: Endpoint, mut reply: Response) -> Result<(Answer, Instant), Failure> {
    let broke_off = |_| Failure::BrokeOff;
    let mut text = Vec::new();
    let mut first = None;
    while let Some(part) = reply.chunk().await.map_err(broke_off)? {
        first.get_or_insert_with(Instant::now);
        text.extend_from_slice(&part);
    }
    let answer = Answer::from_document(endpoint, &text).map_err(Failure::Incomplete)?;
    Ok((answer, first.unwrap_or_else(Instant::now)))
}

/// A stream's first piece is the first frame that says something of the answer.
async fn stream(endpoint: Endpoint, mut reply: Response) -> Result<(Answer, Instant), Failure> {
    let broke_off = |_| Failure::BrokeOff;
    let mut frames = FrameReader::new(LONGEST_FRAME);
    let mut recorder = Recorder::new(endpoint);
    let mut first = None;
    while let Some(part) = reply.chunk().await.map_err(broke_off)? {
        frames.push(part);
        while let Some(frame) = frames.next_frame().map_err(|_| Failure::BrokeOff)? {
            if recorder.push(&frame) == FrameKind::Content {
                first.get_or_insert_with(Instant::now);
            }
        }
    }
    let answer = recorder
        .finish()
        .map_err(|fragment| Failure::Incomplete(fragment.reason))?;
    Ok((answer, first.unwrap_or_else(Instant::now)))
}
