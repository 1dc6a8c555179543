//! What it takes to replay an answer, to record one, and to encode what the engine generates.

#![allow(missing_docs)]

use deja_wire::{
    Answer, Api, Delta, Endpoint, Event, EventDecoder, EventRecorder, Fresh, Recorder,
    openai::STREAM_END,
};
use divan::{Bencher, counter::BytesCount};
use serde_json::json;

fn main() {
    divan::main();
}

fn chunk(content: &str, finish: Option<&str>) -> String {
    let choice = json!({
        "index": 0, "delta": {"content": content}, "logprobs": null, "finish_reason": finish,
    });
    let chunk = json!({
        "id": "chatcmpl-0123456789abcdef0123456789abcdef", "object": "chat.completion.chunk",
        "created": 1_700_000_000, "model": "Qwen3-Coder-30B-A3B-Instruct-4bit",
        "system_fingerprint": "fp_0123456789", "choices": [choice],
    });
    format!("data: {chunk}\n\n")
}

fn frames(count: usize) -> Vec<String> {
    let mut frames: Vec<_> = (0..count)
        .map(|number| chunk(&format!(" word{number}"), None))
        .collect();
    frames.push(chunk("", Some("stop")));
    frames.push(STREAM_END.to_owned());
    frames
}

fn recorded(frames: &[String]) -> Answer {
    let mut recorder = Recorder::new(Endpoint::ChatCompletions);
    for frame in frames {
        recorder.push(frame.as_bytes());
    }
    recorder.finish().expect("it is whole")
}

#[divan::bench]
fn replay_a_document_of_300_bytes(bencher: Bencher<'_, '_>) {
    let answer = recorded(&frames(2));
    let bytes = answer.document(&Fresh::new()).len();
    bencher
        .counter(BytesCount::new(bytes))
        .bench_local(|| answer.document(&Fresh::new()));
}

#[divan::bench(args = [100, 2000])]
fn replay_a_stream(bencher: Bencher<'_, '_>, chunks: usize) {
    let frames = frames(chunks);
    let answer = recorded(&frames);
    bencher
        .counter(BytesCount::new(frames.concat().len()))
        .bench_local(|| answer.stream(&Fresh::new(), false));
}

#[divan::bench(args = [100, 2000])]
fn record_a_stream(bencher: Bencher<'_, '_>, chunks: usize) {
    let frames = frames(chunks);
    bencher
        .counter(BytesCount::new(frames.concat().len()))
        .bench_local(|| recorded(&frames));
}

#[divan::bench]
fn record_a_frame(bencher: Bencher<'_, '_>) {
    let frame = chunk(" word", None);
    let mut recorder = Recorder::new(Endpoint::ChatCompletions);
    bencher.bench_local(|| recorder.push(frame.as_bytes()));
}

const GENERATING: [Endpoint; 2] = [Endpoint::ChatCompletions, Endpoint::Messages];

fn token() -> Event {
    Event::Delta {
        choice: 0,
        delta: Delta::text(" word"),
    }
}

/// One token of the engine, encoded for a client and recorded.
#[divan::bench(args = GENERATING)]
fn generate_a_token(bencher: Bencher<'_, '_>, endpoint: Endpoint) {
    let (token, mut recorder) = (token(), EventRecorder::new(endpoint, "m"));
    bencher.bench_local(|| recorder.push(&token));
}

/// The same where what was encoded, always as a chat completion, is read again: to translate it
/// for a client of another API, and to record it.
#[divan::bench(args = GENERATING)]
fn generate_a_token_by_way_of_its_text(bencher: Bencher<'_, '_>, endpoint: Endpoint) {
    let token = token();
    let mut encoder = EventRecorder::new(Endpoint::ChatCompletions, "m");
    let mut decoder = EventDecoder::new(Api::OpenAi);
    let mut translator = EventRecorder::new(endpoint, "m");
    let mut recorder = Recorder::new(endpoint);
    bencher.bench_local(|| {
        for frame in encoder.push(&token) {
            if endpoint == Endpoint::ChatCompletions {
                recorder.push(&frame.bytes);
                continue;
            }
            for event in decoder.frame(&frame.bytes) {
                for frame in translator.push(&event) {
                    recorder.push(&frame.bytes);
                }
            }
        }
    });
}
