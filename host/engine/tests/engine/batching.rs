//! Several answers at once.

use deja_engine::{Engine, EngineError, Limits, Settings};
use deja_wire::{ChatRequest, Delta, Event, Prompt, Sampling};

use crate::support::{answer, finish, model, request, start, story, wait_for_text, worker};

async fn start_with(limits: Limits) -> Engine {
    let mut settings = Settings::new(model(), worker());
    settings.limits = limits;
    Engine::start(settings).await.expect("the engine starts")
}

#[tokio::test]
async fn answers_are_the_same_alone_and_together() {
    let engine = start_with(Limits {
        prefix_cache_bytes: 0,
        ..Limits::default()
    })
    .await;
    let random = Sampling {
        top_k: Some(40),
        top_p: 0.9,
        seed: Some(3),
        frequency_penalty: 0.2,
        ..Sampling::default()
    };
    let requests = [
        request("What is the capital of France?"),
        request("Write a short story about a lighthouse keeper."),
        request("Übersetze ins Englische: „Die Größe des Flußes“ — 日本語 🦀 naïve"),
        ChatRequest {
            sampling: random,
            ..request("Tell me a joke.")
        },
    ];
    let mut alone = Vec::new();
    for request in &requests {
        alone.push(answer(&engine, request.clone()).await.expect("answers"));
    }
    let together = requests.map(|request| engine.generate(request));
    for (generation, alone) in together.into_iter().zip(alone) {
        let together = finish(generation).await.expect("answers");
        assert_eq!(together.text(), alone.text());
        assert_eq!(together.finish, alone.finish);
    }
}

#[tokio::test]
async fn a_new_request_does_not_wait_for_the_end_of_others() {
    let engine = start().await;
    let mut long = engine.generate(story());
    wait_for_text(&mut long).await;
    let question = request("What is the capital of France?");
    let answer = answer(&engine, question).await.expect("answers");
    assert_eq!(answer.text(), "The capital of France is Paris.");
    // Its 2000 tokens would take minutes.
    wait_for_text(&mut long).await;
}

#[tokio::test]
async fn several_answers_to_one_request_differ_and_are_the_same_again() {
    let engine = start().await;
    let request = ChatRequest {
        choices: 3,
        max_tokens: Some(12),
        sampling: Sampling {
            seed: Some(1),
            ..Sampling::default()
        },
        ..request("Tell me a story.")
    };
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let mut generation = engine.generate(request.clone());
        let mut texts = vec![String::new(); 3];
        loop {
            match generation
                .next()
                .await
                .expect("has an end")
                .expect("answers")
            {
                Event::Delta {
                    choice,
                    delta: Delta::Text { text, .. },
                } => texts[choice as usize].push_str(&text),
                Event::End { usage } => {
                    assert_eq!(usage.completion_tokens, 36);
                    break;
                }
                _ => {}
            }
        }
        rounds.push(texts);
    }
    assert_eq!(rounds[0], rounds[1]);
    assert_ne!(rounds[0][0], rounds[0][1]);
    assert_ne!(rounds[0][1], rounds[0][2]);
}

/// Bytes of 256 positions: 30 layers of keys and values of 3 heads of 64 numbers.
const KV_STEP: usize = 256 * 30 * 2 * 3 * 64 * 4;

/// A request whose prompt nearly fills the first 256 positions, and whose answer goes beyond them.
fn nearly_full(word: &str) -> ChatRequest {
    ChatRequest {
        sampling: Sampling::greedy(),
        max_tokens: Some(24),
        ..ChatRequest::new(Prompt::Text(word.repeat(244)))
    }
}

#[tokio::test]
async fn answers_that_do_not_fit_together_are_made_one_after_the_other() {
    let engine = start_with(Limits {
        kv_bytes: 2 * KV_STEP,
        prefix_cache_bytes: 0,
        ..Limits::default()
    })
    .await;
    let requests = [nearly_full(" dog"), nearly_full(" cat")];
    let together = requests.clone().map(|request| engine.generate(request));
    let mut answers = Vec::new();
    for generation in together {
        answers.push(finish(generation).await.expect("answers"));
    }
    for (request, together) in requests.into_iter().zip(answers) {
        let usage = together.usage;
        assert_eq!((usage.completion_tokens, usage.cached_tokens), (24, 0));
        let alone = answer(&engine, request).await.expect("answers");
        assert_eq!(together.text(), alone.text());
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_alone_is_refused_and_the_worker_lives() {
    let engine = start_with(Limits {
        kv_bytes: KV_STEP,
        ..Limits::default()
    })
    .await;
    let too_long = ChatRequest::new(Prompt::Text(" dog".repeat(300)));
    let too_large = |tokens| {
        Err(EngineError::OutOfMemory {
            tokens,
            limit: KV_STEP,
        })
    };
    assert_eq!(answer(&engine, too_long).await, too_large(300));
    let refused = answer(&engine, nearly_full(" dog")).await;
    assert_eq!(refused, too_large(257));
    let question = request("What is the capital of France?");
    let answer = answer(&engine, question).await.expect("answers");
    assert_eq!(answer.text(), "The capital of France is Paris.");
    assert_eq!(engine.state().restarts, 0);
}
