//! From an upstream's stream, whichever API it speaks, to the events of an answer.

use serde_json::Value;

use crate::{
    Api, Event, chat_completions, errors, messages, openai::DONE, responses, sse::payload,
};

/// Decodes one streamed answer. After an error, or the answer's end, it gives no more events.
#[derive(Debug)]
pub struct EventDecoder(Decoder);

#[derive(Debug)]
enum Decoder {
    ChatCompletions(chat_completions::EventDecoder),
    Messages(messages::EventDecoder),
    Responses(responses::EventDecoder),
}

impl EventDecoder {
    /// Returns a decoder for an upstream of this API, which is asked for an answer to a conversation.
    #[must_use]
    pub fn new(api: Api) -> Self {
        Self(match api {
            Api::OpenAi => Decoder::ChatCompletions(chat_completions::EventDecoder::default()),
            Api::Responses => Decoder::Responses(responses::EventDecoder::default()),
            Api::Anthropic => Decoder::Messages(messages::EventDecoder::default()),
        })
    }

    /// Decodes a frame, the blank line at its end included. Comments give no events; a payload that
    /// is no JSON ends the answer with an error.
    pub fn frame(&mut self, frame: &[u8]) -> Vec<Event> {
        let Some(payload) = payload(frame) else {
            return Vec::new();
        };
        if payload.trim_ascii() == DONE {
            return self.finish();
        }
        match serde_json::from_slice(&payload) {
            Ok(payload) => self.payload(&payload),
            Err(_) => vec![errors::malformed()],
        }
    }

    /// Decodes a frame's payload.
    pub fn payload(&mut self, payload: &Value) -> Vec<Event> {
        match &mut self.0 {
            Decoder::ChatCompletions(decoder) => decoder.push(payload),
            Decoder::Messages(decoder) => decoder.push(payload),
            Decoder::Responses(decoder) => decoder.push(payload),
        }
    }

    /// Returns what is left once the stream says that it is whole.
    pub fn finish(&mut self) -> Vec<Event> {
        match &mut self.0 {
            Decoder::ChatCompletions(decoder) => decoder.finish(),
            Decoder::Messages(_) | Decoder::Responses(_) => Vec::new(),
        }
    }
}

/// Returns the string under this name; empty if there is none.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}
