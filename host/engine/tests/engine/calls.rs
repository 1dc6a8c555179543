//! Calls that the real model has to make, or has to make well.

use deja_engine::{Engine, EngineError};
use deja_wire::{ChatRequest, Conversation, Delta, Event, FinishReason, Prompt, Sampling, Tool};
use deja_wire::{Message, Role, ToolChoice};
use serde_json::{Value, json};

use crate::support::start;

/// A tool whose arguments the model would hardly guess.
fn tool() -> Tool {
    Tool {
        name: "book_table".to_owned(),
        description: Some("Books a table in a restaurant.".to_owned()),
        parameters: json!({
            "type": "object",
            "properties": {
                "seats": {"type": "integer", "minimum": 1, "maximum": 12},
                "mood": {"enum": ["calm", "lively"]},
                "names": {
                    "type": "array", "items": {"type": "string", "maxLength": 12},
                    "minItems": 1, "maxItems": 3,
                },
            },
            "required": ["seats", "mood", "names"],
            "additionalProperties": false,
        }),
        strict: false,
    }
}

/// A request in which the model may call two tools.
fn request(choice: ToolChoice, seed: u64) -> ChatRequest {
    let other = Tool {
        name: "cancel".to_owned(),
        ..tool()
    };
    let message = Message::new(Role::User, "Tell me about France.");
    let conversation = Conversation {
        tools: vec![other, tool()],
        tool_choice: choice,
        parallel_tool_calls: false,
        ..vec![message].into()
    };
    ChatRequest {
        sampling: Sampling {
            temperature: 1.5,
            seed: Some(seed),
            ..Sampling::default()
        },
        max_tokens: Some(200),
        ..ChatRequest::new(Prompt::Conversation(conversation))
    }
}

/// The text and the calls of an answer, and why it ended.
async fn answer(
    engine: &Engine,
    request: ChatRequest,
) -> (String, Vec<(String, String)>, FinishReason) {
    let mut generation = engine.generate(request);
    let (mut text, mut calls, mut end) = (String::new(), Vec::<(String, String)>::new(), None);
    while let Some(event) = generation.next().await {
        match event.expect("the answer comes") {
            Event::Delta { delta, .. } => match delta {
                Delta::Text { text: piece, .. } => text += &piece,
                Delta::ToolCall { name, .. } => calls.push((name, String::new())),
                Delta::ToolArguments { arguments, .. } => {
                    calls.last_mut().expect("it was begun").1 += &arguments;
                }
                other => panic!("{other:?} is neither text nor a call"),
            },
            Event::Finished { finish, .. } => end = Some(finish),
            Event::Progress { .. } | Event::End { .. } => {}
            other => panic!("the engine gives no {other:?}"),
        }
    }
    (text, calls, end.expect("the answer has an end"))
}

/// Checks arguments against the tool's schema.
fn check(arguments: &str) {
    let arguments: Value = serde_json::from_str(arguments).expect("the arguments are JSON");
    assert_eq!(arguments.as_object().map(serde_json::Map::len), Some(3));
    let seats = arguments["seats"].as_u64();
    assert!(
        seats.is_some_and(|seats| (1..=12).contains(&seats)),
        "{arguments}"
    );
    let mood = arguments["mood"].as_str();
    assert!(
        mood.is_some_and(|mood| ["calm", "lively"].contains(&mood)),
        "{arguments}"
    );
    let names = arguments["names"].as_array().expect("they are listed");
    assert!((1..=3).contains(&names.len()), "{arguments}");
    let is_short = |name: &Value| name.as_str().is_some_and(|name| name.chars().count() <= 12);
    assert!(names.iter().all(is_short), "{arguments}");
}

#[tokio::test]
async fn a_call_that_is_wanted_is_made_and_follows_its_schema() {
    let engine = start().await;
    for seed in 0..3 {
        let wanted = ToolChoice::Function("book_table".to_owned());
        let (text, calls, end) = answer(&engine, request(wanted, seed)).await;
        assert_eq!((text.as_str(), calls.len()), ("", 1), "{calls:?}");
        assert_eq!(calls[0].0, "book_table");
        check(&calls[0].1);
        assert_eq!(end, FinishReason::ToolCalls);

        let (text, calls, end) = answer(&engine, request(ToolChoice::Required, seed)).await;
        assert_eq!((text.as_str(), calls.len()), ("", 1), "{calls:?}");
        check(&calls[0].1);
        assert_eq!(end, FinishReason::ToolCalls);
    }
}

#[tokio::test]
async fn a_strict_tool_leaves_the_model_free_to_speak() {
    let engine = start().await;
    let mut free = request(ToolChoice::Auto, 0);
    free.sampling = Sampling::greedy();
    free.max_tokens = Some(12);
    let (spoken, ..) = answer(&engine, free.clone()).await;
    let Prompt::Conversation(conversation) = &mut free.prompt else {
        panic!("it is a conversation");
    };
    conversation.tools[1].strict = true;
    let (text, calls, _) = answer(&engine, free).await;
    assert_eq!((text, calls), (spoken, Vec::new()));
}

#[tokio::test]
async fn a_schema_that_cannot_be_followed_is_named() {
    let engine = start().await;
    let mut wanted = request(ToolChoice::Required, 0);
    let Prompt::Conversation(conversation) = &mut wanted.prompt else {
        panic!("it is a conversation");
    };
    conversation.tools[1].parameters = json!({"type": "object", "properties": {
        "a": {"$ref": "#/nowhere"},
    }});
    let mut generation = engine.generate(wanted);
    let refused = generation.next().await.expect("an answer has an end");
    assert!(
        matches!(refused, Err(EngineError::ToolSchema { .. })),
        "{refused:?}"
    );
}
