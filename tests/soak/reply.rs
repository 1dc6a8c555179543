//! A reply as its client reads it.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::time::sleep;

/// How a client takes its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As fast as it comes.
    Eager,
    /// With a pause after each part, up to so many.
    Slow(u32),
    /// It leaves after so many parts, before the head if there are none.
    Leaving(u32),
}

/// How long a slow client pauses after each part.
const PAUSE: Duration = Duration::from_millis(30);

/// How many characters of a text are shown at either end.
const SHOWN: usize = 200;

/// What a client has got.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) cache_status: String,
    pub(crate) is_stream: bool,
    pub(crate) body: String,
    /// Why the connection broke, if it did.
    pub(crate) broken: Option<String>,
    /// Whether the client left before the end.
    pub(crate) left: bool,
}

impl Reply {
    /// Reads a reply.
    pub(crate) async fn read(mut response: Response, manner: Manner) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name);
            String::from_utf8_lossy(value.map_or(&[], |value| value.as_bytes())).into_owned()
        };
        let mut reply = Self {
            status: response.status().as_u16(),
            cache_status: header("cache-status"),
            is_stream: header("content-type").starts_with("text/event-stream"),
            ..Self::default()
        };
        let mut bytes = Vec::new();
        for part in 1.. {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    reply.broken = Some(causes(&error));
                    break;
                }
            }
            match manner {
                Manner::Leaving(parts) if part >= parts => {
                    reply.left = true;
                    break;
                }
                Manner::Slow(parts) if part <= parts => sleep(PAUSE).await,
                _ => {}
            }
        }
        reply.body = String::from_utf8_lossy(&bytes).into_owned();
        reply
    }

    /// Whether the client can take it for a whole answer.
    pub(crate) fn is_whole(&self) -> bool {
        let is_whole = if self.is_stream {
            let stream = self.stream();
            stream.is_whole && !stream.is_garbled && stream.error().is_none()
        } else {
            self.document().is_some_and(|document| document.is_object())
        };
        self.status == 200 && self.broken.is_none() && is_whole
    }

    /// What came, cut to a length that can be read.
    pub(crate) fn shown(&self) -> String {
        format!(
            "{} {:?} {}",
            self.status,
            self.broken,
            shortened(&self.body)
        )
    }

    /// The document, if it is one.
    pub(crate) fn document(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// The documents of a stream's frames, as far as they came.
    pub(crate) fn stream(&self) -> Stream {
        let mut stream = Stream::default();
        let mut frames = self.body.split("\n\n").peekable();
        while let Some(frame) = frames.next() {
            // What stands behind the last blank line is no whole frame.
            let is_cut = frames.peek().is_none();
            let data = frame.lines().find_map(|line| line.strip_prefix("data: "));
            match data {
                None => {}
                Some(_) if is_cut => {}
                Some("[DONE]") => stream.is_whole = true,
                Some(data) => match serde_json::from_str::<Value>(data) {
                    Ok(chunk) => {
                        stream.is_whole |= chunk["type"] == "message_stop";
                        stream.chunks.push(chunk);
                    }
                    Err(_) => stream.is_garbled = true,
                },
            }
        }
        stream
    }
}

/// The frames of a streamed reply.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) chunks: Vec<Value>,
    /// Whether the frame came that ends it.
    pub(crate) is_whole: bool,
    /// Whether a frame is no JSON.
    pub(crate) is_garbled: bool,
}

impl Stream {
    /// The error in the middle of it, if there is one.
    pub(crate) fn error(&self) -> Option<&Value> {
        self.chunks
            .iter()
            .find_map(|chunk| chunk.get("error").filter(|it| !it.is_null()))
    }
}

/// The beginning and the end of a text.
pub(crate) fn shortened(text: &str) -> String {
    let characters = text.chars().count();
    if characters <= 2 * SHOWN {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN).collect();
    let end: String = text.chars().skip(characters - SHOWN).collect();
    format!("{start} … {end}")
}

/// An error with what caused it, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
