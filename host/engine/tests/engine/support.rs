//! What the tests share: the real model, a Python with `mlx_lm`, a worker program.

use std::{path::PathBuf, process::ExitCode};

use deja_engine::{Engine, EngineError, Generation, Settings, WorkerCommand};
use deja_wire::{ChatRequest, Delta, Event, FinishReason, Message, Prompt, Role, Sampling, Usage};

/// The real model that `cargo xtask setup` puts in place.
pub(crate) fn model() -> PathBuf {
    let model = from_environment("DEJA_HOME").join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(
        model.exists(),
        "{} is missing: run `cargo xtask test`",
        model.display()
    );
    model
}

/// A Python interpreter that has `mlx_lm`.
pub(crate) fn python() -> PathBuf {
    from_environment("DEJA_PYTHON")
}

fn from_environment(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(value) => value.into(),
        None => panic!("{variable} is not set: run `cargo xtask test`"),
    }
}

/// Starts this test program again, as a worker.
pub(crate) fn worker() -> WorkerCommand {
    WorkerCommand::this_program(["--quiet", "--ignored", "--exact", "support::worker_process"])
        .expect("a test program has a path")
}

/// No test: what the test program does when it is started as a worker.
#[test]
#[ignore = "only the engine starts it"]
fn worker_process() {
    assert_eq!(deja_engine::run_worker(), ExitCode::SUCCESS);
}

pub(crate) async fn start() -> Engine {
    Engine::start(Settings::new(model(), worker()))
        .await
        .expect("the engine starts")
}

/// A greedy request with one message.
pub(crate) fn request(content: &str) -> ChatRequest {
    ChatRequest {
        sampling: Sampling::greedy(),
        max_tokens: Some(48),
        ..ChatRequest::new(Prompt::Conversation(
            vec![Message::new(Role::User, content)].into(),
        ))
    }
}

/// A request whose answer takes minutes.
pub(crate) fn story() -> ChatRequest {
    ChatRequest {
        max_tokens: Some(2000),
        ..request("Write a long story about a lighthouse keeper.")
    }
}

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) pieces: Vec<String>,
    pub(crate) finish: FinishReason,
    pub(crate) usage: Usage,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// Waits until an answer goes on.
pub(crate) async fn wait_for_text(generation: &mut Generation) {
    loop {
        match generation.next().await.expect("it has not ended") {
            Ok(Event::Progress { .. }) => {}
            Ok(Event::Delta { .. }) => return,
            other => panic!("{other:?} is no text"),
        }
    }
}

/// Waits for the end of an answer.
pub(crate) async fn finish(mut generation: Generation) -> Result<Answer, EngineError> {
    let (mut pieces, mut end) = (Vec::new(), None);
    loop {
        match generation.next().await.expect("an answer has an end")? {
            Event::Delta {
                delta: Delta::Text { text, .. },
                ..
            } => pieces.push(text),
            Event::Delta { delta, .. } => panic!("{delta:?} is no text"),
            Event::Progress { .. } => {}
            Event::Finished { finish, .. } => end = Some(finish),
            Event::End { usage } => {
                assert_eq!(generation.next().await, None, "something follows the end");
                return Ok(Answer {
                    pieces,
                    finish: end.expect("the answer finishes before the end"),
                    usage,
                });
            }
            other => panic!("the engine gives no {other:?}"),
        }
    }
}

pub(crate) async fn answer(engine: &Engine, request: ChatRequest) -> Result<Answer, EngineError> {
    finish(engine.generate(request)).await
}
