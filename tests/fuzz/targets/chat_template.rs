//! Any chat template renders, or is refused, and ends.

#![no_main]

use std::sync::LazyLock;

use deja_engine::fuzzing;
use deja_wire::{Conversation, Message, Role, Tool, ToolCall};
use libfuzzer_sys::fuzz_target;

static CONVERSATION: LazyLock<Conversation> = LazyLock::new(|| {
    let mut call = Message::new(Role::Assistant, "Let me see.");
    call.reasoning = Some("They want the weather.".to_owned());
    call.tool_calls.push(ToolCall {
        id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments: r#"{"city": "Paris", "days": [1, 2]}"#.to_owned(),
    });
    let mut result = Message::new(Role::Tool, "Rain.");
    result.tool_call_id = Some("call_1".to_owned());
    let messages = vec![
        Message::new(Role::System, "Be brief."),
        Message::new(Role::User, "Do I need an umbrella in Paris?"),
        call,
        result,
    ];
    Conversation {
        tools: vec![Tool {
            name: "weather".to_owned(),
            description: Some("Tells the weather.".to_owned()),
            parameters: serde_json::json!({"type": "object", "properties": {}}),
            strict: false,
        }],
        ..messages.into()
    }
});

fuzz_target!(|template: &str| {
    if let Err(reason) = fuzzing::prompt(template, &CONVERSATION) {
        assert!(!reason.is_empty());
    }
});
