//! Reads a streamed answer as a client does.

use reqwest::Response;
use serde_json::Value;

/// A streamed answer, read to its end.
#[derive(Debug, Default)]
pub struct Streamed {
    /// The frames' JSON documents, in order.
    pub chunks: Vec<Value>,
    /// Whether the frame came that says that the answer is whole.
    pub is_whole: bool,
}

impl Streamed {
    /// The text in one piece.
    #[must_use]
    pub fn text(&self) -> String {
        let delta = |chunk: &Value| {
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        };
        self.chunks.iter().filter_map(delta).collect()
    }

    /// The error in mid-stream, if there is one.
    #[must_use]
    pub fn error(&self) -> Option<&Value> {
        self.chunks.iter().find_map(|chunk| chunk.get("error"))
    }
}

/// Reads a reply as server-sent events, to its end.
pub async fn streamed(reply: Response) -> Streamed {
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    let body = reply
        .text()
        .await
        .expect("the stream ends as a stream should");
    let mut streamed = Streamed::default();
    for frame in body.split_terminator("\n\n") {
        match frame.strip_prefix("data: ").expect("each frame holds data") {
            "[DONE]" => streamed.is_whole = true,
            json => streamed
                .chunks
                .push(serde_json::from_str(json).expect("each holds JSON")),
        }
    }
    streamed
}
