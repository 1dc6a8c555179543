//! The engine through its worker process: several requests at once, and a prompt that it knows.

use std::{path::Path, time::Instant};

use deja_engine::{Engine, Generation, Settings, WorkerCommand};
use deja_wire::{ChatRequest, Event, Prompt, Sampling, Usage};

use crate::{ROUNDS, median};

/// The argument that makes this program a worker.
pub(crate) const WORKER: &str = "worker";

/// Single tokens with which prompts begin that have nothing in common.
const WORDS: [&str; 12] = [
    " dog", " cat", " house", " tree", " river", " stone", " water", " light", " road", " book",
    " food", " day",
];

/// An answer's times, in seconds after its request.
struct Times {
    first: f64,
    last: f64,
    usage: Usage,
}

pub(crate) fn measure(model: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    runtime.block_on(async {
        let worker = WorkerCommand::this_program([WORKER]).expect("has a path");
        let settings = Settings::new(model, worker);
        let engine = Engine::start(settings).await.expect("the engine starts");
        several_at_once(&engine).await;
        known_prompt(&engine).await;
        engine.shutdown().await;
    });
}

/// One request, and four at once: tokens per second in all, from where all have their first.
async fn several_at_once(engine: &Engine) {
    const TOKENS: u32 = 64;
    let (mut one, mut four) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let speeds = [
            speed(engine, 1, TOKENS).await,
            speed(engine, 4, TOKENS).await,
        ];
        // The first round is not counted.
        if round > 0 {
            one.push(speeds[0]);
            four.push(speeds[1]);
        }
    }
    let (one, four) = (median(one), median(four));
    println!(
        "{:8} one  {one:7.1} tok/s   four   {four:7.1} tok/s   {:.2} ×",
        "at once",
        four / one
    );
}

async fn speed(engine: &Engine, requests: usize, tokens: u32) -> f64 {
    let start = Instant::now();
    let words = WORDS.iter().take(requests);
    let generations: Vec<_> = words
        .map(|word| engine.generate(request(word.repeat(16), tokens)))
        .collect();
    let mut answers = Vec::new();
    for generation in generations {
        answers.push(tokio::spawn(timed(generation, start)));
    }
    let (mut first, mut last, mut count) = (0.0, 0.0, 0);
    for answer in answers {
        let times = answer.await.expect("answers");
        first = times.first.max(first);
        last = times.last.max(last);
        count += times.usage.completion_tokens - 1;
    }
    f64::from(count) / (last - first)
}

/// A prompt of 1000 tokens: the time to its first token, and to that of another whose first 950
/// tokens are the same.
async fn known_prompt(engine: &Engine) {
    let (mut cold, mut known) = (Vec::new(), Vec::new());
    for (round, word) in WORDS.iter().take(ROUNDS + 1).enumerate() {
        let begin = word.repeat(950);
        let fresh = first_token(engine, begin.clone() + &" one".repeat(50)).await;
        let again = first_token(engine, begin + &" two".repeat(50)).await;
        assert_eq!(fresh.usage.prompt_tokens, 1000);
        assert!(fresh.usage.cached_tokens < 50, "{:?}", fresh.usage);
        assert_eq!(again.usage.cached_tokens, 950);
        if round > 0 {
            cold.push(fresh.first);
            known.push(again.first);
        }
    }
    let (cold, known) = (median(cold), median(known));
    println!(
        "{:8} cold {:7.0} ms      known  {:7.0} ms      {:.3} ×",
        "prompt",
        cold * 1000.0,
        known * 1000.0,
        known / cold
    );
}

async fn first_token(engine: &Engine, prompt: String) -> Times {
    timed(engine.generate(request(prompt, 2)), Instant::now()).await
}

fn request(prompt: String, tokens: u32) -> ChatRequest {
    ChatRequest {
        sampling: Sampling::greedy(),
        max_tokens: Some(tokens),
        ..ChatRequest::new(Prompt::Text(prompt))
    }
}

async fn timed(mut generation: Generation, start: Instant) -> Times {
    let mut first = None;
    while let Some(event) = generation.next().await {
        match event.expect("answers") {
            Event::Delta { .. } => {
                first.get_or_insert_with(|| start.elapsed().as_secs_f64());
            }
            Event::End { usage } => {
                let last = start.elapsed().as_secs_f64();
                let first = first.unwrap_or(last);
                return Times { first, last, usage };
            }
            _ => {}
        }
    }
    panic!("an answer has an end");
}
