//! Requests from one API to the other, where the client speaks one and the model's server the other.
//!
//! What the other API has no form for is refused by name where it would change the answer, and left
//! out where it would not. A field that neither API knows passes unchanged.

mod effort;
mod request_to_chat;
mod request_to_messages;
#[cfg(test)]
pub(crate) mod testing;

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
