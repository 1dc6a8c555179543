//! Runs the real server for the end-to-end tests. `cargo xtask test` builds what they need and
//! tells where it is.

#![forbid(unsafe_code)]

mod api;
mod client;
mod coding;
mod log;
mod memory;
mod program;
mod python;
mod server;
mod stream;
mod upstream;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{interval, timeout};

pub use api::{ANSWER_TOKENS, Answer, Api, PAIRS, PROMPT_TOKENS, Stop, ToolCall};
pub use client::{client, client_builder};
pub use coding::Coding;
pub use program::{deja_command, printed};
pub use python::{python, python_server};
pub use server::{Deja, Setup, built, cache_status, required, variant, whole};
pub use stream::{Frames, Streamed, streamed};
pub use upstream::{Asked, Ending, Gate, Reply, Upstream};

/// How long the tests wait for what must come. It is long because the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until something is so that can only be seen by asking for it.
pub async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let wait = async {
        let mut again = interval(Duration::from_millis(10));
        while !is_so().await {
            again.tick().await;
        }
    };
    let came = timeout(PATIENCE, wait).await;
    assert!(came.is_ok(), "{what} did not come");
}

/// What the tests ask most often.
pub const QUESTION: &str = "What is the capital of France?";

/// A request for the likeliest answer to one question.
#[must_use]
pub fn question(content: &str) -> Value {
    json!({"messages": [{"role": "user", "content": content}], "temperature": 0})
}

/// A request whose answer takes a while: far over a hundred tokens.
#[must_use]
pub fn long_question() -> Value {
    json!({
        "messages": [{"role": "user", "content": "Tell me a long story about a fox."}],
        "temperature": 0, "max_tokens": 400, "stream": true,
    })
}

/// The text of a whole answer.
#[must_use]
pub fn text(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"]
        .as_str()
        .expect("the answer has a text")
}
