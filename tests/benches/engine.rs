//! What the server adds to the model: the time to the first token, and the speed after it, over HTTP
//! and in this process. The same model in the same run, in turns.
//!
//! `cargo xtask bench engine` runs it.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{path::PathBuf, time::Instant};

use deja_chat::{Prompt, Sampling};
use deja_engine::{LanguageModel, Step};
use deja_tests::{Deja, Frames, required};
use serde_json::json;

/// What the prompts repeat, and the model goes on to: the first is not counted.
const WORDS: [&str; 10] = [
    " dog", " cat", " house", " tree", " river", " stone", " water", " light", " road", " book",
];
const TOKENS: u32 = 64;

/// Seconds to the first token, and from it to the last.
type Times = (f64, f64);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let home = PathBuf::from(required("DEJA_HOME"));
    let model = home.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let model = LanguageModel::load(&model, None).expect("loads");
    let deja = Deja::start().await;
    let (mut here, mut served) = (Vec::new(), Vec::new());
    for (round, word) in WORDS.iter().enumerate() {
        // Neither the cache nor the prefix cache knows any of them.
        let prompt = word.repeat(40);
        let times = [run(&model, &prompt), serve(&deja, &prompt).await];
        if round > 0 {
            here.push(times[0]);
            served.push(times[1]);
        }
    }
    let [here, served] = [here, served].map(|times| {
        let (first, rest): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        (median(first), median(rest))
    });
    let added = (served.0 - here.0) * 1000.0;
    println!(
        "first token: the server adds {added:.1} ms to {:.1} ms",
        here.0 * 1000.0
    );
    let slower = (served.1 / here.1 - 1.0) * 100.0;
    let speed = f64::from(TOKENS - 1) / here.1;
    println!("decode: the server adds {slower:.1} % to {speed:.1} tok/s");
}

fn run(model: &LanguageModel, prompt: &str) -> Times {
    let start = Instant::now();
    let prompt = model
        .prompt(&Prompt::Text(prompt.to_owned()))
        .expect("tokenises");
    let tokens = model.tokens(prompt, &Sampling::greedy(), Some(TOKENS));
    let mut tokens = tokens.expect("starts");
    let mut first = None;
    loop {
        match tokens.step().expect("computes") {
            Step::Prefilled => {}
            Step::Token(_) => {
                first.get_or_insert_with(Instant::now);
            }
            Step::Exhausted => break,
        }
    }
    times(start, first)
}

async fn serve(deja: &Deja, prompt: &str) -> Times {
    let request = json!({
        "model": "default", "prompt": prompt, "temperature": 0, "max_tokens": TOKENS, "stream": true,
    });
    let start = Instant::now();
    let mut frames = Frames::of(deja.post("/v1/completions", &request).await);
    let (mut first, mut count) = (None, 0);
    while let Some(frame) = frames.next().await.expect("the stream goes on") {
        if frame.starts_with("data: {") {
            first.get_or_insert_with(Instant::now);
            count += 1;
        }
    }
    assert!(count >= TOKENS, "the model ended after {count} frames");
    times(start, first)
}

fn times(start: Instant, first: Option<Instant>) -> Times {
    let first = first.expect("there is a token");
    let rest = first.elapsed().as_secs_f64();
    ((first - start).as_secs_f64(), rest)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
