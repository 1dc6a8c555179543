//! What the built-in model is asked, and says, through Anthropic's API.

use deja_wire::{
    BadRequest, ChatRequest, Conversation, Delta, Endpoint, Event, EventRecorder, FinishReason,
    Frame, Message, Prompt, Role, Tool, ToolCall, ToolChoice, Usage, messages, payload,
};
use serde_json::{Value, json};

fn asked(body: &Value) -> Result<ChatRequest, BadRequest> {
    ChatRequest::from_request(&messages::decode_request(body)?)
}

#[test]
fn a_turn_with_tools_reaches_the_model() {
    let request = asked(&json!({
        "model": "m", "max_tokens": 9, "top_k": 40, "stop_sequences": ["END"], "system": "Rules.",
        "tools": [{"name": "ls", "description": "Lists.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "ls", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "Look!"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "tool_use", "id": "t", "name": "ls", "input": {"path": "."}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": "src"},
            ]},
        ],
    }));
    let call = ToolCall {
        id: "t".to_owned(),
        name: "ls".to_owned(),
        arguments: r#"{"path":"."}"#.to_owned(),
    };
    let messages = vec![
        Message::new(Role::System, "Rules."),
        Message::new(Role::User, "Look!"),
        Message {
            reasoning: Some("hm".to_owned()),
            tool_calls: vec![call],
            ..Message::new(Role::Assistant, "")
        },
        Message {
            tool_call_id: Some("t".to_owned()),
            ..Message::new(Role::Tool, "src")
        },
    ];
    let conversation = Conversation {
        tools: vec![Tool {
            name: "ls".to_owned(),
            description: Some("Lists.".to_owned()),
            parameters: json!({"type": "object"}),
            strict: false,
        }],
        tool_choice: ToolChoice::Function("ls".to_owned()),
        parallel_tool_calls: false,
        ..messages.into()
    };
    let mut expected = ChatRequest::new(Prompt::Conversation(conversation));
    expected.model = Some("m".to_owned());
    expected.max_tokens = Some(9);
    expected.stop = vec!["END".to_owned()];
    expected.sampling.top_k = Some(40);
    assert_eq!(request, Ok(expected));
}

#[test]
fn an_image_is_refused() {
    let source = json!({"type": "url", "url": "https://a.example/b.png"});
    let image = json!({"type": "image", "source": source});
    let messages = json!([{"role": "user", "content": [image]}]);
    let error = asked(&json!({ "messages": messages })).expect_err("it is refused");
    assert_eq!(error.code, Some("unsupported_content"));
}

/// The events that an Anthropic client reads.
fn heard(deltas: impl IntoIterator<Item = Delta>, finish: FinishReason) -> Vec<Value> {
    let usage = Usage {
        prompt_tokens: 10,
        cached_tokens: 8,
        completion_tokens: 5,
    };
    let mut said: Vec<_> = deltas
        .into_iter()
        .map(|delta| Event::Delta { choice: 0, delta })
        .collect();
    said.extend([Event::Finished { choice: 0, finish }, Event::End { usage }]);
    let mut recorder = EventRecorder::new(Endpoint::Messages, "m");
    let frames = said.iter().flat_map(|event| recorder.push(event));
    let payload = |frame: Frame| serde_json::from_slice(&payload(&frame.bytes)?).ok();
    frames.filter_map(payload).collect()
}

fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

#[test]
fn thoughts_texts_and_calls_are_blocks() {
    let call = Delta::ToolCall {
        index: 0,
        id: "call_1".to_owned(),
        name: "ls".to_owned(),
    };
    let arguments = |arguments: &str| Delta::ToolArguments {
        index: 0,
        arguments: arguments.to_owned(),
    };
    let said = [
        Delta::Reasoning("hm".to_owned()),
        Delta::text("Looking."),
        call,
        arguments("{\"path\""),
        arguments(":\".\"}"),
    ];
    let events = heard(said, FinishReason::ToolCalls);
    let starts = of_type(&events, "content_block_start");
    let blocks: Vec<_> = starts.iter().map(|start| &start["content_block"]).collect();
    let thinking = json!({"type": "thinking", "thinking": "", "signature": ""});
    let text = json!({"type": "text", "text": ""});
    let tool_use = json!({"type": "tool_use", "id": "call_1", "name": "ls", "input": {}});
    assert_eq!(blocks, [&thinking, &text, &tool_use]);
    let deltas = of_type(&events, "content_block_delta");
    let deltas: Vec<_> = deltas.iter().map(|event| &event["delta"]).collect();
    let expected = [
        json!({"type": "thinking_delta", "thinking": "hm"}),
        json!({"type": "text_delta", "text": "Looking."}),
        json!({"type": "input_json_delta", "partial_json": "{\"path\""}),
        json!({"type": "input_json_delta", "partial_json": ":\".\"}"}),
    ];
    assert_eq!(deltas, expected.each_ref());
    let end = of_type(&events, "message_delta")[0];
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
    let usage = &end["usage"];
    assert_eq!(usage["input_tokens"], 2);
    assert_eq!(usage["cache_read_input_tokens"], 8);
    assert_eq!(usage["output_tokens"], 5);
}

#[test]
fn the_stop_sequence_is_told() {
    let finish = FinishReason::StopString("END".to_owned());
    let events = heard([Delta::text("a")], finish);
    let expected = json!({"stop_reason": "stop_sequence", "stop_sequence": "END"});
    assert_eq!(of_type(&events, "message_delta")[0]["delta"], expected);
}
