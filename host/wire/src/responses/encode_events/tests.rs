//! What a client reads, and what is kept, for the events of an answer.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{Answer, Endpoint, EventDecoder, EventRecorder, Incomplete, folded_answer, payload};

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn call(index: u32) -> Event {
    delta(Delta::ToolCall {
        index,
        id: format!("call_{index}"),
        name: "f".to_owned(),
    })
}

fn arguments(index: u32, arguments: &str) -> Event {
    delta(Delta::ToolArguments {
        index,
        arguments: arguments.to_owned(),
    })
}

fn ended(mut events: Vec<Event>, finish: FinishReason) -> Vec<Event> {
    events.push(Event::Finished { choice: 0, finish });
    events.push(Event::End {
        usage: Usage {
            prompt_tokens: 3,
            cached_tokens: 1,
            completion_tokens: 2,
        },
    });
    events
}

/// The payloads that a client gets for these events, and the answer that is kept.
fn encoded(events: &[Event]) -> (Vec<Value>, Result<Answer, Incomplete>) {
    let mut recorder = EventRecorder::new(Endpoint::Responses, "m");
    let frames: Vec<_> = events
        .iter()
        .flat_map(|event| recorder.push(event))
        .collect();
    let json = |bytes: &[u8]| serde_json::from_slice(&payload(bytes)?).ok();
    let payloads = frames.iter().filter_map(|frame| json(&frame.bytes));
    let answer = recorder.finish().map_err(|fragment| fragment.reason);
    (payloads.collect(), answer)
}

fn types(payloads: &[Value]) -> Vec<&str> {
    let types = payloads.iter().map(|payload| payload["type"].as_str());
    types
        .map(|kind| kind.unwrap_or_default().trim_start_matches("response."))
        .collect()
}

#[test]
fn events_come_in_the_official_order() {
    let events = [
        delta(Delta::Reasoning("hm".to_owned())),
        delta(Delta::text("a")),
        delta(Delta::text("b")),
        call(0),
        arguments(0, "{}"),
    ];
    let (payloads, answer) = encoded(&ended(events.to_vec(), FinishReason::ToolCalls));
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(types(&payloads), expected);
    for (number, payload) in payloads.iter().enumerate() {
        assert_eq!(payload["sequence_number"], number);
    }
    let response = &payloads[19]["response"];
    assert_eq!(
        response["usage"]["input_tokens_details"]["cached_tokens"],
        1
    );
    assert_eq!(response["output"][1]["content"][0]["text"], "ab");
    assert_eq!(response["output"][2]["call_id"], "call_0");
    assert!(answer.is_ok());
}

#[test]
fn every_finish_reason_has_its_status() {
    for (finish, end, reason) in [
        (FinishReason::Stop, "completed", Value::Null),
        (
            FinishReason::Length,
            "incomplete",
            "max_output_tokens".into(),
        ),
        (FinishReason::Refusal, "incomplete", "content_filter".into()),
        (
            FinishReason::Other("x".to_owned()),
            "incomplete",
            "x".into(),
        ),
    ] {
        let (payloads, _) = encoded(&ended(vec![delta(Delta::text("a"))], finish));
        let last = payloads.last().expect("there is one");
        assert_eq!(last["type"], format!("response.{end}"));
        assert_eq!(last["response"]["status"], end);
        let found = &last["response"]["incomplete_details"]["reason"];
        assert_eq!(*found, reason);
        assert_eq!(
            last["response"]["output"][0]["status"] == "incomplete",
            reason == "max_output_tokens"
        );
    }
}

#[test]
fn a_tool_of_a_namespace_gets_its_own_name_back() {
    let body = json!({"tools": [
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
        {"type": "function", "name": "f"},
    ]});
    let mut recorder = EventRecorder::new(Endpoint::Responses, "m").answering(&body);
    let name = "n__f".to_owned();
    let call = delta(Delta::ToolCall {
        index: 0,
        id: "c".to_owned(),
        name,
    });
    for event in ended(vec![call, self::call(1)], FinishReason::ToolCalls) {
        recorder.push(&event);
    }
    let document = recorder
        .finish()
        .expect("it is whole")
        .document(&Fresh::new());
    let document: Value = serde_json::from_slice(&document).expect("it is JSON");
    let output = &document["output"];
    assert_eq!(
        (&output[0]["name"], &output[0]["namespace"]),
        (&json!("f"), &json!("n"))
    );
    assert_eq!(
        (&output[1]["name"], &output[1]["namespace"]),
        (&json!("f"), &Value::Null)
    );
}

#[test]
fn a_failure_ends_the_response() {
    let failure = Failure {
        status: 500,
        message: "no".to_owned(),
        code: None,
    };
    let (payloads, answer) = encoded(&[delta(Delta::text("a")), Event::Failed(failure)]);
    let last = payloads.last().expect("there is one");
    assert_eq!(last["type"], "response.failed");
    let error = json!({"code": "server_error", "message": "no"});
    assert_eq!(last["response"]["error"], error);
    assert_eq!(answer.err(), Some(Incomplete::ErrorEvent));
}

#[test]
fn hits_have_ids_of_their_own() {
    let events = ended(vec![call(0), arguments(0, "{}")], FinishReason::ToolCalls);
    let (payloads, answer) = encoded(&events);
    let document = answer.expect("it is whole").document(&Fresh::new());
    let document: Value = serde_json::from_slice(&document).expect("it is JSON");
    let response = &payloads.last().expect("there is one")["response"];
    for pointer in ["/id", "/output/0/id", "/output/0/call_id"] {
        assert_ne!(
            document.pointer(pointer),
            response.pointer(pointer),
            "{pointer}"
        );
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let piece = || "[a-z\"\n ]{1,3}";
    let arguments = (0..3_u32, piece());
    prop_oneof![
        piece().prop_map(|text| delta(Delta::text(text))),
        piece().prop_map(|text| delta(Delta::Reasoning(text))),
        piece().prop_map(|text| delta(Delta::Signature(text))),
        piece().prop_map(|text| delta(Delta::EncryptedReasoning(text))),
        piece().prop_map(|text| delta(Delta::Refusal(text))),
        (0..3_u32).prop_map(call),
        arguments.prop_map(|(index, text)| self::arguments(index, &text)),
    ]
}

fn stands_alone(event: &Event) -> bool {
    let Event::Delta { delta, .. } = event else {
        return false;
    };
    !matches!(
        delta,
        Delta::Signature(_) | Delta::ToolCall { .. } | Delta::ToolArguments { .. }
    )
}

fn folded(events: &[Event]) -> folded_answer::FoldedAnswer {
    let mut answer = folded_answer::FoldedAnswer::default();
    for event in events {
        answer.push(event);
    }
    answer
}

proptest! {
    #[test]
    fn an_answer_survives_the_way_there_and_back(
        events in vec(any_event().prop_filter("it needs no event before it", stands_alone), 0..12),
    ) {
        let thought = delta(Delta::Reasoning("hm".to_owned()));
        let signed = [thought, delta(Delta::Signature("c2ln".to_owned()))];
        let called = [call(0), arguments(0, "{}"), call(1)];
        let events = signed.into_iter().chain(events).chain(called).collect();
        let events = ended(events, FinishReason::ToolCalls);
        let mut decoder = EventDecoder::new(Api::Responses);
        let (payloads, _) = encoded(&events);
        let back: Vec<_> = payloads.iter().flat_map(|payload| decoder.payload(payload)).collect();
        let (came, went) = (folded(&back), folded(&events));
        let parts = |answer: &folded_answer::FoldedAnswer| {
            format!("{:?}", answer.choices.get(&0).map(|choice| &choice.parts))
        };
        prop_assert_eq!(parts(&came), parts(&went));
        prop_assert_eq!(came.usage, went.usage);
    }

    #[test]
    fn no_event_is_too_strange(events in vec(any_event(), 0..12)) {
        let (payloads, _) = encoded(&ended(events, FinishReason::Stop));
        let last = payloads.last().expect("there is one");
        prop_assert_eq!(&last["type"], "response.completed");
    }
}
