//! What must hold of any stream of either API.

use std::{borrow::Cow, collections::HashMap};

use bytes::Bytes;
use deja_wire::{
    Answer, Api, Endpoint, EventDecoder, EventRecorder, FrameReader, Fresh, Recorder, payload,
};
use serde_json::Value;

use crate::pieces::cut;

/// The longest frame, in bytes.
const LONGEST: usize = 1 << 20;

const NO_RESPONSES: &str = "no target has streams of the Responses API";

/// What a client reads in an answer.
#[derive(Debug, Default)]
struct Said {
    text: String,
    thoughts: String,
    /// The names of the tools that are called.
    calls: Vec<String>,
}

/// Checks one stream.
pub fn check(endpoint: Endpoint, stream: &[u8]) {
    let frames = read([stream]);
    assert_eq!(read(cut(stream)), frames, "frames depend on how they came");
    assert_eq!(
        read(stream.chunks(1)),
        frames,
        "so do those of single bytes"
    );
    let answer = record(endpoint, &frames);
    if let Some(answer) = &answer {
        check_replays(endpoint, answer);
        check_text(endpoint, answer, &frames);
    }
    check_translation(endpoint, answer.as_ref(), &frames);
}

/// The frames of a stream that comes in these pieces; the last one may lack its blank line.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Bytes> {
    let mut reader = FrameReader::new(LONGEST);
    let mut frames = Vec::new();
    for piece in pieces {
        reader.push(Bytes::copy_from_slice(piece));
        while let Ok(Some(frame)) = reader.next_frame() {
            frames.push(frame);
        }
    }
    let rest = reader.finish();
    frames.extend(rest.map(|rest| [rest.trim_ascii_end(), b"\n\n"].concat().into()));
    frames
}

fn record(endpoint: Endpoint, frames: &[Bytes]) -> Option<Answer> {
    let mut recorder = Recorder::new(endpoint);
    for frame in frames {
        recorder.push(frame);
    }
    recorder.finish().ok()
}

/// Checks that an answer says the same in each form in which it is replayed.
fn check_replays(endpoint: Endpoint, answer: &Answer) {
    let fresh = Fresh::blank();
    let document = parsed(&answer.document(&fresh));
    assert_eq!(replayed(endpoint, answer), document, "the stream that came");
    let text = document.to_string();
    let held = Answer::from_document(endpoint, text.as_bytes());
    let held = held.unwrap_or_else(|reason| panic!("{reason}: {document}"));
    let made = replayed(endpoint, &held);
    assert_eq!(indexed(made), indexed(document), "a stream that is made");
}

/// The document with the index that a stream gives to a choice without one.
fn indexed(mut document: Value) -> Value {
    let choices = document.get_mut("choices").and_then(Value::as_array_mut);
    for choice in choices.into_iter().flatten() {
        if let Some(fields) = choice.as_object_mut() {
            fields.entry("index").or_insert(Value::from(0));
        }
    }
    document
}

/// The document of the answer's replay as a stream.
fn replayed(endpoint: Endpoint, answer: &Answer) -> Value {
    let fresh = Fresh::blank();
    let stream = answer.stream(&fresh, true).expect("the endpoint streams");
    let again = record(endpoint, &read([&*stream]));
    let again = again.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&stream)));
    parsed(&again.document(&fresh))
}

/// Checks that the document has all text of the frames.
fn check_text(endpoint: Endpoint, answer: &Answer, frames: &[Bytes]) {
    let mut text = String::new();
    for payload in payloads(frames) {
        match endpoint.api() {
            Api::OpenAi => {
                let choices = payload["choices"].as_array().into_iter().flatten();
                let first = choices.filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
                text.extend(first.filter_map(|choice| choice["delta"]["content"].as_str()));
            }
            Api::Anthropic if payload["type"] == "content_block_delta" => {
                text.push_str(payload["delta"]["text"].as_str().unwrap_or_default());
            }
            Api::Anthropic => {}
            Api::Responses => unreachable!("{NO_RESPONSES}"),
        }
    }
    let said = said(endpoint, answer);
    if endpoint.api() == Api::OpenAi {
        assert_eq!(said.text, text);
    } else {
        assert_kept(&text, &said.text);
    }
}

/// Checks that an answer for a client of the other API has all that the original says, where it is
/// whole, and that what is kept of it is what would be kept of its frames.
fn check_translation(endpoint: Endpoint, answer: Option<&Answer>, frames: &[Bytes]) {
    let other = match endpoint {
        Endpoint::Messages => Endpoint::ChatCompletions,
        _ => Endpoint::Messages,
    };
    let mut decoder = EventDecoder::new(endpoint.api());
    let mut recorder = EventRecorder::new(other, "m");
    let mut by_frames = Recorder::new(other);
    for event in frames.iter().flat_map(|frame| decoder.frame(frame)) {
        for frame in recorder.push(&event) {
            by_frames.push(&frame.bytes);
        }
    }
    let Ok(translated) = recorder.finish() else {
        return;
    };
    let by_frames = by_frames.finish().expect("its frames make an answer too");
    let document = |answer: &Answer| parsed(&answer.document(&Fresh::blank()));
    assert_eq!(document(&translated), document(&by_frames));
    if let Some(answer) = answer {
        let (original, translated) = (said(endpoint, answer), said(other, &translated));
        assert_kept(&original.text, &translated.text);
        assert_kept(&original.thoughts, &translated.thoughts);
        assert_eq!(original.calls, translated.calls);
    }
}

fn payloads(frames: &[Bytes]) -> impl Iterator<Item = Value> {
    let payloads = frames.iter().filter_map(|frame| payload(frame));
    payloads.filter_map(|payload: Cow<'_, [u8]>| serde_json::from_slice(&payload).ok())
}

/// What the document of an answer says.
fn said(endpoint: Endpoint, answer: &Answer) -> Said {
    let document = parsed(&answer.document(&Fresh::blank()));
    match endpoint.api() {
        Api::OpenAi => said_in_chat(&document),
        Api::Anthropic => said_in_message(&document),
        Api::Responses => unreachable!("{NO_RESPONSES}"),
    }
}

fn said_in_chat(document: &Value) -> Said {
    let mut choices = document["choices"].as_array().into_iter().flatten();
    let first = choices.find(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
    let Some(message) = first.map(|choice| &choice["message"]) else {
        return Said::default();
    };
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    Said {
        text: text("content"),
        thoughts: match text("reasoning_content") {
            thoughts if thoughts.is_empty() => text("reasoning"),
            thoughts => thoughts,
        },
        calls: calls.map(|call| name(&call["function"])).collect(),
    }
}

fn said_in_message(document: &Value) -> Said {
    let mut said = Said::default();
    for block in document["content"].as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("thinking") => said.thoughts += block["thinking"].as_str().unwrap_or_default(),
            Some("tool_use") => said.calls.push(name(block)),
            _ => said.text += block["text"].as_str().unwrap_or_default(),
        }
    }
    said
}

fn name(tool: &Value) -> String {
    tool["name"].as_str().unwrap_or_default().to_owned()
}

/// Checks that each character of the one text stands in the other as often.
fn assert_kept(one: &str, other: &str) {
    let mut left: HashMap<char, usize> = HashMap::new();
    for character in other.chars() {
        *left.entry(character).or_default() += 1;
    }
    for character in one.chars() {
        let count = left.get_mut(&character).filter(|count| **count > 0);
        let count = count.unwrap_or_else(|| panic!("{one:?} is not all of it in {other:?}"));
        *count -= 1;
    }
}

fn parsed(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("it is JSON")
}
