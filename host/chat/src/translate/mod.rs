//! From one API to the other, where the client speaks one and the model's server the other.
//!
//! What the other API has no form for is refused by name where it would change the answer, and left
//! out where it would not. A field that neither API knows passes unchanged.
//!
//! Ids of tool calls stay as they are: both APIs treat
//! them as opaque, and the client sends them back with the results, where the server must know
//! them again.

mod effort;
mod field;
mod request_to_chat;
mod request_to_messages;
#[cfg(test)]
mod testing;

use serde_json::Value;

pub use request_to_chat::messages_to_chat;
pub use request_to_messages::chat_to_messages;

/// The object without the fields that hold nothing.
fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}
