//! Reads a streamed answer as a client does.

use reqwest::Response;
use serde_json::Value;

/// A streamed answer, read to its end.
#[derive(Debug, Default)]
pub struct Streamed {
    /// The frames' JSON documents, in order, without signs of life.
    pub chunks: Vec<Value>,
    /// Whether the frame came that says that the answer is whole.
    pub is_whole: bool,
    /// How many comments (`OpenAI`) or pings (Anthropic) came.
    pub signs_of_life: usize,
    /// Whether the connection broke, or a frame cannot be read.
    pub is_broken: bool,
}

impl Streamed {
    /// The text in one piece.
    #[must_use]
    pub fn text(&self) -> String {
        self.chunks.iter().filter_map(delta).collect()
    }

    /// The error in mid-stream, if there is one.
    #[must_use]
    pub fn error(&self) -> Option<&Value> {
        self.chunks.iter().find_map(|chunk| chunk.get("error"))
    }

    /// Whether the client can tell that the answer is not whole.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !self.is_whole && (self.error().is_some() || self.is_broken)
    }

    /// The last value that stands at this JSON pointer in a chunk.
    #[must_use]
    pub fn last(&self, pointer: &str) -> Value {
        let found = |chunk: &Value| {
            chunk
                .pointer(pointer)
                .filter(|value| !value.is_null())
                .cloned()
        };
        self.chunks
            .iter()
            .rev()
            .find_map(found)
            .unwrap_or(Value::Null)
    }

    fn take(&mut self, frame: &str) {
        match payload(frame) {
            Payload::SignOfLife => self.signs_of_life += 1,
            Payload::End => self.is_whole = true,
            Payload::Broken => self.is_broken = true,
            Payload::Chunk(chunk) => {
                self.is_whole |= chunk["type"] == "message_stop";
                self.chunks.push(chunk);
            }
        }
    }
}

/// A streamed answer that is read frame by frame.
pub struct Frames {
    reply: Response,
    buffer: Vec<u8>,
}

impl Frames {
    /// The frames of a reply, which must be a stream.
    #[must_use]
    pub fn of(reply: Response) -> Self {
        let kind = reply.headers().get("content-type").cloned();
        assert!(
            kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")),
            "{reply:?} is no stream"
        );
        Self {
            reply,
            buffer: Vec::new(),
        }
    }

    /// The next frame with its blank line, or nothing at the end; an error if the stream is cut.
    pub async fn next(&mut self) -> reqwest::Result<Option<String>> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let frame: Vec<_> = self.buffer.drain(..at + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&frame).into_owned()));
            }
            match self.reply.chunk().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }

    /// The next piece of text.
    pub async fn next_text(&mut self) -> String {
        loop {
            let frame = self.next().await.expect("the stream goes on");
            let frame = frame.expect("a piece of text comes before the end");
            let Payload::Chunk(chunk) = payload(&frame) else {
                continue;
            };
            if let Some(text) = delta(&chunk).filter(|text| !text.is_empty()) {
                return text.to_owned();
            }
        }
    }

    /// What is left, to its end.
    pub async fn rest(mut self) -> Streamed {
        let mut streamed = Streamed::default();
        loop {
            match self.next().await {
                Ok(Some(frame)) => streamed.take(&frame),
                Ok(None) => return streamed,
                Err(_) => {
                    streamed.is_broken = true;
                    return streamed;
                }
            }
        }
    }
}

/// Reads a reply as server-sent events, to its end.
pub async fn streamed(reply: Response) -> Streamed {
    Frames::of(reply).rest().await
}

/// What a frame holds.
enum Payload {
    /// A comment or a ping.
    SignOfLife,
    /// The end as `OpenAI` tells it.
    End,
    /// A JSON document.
    Chunk(Value),
    /// What is none.
    Broken,
}

fn payload(frame: &str) -> Payload {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
    let Some(data) = field("data: ") else {
        assert!(frame.starts_with(':'), "a frame without data: {frame}");
        return Payload::SignOfLife;
    };
    if data == "[DONE]" {
        return Payload::End;
    }
    if data.contains(char::REPLACEMENT_CHARACTER) {
        return Payload::Broken;
    }
    let Ok(chunk) = serde_json::from_str::<Value>(data) else {
        return Payload::Broken;
    };
    let event = field("event: ");
    assert!(
        event.is_none_or(|event| chunk["type"] == event),
        "the event's name is its type: {frame}"
    );
    if event == Some("ping") {
        Payload::SignOfLife
    } else {
        Payload::Chunk(chunk)
    }
}

/// A chunk's piece of text, of either API.
fn delta(chunk: &Value) -> Option<&str> {
    chunk["choices"][0]["delta"]["content"]
        .as_str()
        .or_else(|| chunk["delta"]["text"].as_str())
}
