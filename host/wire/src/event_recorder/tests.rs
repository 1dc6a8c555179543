//! Answers from one API to the other, and the same answer by its events and by its frames.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Api, Delta, EventDecoder, FinishReason, Fresh, Recorder, Usage,
    testing::{any_payload, assert_well_formed, chunks, heard, sayings},
};

/// The payloads that a client of this endpoint gets for these payloads of an upstream.
fn translated(upstream: Api, client: Endpoint, payloads: &[Value]) -> Vec<Value> {
    let (recorder, frames) = recorded(upstream, client, payloads);
    drop(recorder);
    frames.iter().filter_map(json_of).collect()
}

fn recorded(upstream: Api, client: Endpoint, payloads: &[Value]) -> (EventRecorder, Vec<Frame>) {
    let mut decoder = EventDecoder::new(upstream);
    let mut recorder = EventRecorder::new(client, "m");
    let mut events: Vec<_> = payloads
        .iter()
        .flat_map(|payload| decoder.payload(payload))
        .collect();
    events.extend(decoder.finish());
    let frames = events
        .iter()
        .flat_map(|event| recorder.push(event))
        .collect();
    (recorder, frames)
}

fn json_of(frame: &Frame) -> Option<Value> {
    serde_json::from_slice(&payload(&frame.bytes)?).ok()
}

fn to_messages(chunks: &[Value]) -> Vec<Value> {
    translated(Api::OpenAi, Endpoint::Messages, chunks)
}

fn to_chat(events: &[Value]) -> Vec<Value> {
    translated(Api::Anthropic, Endpoint::ChatCompletions, events)
}

/// Why the answer to a client of this endpoint is not stored.
fn fault(upstream: Api, client: Endpoint, payloads: &[Value]) -> Option<Incomplete> {
    let (recorder, _) = recorded(upstream, client, payloads);
    recorder.finish().err().map(|fragment| fragment.reason)
}

fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

mod from_chat {
    use super::*;

    fn chunk(delta: &Value) -> Value {
        json!({"id": "chatcmpl-7", "model": "m", "choices": [{"index": 0, "delta": delta}]})
    }

    fn end(finish_reason: &str) -> Value {
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
    }

    fn call(piece: &Value) -> Value {
        chunk(&json!({"tool_calls": [piece]}))
    }

    fn stop_reason(chunks: &[Value]) -> Value {
        of_type(&to_messages(chunks), "message_delta")[0]["delta"].clone()
    }

    #[test]
    fn reasoning_then_text_then_counts() {
        let usage = json!({
            "prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 6},
        });
        let chunks = [
            chunk(&json!({"role": "assistant", "content": ""})),
            chunk(&json!({"reasoning_content": "hm"})),
            chunk(&json!({"content": "Pa"})),
            chunk(&json!({"content": "ris", "tool_calls": null})),
            end("stop"),
            json!({"choices": [], "usage": usage}),
        ];
        let counts = |input: u32, cached: u32, output: u32| {
            json!({
                "input_tokens": input, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": cached, "output_tokens": output,
            })
        };
        let expected = [
            json!({"type": "message_start", "message": {
                "id": "msg_7", "type": "message", "role": "assistant", "model": "m",
                "content": [], "stop_reason": null, "stop_sequence": null, "usage": counts(0, 0, 0),
            }}),
            json!({"type": "content_block_start", "index": 0, "content_block": {
                "type": "thinking", "thinking": "", "signature": "",
            }}),
            json!({"type": "content_block_delta", "index": 0, "delta": {
                "type": "thinking_delta", "thinking": "hm",
            }}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "content_block_start", "index": 1, "content_block": {
                "type": "text", "text": "",
            }}),
            json!({"type": "content_block_delta", "index": 1, "delta": {
                "type": "text_delta", "text": "Pa",
            }}),
            json!({"type": "content_block_delta", "index": 1, "delta": {
                "type": "text_delta", "text": "ris",
            }}),
            json!({"type": "content_block_stop", "index": 1}),
            json!({"type": "message_delta", "usage": counts(4, 6, 2), "delta": {
                "stop_reason": "end_turn", "stop_sequence": null,
            }}),
            json!({"type": "message_stop"}),
        ];
        assert_eq!(to_messages(&chunks), expected);
    }

    #[test]
    fn every_finish_reason_has_its_stop_reason() {
        for (finish, stop) in [
            ("stop", "end_turn"),
            ("length", "max_tokens"),
            ("tool_calls", "tool_use"),
            ("function_call", "tool_use"),
            ("content_filter", "refusal"),
            ("eos", "end_turn"),
            ("abort", "abort"),
        ] {
            assert_eq!(stop_reason(&[end(finish)])["stop_reason"], stop, "{finish}");
        }
    }

    #[test]
    fn a_matched_stop_string_is_named() {
        let matched = json!({"choices": [{"finish_reason": "stop", "stop_reason": "END"}]});
        let expected = json!({"stop_reason": "stop_sequence", "stop_sequence": "END"});
        assert_eq!(stop_reason(&[matched]), expected);
        let token = json!({"choices": [{"finish_reason": "stop", "stop_reason": 128_009}]});
        assert_eq!(stop_reason(&[token])["stop_reason"], "end_turn");
    }

    #[test]
    fn a_stop_after_calls_is_one_for_tools() {
        let called = call(&json!({"id": "a", "function": {"name": "f", "arguments": "{}"}}));
        let stop = stop_reason(&[called, end("stop")]);
        assert_eq!(stop["stop_reason"], "tool_use");
    }

    #[test]
    fn a_call_without_an_id_gets_one() {
        let called =
            |index| call(&json!({"index": index, "function": {"name": "f", "arguments": "{}"}}));
        let events = to_messages(&[called(0), called(1), end("stop")]);
        let starts = of_type(&events, "content_block_start");
        let ids: Vec<_> = starts
            .iter()
            .map(|start| &start["content_block"]["id"])
            .collect();
        assert_eq!(ids, ["toolu_7_0", "toolu_7_1"]);
    }

    #[test]
    fn lists_of_texts_and_reasoning_are_carried() {
        let pieces = json!([{"type": "text", "text": "hm"}]);
        let chunks = [
            chunk(&json!({"content": [{"type": "thinking", "thinking": pieces}]})),
            chunk(&json!({"content": [{"type": "text", "text": "Pa"}]})),
            chunk(&json!({"content": "ris"})),
            end("stop"),
        ];
        let events = to_messages(&chunks);
        let deltas = of_type(&events, "content_block_delta");
        let said: Vec<_> = deltas.iter().map(|event| &event["delta"]).collect();
        let expected = [
            json!({"type": "thinking_delta", "thinking": "hm"}),
            json!({"type": "text_delta", "text": "Pa"}),
            json!({"type": "text_delta", "text": "ris"}),
        ];
        assert_eq!(said, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_part_without_a_form_is_an_error() {
        for delta in [
            json!({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
            json!({"content": {"text": "x"}}),
            json!({"audio": {"id": "a"}}),
        ] {
            let events = to_messages(&[chunk(&delta), end("stop")]);
            let last = events.last().map(|event| &event["type"]);
            assert_eq!(last, Some(&json!("error")), "{delta}");
        }
    }

    #[test]
    fn what_is_left_out_is_not_stored() {
        let cited = json!([{"type": "url_citation", "url_citation": {"url": "x"}}]);
        for (delta, fault_of_it) in [
            (json!({"content": "a"}), None),
            (json!({"content": "a", "annotations": []}), None),
            (json!({"annotations": cited}), Some(Incomplete::NotCarried)),
            (
                json!({"vendors_own": {"a": 1}}),
                Some(Incomplete::NotCarried),
            ),
        ] {
            let chunks = [chunk(&delta), end("stop")];
            assert_eq!(
                fault(Api::OpenAi, Endpoint::Messages, &chunks),
                fault_of_it,
                "{delta}"
            );
        }
    }

    #[test]
    fn only_the_first_choice_counts() {
        let second = json!({"choices": [{"index": 1, "delta": {"content": "other"}}]});
        let events = to_messages(&[second, end("stop")]);
        assert!(of_type(&events, "content_block_delta").is_empty());
    }

    #[test]
    fn an_error_ends_the_answer() {
        let events = to_messages(&[
            chunk(&json!({"content": "a"})),
            json!({"error": {"message": "broken", "code": 500}}),
            chunk(&json!({"content": "b"})),
            end("stop"),
        ]);
        let expected =
            json!({"type": "error", "error": {"type": "api_error", "message": "broken"}});
        assert_eq!(events.last(), Some(&expected));
    }

    #[test]
    fn an_answer_that_was_cut_does_not_look_whole() {
        let events = to_messages(&[chunk(&json!({"content": "a"}))]);
        assert_eq!(
            events.last().map(|event| &event["type"]),
            Some(&json!("error"))
        );
        assert!(of_type(&events, "message_stop").is_empty());
    }
}

mod from_messages {
    use super::*;

    fn start() -> Value {
        json!({"type": "message_start", "message": {
            "id": "msg_7", "model": "m", "content": [],
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 2,
                "cache_read_input_tokens": 5, "output_tokens": 1},
        }})
    }

    fn open(block: &Value) -> Value {
        json!({"type": "content_block_start", "index": 0, "content_block": block})
    }

    fn delta(delta: &Value) -> Value {
        json!({"type": "content_block_delta", "index": 0, "delta": delta})
    }

    fn close() -> Value {
        json!({"type": "content_block_stop", "index": 0})
    }

    fn end(stop_reason: &str) -> [Value; 2] {
        let delta = json!({"stop_reason": stop_reason, "stop_sequence": null});
        [
            json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}),
            json!({"type": "message_stop"}),
        ]
    }

    /// A whole answer with these events between its start and its end.
    fn answer(events: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let events = [start()].into_iter().chain(events);
        events.chain(end("end_turn")).collect()
    }

    fn deltas(chunks: &[Value]) -> Vec<Value> {
        let deltas = chunks
            .iter()
            .map(|chunk| chunk["choices"][0]["delta"].clone());
        deltas.filter(|delta| !delta.is_null()).collect()
    }

    #[test]
    fn reasoning_text_and_a_call() {
        let mut events = vec![
            start(),
            json!({"type": "ping"}),
            open(&json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(&json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(&json!({"type": "signature_delta", "signature": "c2ln"})),
            close(),
            open(&json!({"type": "text", "text": ""})),
            delta(&json!({"type": "text_delta", "text": "Looking."})),
            close(),
            open(&json!({"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}})),
            delta(&json!({"type": "input_json_delta", "partial_json": ""})),
            delta(&json!({"type": "input_json_delta", "partial_json": "{}"})),
            close(),
        ];
        events.extend(end("tool_use"));
        let chunks = to_chat(&events);
        let signed = json!({"type": "reasoning.text", "text": "hm", "signature": "c2ln",
            "format": "anthropic-claude-v1", "index": 0});
        let expected = [
            json!({"role": "assistant", "content": ""}),
            json!({"reasoning_content": "hm"}),
            json!({"reasoning_details": [signed]}),
            json!({"content": "Looking."}),
            json!({"tool_calls": [{"index": 0, "id": "toolu_1", "type": "function",
                "function": {"name": "ls", "arguments": ""}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            json!({}),
        ];
        assert_eq!(deltas(&chunks), expected);
        for chunk in &chunks {
            assert_eq!(chunk["id"], "chatcmpl-7");
            assert_eq!(chunk["object"], "chat.completion.chunk");
            assert_eq!(chunk["model"], "m");
        }
        let [.., last, counts] = chunks.as_slice() else {
            panic!("an answer has an end");
        };
        assert_eq!(last["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(counts["choices"], json!([]));
        let expected = json!({
            "prompt_tokens": 10, "completion_tokens": 9, "total_tokens": 19,
            "prompt_tokens_details": {"cached_tokens": 5},
        });
        assert_eq!(counts["usage"], expected);
        assert_eq!(
            fault(Api::Anthropic, Endpoint::ChatCompletions, &events),
            None
        );
    }

    #[test]
    fn input_that_comes_whole_is_kept() {
        let call = open(&json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}));
        let deltas = deltas(&to_chat(&answer([call, close()])));
        let arguments = &deltas[2]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(arguments, "{\"a\":1}");
    }

    #[test]
    fn what_is_left_out_is_not_stored() {
        let search =
            json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
        let cited = delta(&json!({"type": "citations_delta", "citation": {"url": "x"}}));
        let text = open(&json!({"type": "text", "text": "a"}));
        for (events, fault_of_it) in [
            (vec![text.clone(), close()], None),
            (vec![open(&search), close()], Some(Incomplete::NotCarried)),
            (vec![text, cited, close()], Some(Incomplete::NotCarried)),
        ] {
            let answer = answer(events);
            let found = fault(Api::Anthropic, Endpoint::ChatCompletions, &answer);
            assert_eq!(found, fault_of_it, "{answer:?}");
        }
    }

    #[test]
    fn the_input_of_the_vendors_own_tools_goes_to_no_call() {
        let events = answer([
            open(&json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})),
            close(),
            open(&json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
            delta(&json!({"type": "input_json_delta", "partial_json": "{}"})),
            close(),
        ]);
        let calls = deltas(&to_chat(&events));
        let calls = calls.iter().filter(|delta| delta["tool_calls"].is_array());
        assert_eq!(calls.count(), 1);
    }

    #[test]
    fn a_part_without_a_form_is_an_error() {
        for event in [
            open(&json!({"type": "image", "source": {}})),
            delta(&json!({"type": "image_delta", "data": "x"})),
        ] {
            let chunks = to_chat(&answer([event.clone()]));
            let last = chunks.last().expect("there are chunks");
            assert!(last["error"].is_object(), "{event}");
        }
    }

    #[test]
    fn every_stop_reason_has_its_finish_reason() {
        for (stop, finish) in [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("pause_turn", "pause_turn"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("tool_use", "tool_calls"),
            ("refusal", "content_filter"),
        ] {
            let chunks = to_chat(&end(stop));
            let finished = chunks
                .iter()
                .map(|chunk| &chunk["choices"][0]["finish_reason"]);
            let reasons: Vec<_> = finished.filter(|reason| reason.is_string()).collect();
            assert_eq!(reasons, [finish], "{stop}");
        }
    }

    #[test]
    fn an_error_ends_the_answer() {
        let error = json!({"type": "overloaded_error", "message": "busy"});
        let chunks = to_chat(&[
            json!({"type": "error", "error": error}),
            json!({"type": "message_stop"}),
        ]);
        assert_eq!(chunks.len(), 1);
        assert_eq!(chunks[0]["error"]["message"], "busy");
    }
}

/// Any events of an answer of one choice, up to its end.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let piece = "[a-z\"\n ]{1,3}";
    let delta = prop_oneof![
        piece.prop_map(Delta::text),
        piece.prop_map(Delta::Reasoning),
        piece.prop_map(Delta::Signature),
        piece.prop_map(Delta::EncryptedReasoning),
        Just(Delta::ToolArguments {
            index: 0,
            arguments: String::new(),
        }),
    ];
    prop::collection::vec(delta, 0..12).prop_map(|deltas| {
        let mut calls = 0;
        let mut events: Vec<_> = deltas
            .into_iter()
            .flat_map(|delta| calling(delta, &mut calls))
            .collect();
        let finish = FinishReason::Stop;
        events.push(Event::Finished { choice: 0, finish });
        events.push(Event::End {
            usage: Usage::default(),
        });
        events
    })
}

/// The events of a delta, where one of arguments stands for a whole call.
fn calling(delta: Delta, calls: &mut u32) -> Vec<Event> {
    let deltas = match delta {
        Delta::ToolArguments { .. } => {
            let index = *calls;
            *calls += 1;
            let arguments = "{\"a\":1}".to_owned();
            vec![
                Delta::ToolCall {
                    index,
                    id: format!("call_{index}"),
                    name: "f".to_owned(),
                },
                Delta::ToolArguments { index, arguments },
            ]
        }
        delta => vec![delta],
    };
    let events = deltas
        .into_iter()
        .map(|delta| Event::Delta { choice: 0, delta });
    events.collect()
}

proptest! {
    #[test]
    fn messages_are_well_formed(sayings in sayings()) {
        assert_well_formed(&to_messages(&chunks(&sayings)));
    }

    #[test]
    fn an_answer_survives_the_way_there_and_back(sayings in sayings()) {
        let chunks = chunks(&sayings);
        prop_assert_eq!(heard(&to_chat(&to_messages(&chunks))), heard(&chunks));
    }

    #[test]
    fn no_payload_is_too_strange(payloads in prop::collection::vec(any_payload(), 0..6)) {
        to_messages(&payloads);
        to_chat(&payloads);
    }

    /// What is kept of an answer's events is what would be kept of its frames.
    #[test]
    fn events_and_frames_make_the_same_answer(
        events in events(),
        endpoint in prop::sample::select(vec![
            Endpoint::ChatCompletions,
            Endpoint::Messages,
            Endpoint::Responses,
        ]),
    ) {
        let mut by_events = EventRecorder::new(endpoint, "m");
        let mut by_frames = Recorder::new(endpoint);
        for event in &events {
            for frame in by_events.push(event) {
                prop_assert_eq!(by_frames.push(&frame.bytes), frame.kind);
            }
        }
        let (one, other) = (by_events.finish(), by_frames.finish());
        let fresh = Fresh::blank();
        let one = one.expect("it is whole");
        let other = other.expect("its frames are");
        prop_assert_eq!(one.stream(&fresh, true), other.stream(&fresh, true));
        let parsed = |answer: &Answer| -> Value {
            serde_json::from_slice(&answer.document(&fresh)).expect("it is JSON")
        };
        prop_assert_eq!(parsed(&one), parsed(&other));
    }
}
