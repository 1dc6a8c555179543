//! Real exchanges with vendors come back from the cache as they came.
//!
//! `DEJA_EXCHANGES` names a file with one exchange a line: `{"kind", "resp", …}`, where `kind` is
//! the end of the endpoint's path and `resp` a document or the text of an event stream.
//!
//! ```sh
//! DEJA_EXCHANGES=exchanges.jsonl cargo test -p deja-wire --test exchanges -- --ignored --nocapture
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use deja_wire::{
    Answer, BadRequest, EncodedRequest, Endpoint, EventDecoder, EventRecorder, Fragment, FrameKind,
    FrameReader, Fresh, Recorder, Request, Unsupported, chat_completions, messages, payload,
    responses, unfold,
};
use serde_json::Value;

/// Fields that a reply from the cache has anew, and the number of a tool call, which some servers'
/// documents have too.
const FREE_FIELDS: [&str; 5] = ["id", "created", "tool_use_id", "tool_id", "index"];

#[test]
#[ignore = "needs recorded exchanges"]
#[allow(clippy::print_stdout, reason = "it is a report")]
fn exchanges_come_back_as_they_came() {
    let mut outcomes = BTreeMap::<String, usize>::new();
    for exchange in exchanges() {
        let outcome = outcome(&exchange);
        *outcomes.entry(outcome).or_default() += 1;
    }
    for (outcome, count) in outcomes {
        println!("{count:4} {outcome}");
    }
}

#[test]
#[ignore = "needs recorded exchanges"]
#[allow(clippy::print_stdout, reason = "it is a report")]
fn answers_go_to_clients_of_every_api() {
    const CLIENTS: [Endpoint; 3] = [
        Endpoint::ChatCompletions,
        Endpoint::Messages,
        Endpoint::Responses,
    ];
    let mut outcomes = BTreeMap::<String, usize>::new();
    for exchange in exchanges() {
        let upstream = endpoint(&exchange);
        for client in CLIENTS.into_iter().filter(|_| CLIENTS.contains(&upstream)) {
            let outcome = match encoded(upstream, client, &exchange["resp"]) {
                Ok(answer) => {
                    assert_forms_agree(client, &answer);
                    "stored".to_owned()
                }
                Err(Fragment { reason, .. }) => reason.to_string(),
            };
            let way = format!("{} to {}: {outcome}", upstream.name(), client.name());
            *outcomes.entry(way).or_default() += 1;
        }
    }
    for (outcome, count) in outcomes {
        println!("{count:4} {outcome}");
    }
}

/// The answer that a client gets of an upstream's, event by event.
fn encoded(upstream: Endpoint, client: Endpoint, answer: &Value) -> Result<Answer, Fragment> {
    let mut decoder = EventDecoder::new(upstream.api());
    let mut recorder = EventRecorder::new(client, "m");
    let mut events = Vec::new();
    match answer {
        Value::String(stream) => {
            for frame in frames(stream.clone().into()) {
                events.extend(decoder.frame(&frame));
            }
        }
        document => {
            for payload in unfold(upstream, document) {
                events.extend(decoder.payload(&payload));
            }
            events.extend(decoder.finish());
        }
    }
    for event in &events {
        recorder.push(event);
    }
    recorder.finish()
}

#[test]
#[ignore = "needs recorded exchanges"]
#[allow(clippy::print_stdout, reason = "it is a report")]
fn requests_go_to_servers_of_every_api() {
    let mut outcomes = BTreeMap::<String, usize>::new();
    for exchange in exchanges() {
        let client = endpoint(&exchange);
        let decoded = match client {
            Endpoint::ChatCompletions => chat_completions::decode_request(&exchange["body"]),
            Endpoint::Messages => messages::decode_request(&exchange["body"]),
            Endpoint::Responses => responses::decode_request(&exchange["body"]),
            _ => continue,
        };
        for (server, outcome) in encodings(decoded) {
            let way = format!("{} to {server}: {outcome}", client.name());
            *outcomes.entry(way).or_default() += 1;
        }
    }
    for (outcome, count) in outcomes {
        println!("{count:4} {outcome}");
    }
}

/// Says of each API's servers whether a request can be sent to them.
fn encodings(decoded: Result<Request, BadRequest>) -> Vec<(&'static str, String)> {
    let request = match decoded {
        Ok(request) => request,
        Err(error) => return vec![("the model of requests", error.to_string())],
    };
    let said = |encoded: Result<EncodedRequest, BadRequest>| match encoded {
        Ok(_) => "encoded".to_owned(),
        Err(error) => error.to_string(),
    };
    let refuse = Unsupported::Refuse;
    vec![
        (
            "chat-completions",
            said(chat_completions::encode_request(&request, refuse)),
        ),
        (
            "responses",
            said(responses::encode_request(&request, refuse)),
        ),
        (
            "messages",
            said(messages::encode_request(&request, refuse, 8192)),
        ),
    ]
}

fn exchanges() -> Vec<Value> {
    let path = std::env::var("DEJA_EXCHANGES").expect("DEJA_EXCHANGES names a file");
    let exchanges = std::fs::read_to_string(path).expect("the file can be read");
    let parsed = |line| serde_json::from_str(line).expect("each line is JSON");
    exchanges.lines().map(parsed).collect()
}

fn endpoint(exchange: &Value) -> Endpoint {
    let kind = exchange["kind"].as_str().expect("each line has a kind");
    Endpoint::ALL
        .into_iter()
        .find(|endpoint| endpoint.path().strip_prefix("/v1/") == Some(kind))
        .expect("each kind is an endpoint's")
}

/// Checks what comes back of an exchange, and returns whether it is stored, in words.
fn outcome(exchange: &Value) -> String {
    let endpoint = endpoint(exchange);
    let name = endpoint.name();
    match &exchange["resp"] {
        Value::String(stream) => format!("{name}, stream: {}", stream_outcome(endpoint, stream)),
        document => format!("{name}, document: {}", document_outcome(endpoint, document)),
    }
}

fn document_outcome(endpoint: Endpoint, document: &Value) -> String {
    match Answer::from_document(endpoint, document.to_string().as_bytes()) {
        Ok(answer) => {
            let replayed = parsed(&answer.document(&Fresh::blank()));
            assert!(are_same(endpoint, document, &replayed), "{document}");
            assert_forms_agree(endpoint, &answer);
            "stored".to_owned()
        }
        Err(reason) => reason.to_string(),
    }
}

fn stream_outcome(endpoint: Endpoint, stream: &str) -> String {
    let mut recorder = Recorder::new(endpoint);
    let mut frames = frames(stream.to_owned().into());
    frames.retain(|frame| recorder.push(frame) != FrameKind::Quiet);
    match recorder.finish() {
        Ok(answer) => {
            let replayed = answer.stream(&Fresh::blank(), true).expect("it streams");
            let is_same = are_same_frames(endpoint, &frames, &self::frames(replayed));
            assert!(is_same, "{stream}");
            assert_forms_agree(endpoint, &answer);
            "stored".to_owned()
        }
        Err(Fragment { reason, .. }) => reason.to_string(),
    }
}

/// Checks that the stream of an answer, as it is kept and as its document unfolds, says what its
/// document says.
fn assert_forms_agree(endpoint: Endpoint, answer: &Answer) {
    let fresh = Fresh::blank();
    let document = answer.document(&fresh);
    let unfolded = Answer::from_document(endpoint, &document).expect("it is whole");
    let streams = [answer, &unfolded].map(|answer| answer.stream(&fresh, true));
    for stream in streams.into_iter().flatten() {
        let mut recorder = Recorder::new(endpoint);
        for frame in frames(stream) {
            recorder.push(&frame);
        }
        let again = recorder.finish().expect("it is whole").document(&fresh);
        let is_same = are_same(endpoint, &parsed(&document), &parsed(&again));
        assert!(is_same, "{document:?} became {again:?}");
    }
}

fn are_same_frames(endpoint: Endpoint, came: &[Bytes], replayed: &[Bytes]) -> bool {
    let read = |frame: &Bytes| serde_json::from_slice(&payload(frame)?).ok();
    let are_same = |(came, replayed)| match (read(came), read(replayed)) {
        (Some(came), Some(replayed)) => are_same(endpoint, &came, &replayed),
        _ => came == replayed,
    };
    came.len() == replayed.len() && came.iter().zip(replayed).all(are_same)
}

/// Whether two values are the same: for an endpoint whose answers are not kept to the letter, but
/// for ids and times, and where nothing is said.
fn are_same(endpoint: Endpoint, came: &Value, replayed: &Value) -> bool {
    let (mut came, mut replayed) = (came.clone(), replayed.clone());
    if endpoint != Endpoint::Responses {
        blank(&mut came);
        blank(&mut replayed);
    }
    came == replayed
}

fn blank(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                !is_empty && !FREE_FIELDS.contains(&name.as_str())
            });
            fields.values_mut().for_each(blank);
        }
        Value::Array(items) => items.iter_mut().for_each(blank),
        _ => {}
    }
}

fn parsed(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("it is JSON")
}

fn frames(stream: Bytes) -> Vec<Bytes> {
    let mut reader = FrameReader::new(usize::MAX);
    reader.push(stream);
    std::iter::from_fn(|| reader.next_frame().expect("there is no limit")).collect()
}
