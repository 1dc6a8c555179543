//! What is known of a prompt from earlier requests.

use deja_engine::{Engine, Limits, Settings};
use deja_wire::{ChatRequest, Message, Prompt, Role};

use crate::support::{answer, model, request, start, worker};

/// A request of a session whose system prompt has several hundred tokens.
fn turn(messages: &[Message]) -> ChatRequest {
    let rules = "Answer in few words, and never speak of yourself. ".repeat(30);
    let mut conversation = vec![Message::new(Role::System, rules)];
    conversation.extend_from_slice(messages);
    ChatRequest {
        prompt: Prompt::Conversation(conversation.into()),
        max_tokens: Some(6),
        ..request("")
    }
}

#[tokio::test]
async fn a_session_reads_each_of_its_tokens_once() {
    let engine = start().await;
    let mut messages = Vec::new();
    let (mut read, mut known) = (0, 0);
    for number in 0..10 {
        messages.push(Message::new(Role::User, format!("What is {number} + 1?")));
        let answer = answer(&engine, turn(&messages)).await.expect("answers");
        messages.push(Message::new(Role::Assistant, answer.text()));
        let usage = answer.usage;
        if number > 0 {
            // What the turn before it read; its answer's last tokens may be written otherwise.
            assert!(usage.cached_tokens >= known, "{usage:?} after {known}");
        }
        known = usage.prompt_tokens;
        read += usage.prompt_tokens - usage.cached_tokens;
    }
    assert!(known > 500, "the prompt is too short: {known}");
    assert!(read < known + 60, "{read} tokens read of {known}");
}

#[tokio::test]
async fn a_known_prefix_changes_no_answer() {
    let engine = start().await;
    let mut without = Settings::new(model(), worker());
    without.limits = Limits {
        prefix_cache_bytes: 0,
        ..Limits::default()
    };
    let without = Engine::start(without).await.expect("the engine starts");
    for question in [
        "What is the capital of France?",
        "What is the capital of Italy?",
    ] {
        let turn = turn(&[Message::new(Role::User, question)]);
        let fresh = answer(&without, turn.clone()).await.expect("answers");
        assert_eq!(fresh.usage.cached_tokens, 0);
        let first = answer(&engine, turn.clone()).await.expect("answers");
        let again = answer(&engine, turn).await.expect("answers");
        assert_eq!(again.usage.cached_tokens, again.usage.prompt_tokens - 1);
        assert_eq!(first.text(), fresh.text());
        assert_eq!(again.text(), fresh.text());
    }
}
