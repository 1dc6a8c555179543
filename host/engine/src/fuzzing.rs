//! What the fuzz targets in `tests/fuzz` reach beyond the public interface. None of it runs MLX.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use deja_wire::Conversation;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::codec::Decoder as _;

use crate::{
    EngineError, model,
    protocol::{self, FromWorker, ToWorker},
    template::{ChatTemplate, SpecialTokens},
};

/// Reads all that a GGUF file holds but its weights.
pub fn gguf(path: &Path) -> Result<(), EngineError> {
    model::gguf::read_without_weights(path)
}

/// Checks the header of a safetensors file.
pub fn safetensors(path: &Path) -> Result<(), EngineError> {
    model::check_safetensors(path)
}

/// Renders a conversation with a chat template.
///
/// # Errors
/// Says what is wrong with the template, or why it refuses the conversation.
pub fn prompt(template: &str, conversation: &Conversation) -> Result<String, String> {
    let template = ChatTemplate::new(template, &SpecialTokens::default())?;
    let rendered = template.render(conversation);
    rendered.map_err(|error| error.to_string())
}

/// Reads an engine's messages from a stream that arrives in these pieces, up to the first that
/// cannot be read, and encodes each again.
pub fn to_worker<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Bytes> {
    messages::<ToWorker>(pieces)
}

/// Reads a worker's messages as [`to_worker`] reads an engine's.
pub fn from_worker<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Bytes> {
    messages::<FromWorker>(pieces)
}

fn messages<'a, T: Serialize + DeserializeOwned>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Bytes> {
    let (mut codec, mut arrived) = (protocol::codec(), BytesMut::new());
    let mut messages = Vec::new();
    for piece in pieces {
        arrived.extend_from_slice(piece);
        loop {
            match codec.decode(&mut arrived) {
                Ok(Some(frame)) => match protocol::decode::<T>(&frame) {
                    Ok(message) => messages.extend(protocol::encode(&message)),
                    Err(_) => return messages,
                },
                Ok(None) => break,
                Err(_) => return messages,
            }
        }
    }
    messages
}
