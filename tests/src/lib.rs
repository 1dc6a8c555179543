//! Runs the real server for the end-to-end tests. `cargo xtask test` builds what they need and
//! tells where it is.

#![forbid(unsafe_code)]

mod server;
mod stream;

pub use server::{Deja, Setup, cache_status, required};
pub use stream::{Streamed, streamed};

use serde_json::{Value, json};

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
