//! From one API to the other, where the client speaks one and the model's server the other.
//!
//! Requests are translated whole, answers payload by payload as they stream; who has a whole
//! answer unfolds it to a stream first. What the other API has no form for is refused by name
//! where it would change the answer, and left out where it would not. A field that neither API
//! knows passes unchanged.
//!
//! An answer's id takes the other API's form. Ids of tool calls stay as they are: both APIs treat
//! them as opaque, and the client sends them back with the results, where the server must know
//! them again.

mod answer_to_chat;
mod answer_to_messages;
mod effort;
mod error;
mod request_to_chat;
mod request_to_messages;
#[cfg(test)]
mod testing;

use serde_json::Value;

pub use answer_to_chat::MessagesToChat;
pub use answer_to_messages::ChatToMessages;
pub use error::{error_to_anthropic, error_to_openai};
pub use request_to_chat::messages_to_chat;
pub use request_to_messages::chat_to_messages;

use crate::Fresh;

/// How `OpenAI`'s answer ids begin.
const CHAT_ID: &str = "chatcmpl-";

/// How Anthropic's answer ids begin.
const MESSAGE_ID: &str = "msg_";

/// What tells this answer's id from all others, without the prefix that names its API.
fn bare_id(answer: &Value, prefix: &str) -> String {
    match text(answer, "id") {
        "" => Fresh::new().id(),
        id => id.strip_prefix(prefix).unwrap_or(id).to_owned(),
    }
}

/// The string under this name; empty if there is none.
fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// The object without the fields that hold nothing.
fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}
