//! What the server adds to the model: the time to the first token, and the speed after it, over HTTP
//! and in this process. The same model in the same run, in turns.
//!
//! Each question is asked of both, one right after the other, and what counts is the difference:
//! what slows the machine down for a while slows both. A difference comes with the interval in
//! which its median lies with 95% confidence, by the order of the samples alone.
//!
//! `cargo xtask bench engine` runs it.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{fmt, path::PathBuf, time::Instant};

use deja_engine::{LanguageModel, Step};
use deja_tests::{Deja, Frames, Setup, required};
use deja_wire::{Prompt, Sampling};
use serde_json::json;

/// What the prompts repeat, two by two, and the model goes on to.
const WORDS: [&str; 10] = [
    " dog", " cat", " house", " tree", " river", " stone", " water", " light", " road", " book",
];

/// Questions for the first token alone, and for the tokens after it.
const SHORT: usize = 60;
const LONG: usize = 12;

/// Tokens of a long answer.
const TOKENS: u32 = 64;

/// Nothing of a prompt is known from the one before.
const SETTINGS: &str = "[[backend]]\nkind = \"mlx\"\nprefix_cache_bytes = 0\n";

/// Seconds to the first token, and from it to the last.
type Times = (f64, f64);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let home = PathBuf::from(required("DEJA_HOME"));
    let model = home.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let model = LanguageModel::load(&model, None).expect("loads");
    let deja = Setup::new(SETTINGS).start().await;
    // The first question is not counted.
    ask_both(&model, &deja, SHORT + LONG, 2).await;

    let (mut here, mut added) = (Vec::new(), Vec::new());
    for number in 0..SHORT {
        let [local, served] = ask_both(&model, &deja, number, 2).await;
        here.push(local.0 * 1000.0);
        added.push((served.0 - local.0) * 1000.0);
    }
    let (here, added) = (Estimate::of(here), Estimate::of(added));
    println!("first token: the server adds {added} ms to {here} ms");

    let (mut speed, mut slower) = (Vec::new(), Vec::new());
    for number in 0..LONG {
        let [local, served] = ask_both(&model, &deja, SHORT + number, TOKENS).await;
        speed.push(f64::from(TOKENS - 1) / local.1);
        slower.push((served.1 / local.1 - 1.0) * 100.0);
    }
    let (speed, slower) = (Estimate::of(speed), Estimate::of(slower));
    println!("decode: the server takes {slower} % longer at {speed} tok/s");
}

/// Asks a question here and of the server; who is first changes with its number.
async fn ask_both(model: &LanguageModel, deja: &Deja, number: usize, tokens: u32) -> [Times; 2] {
    let prompt = format!("{}{}", WORDS[number % 10], WORDS[number / 10]).repeat(10);
    if number.is_multiple_of(2) {
        let local = run(model, &prompt, tokens);
        [local, serve(deja, &prompt, tokens).await]
    } else {
        let served = serve(deja, &prompt, tokens).await;
        [run(model, &prompt, tokens), served]
    }
}

fn run(model: &LanguageModel, prompt: &str, tokens: u32) -> Times {
    let start = Instant::now();
    let prompt = model
        .prompt(&Prompt::Text(prompt.to_owned()))
        .expect("tokenises");
    let tokens = model.tokens(prompt, &Sampling::greedy(), Some(tokens));
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

async fn serve(deja: &Deja, prompt: &str, tokens: u32) -> Times {
    let request = json!({
        "model": "default", "prompt": prompt, "temperature": 0, "max_tokens": tokens, "stream": true,
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
    assert!(count >= tokens, "the model ended after {count} frames");
    times(start, first)
}

fn times(start: Instant, first: Option<Instant>) -> Times {
    let first = first.expect("there is a token");
    let rest = first.elapsed().as_secs_f64();
    ((first - start).as_secs_f64(), rest)
}

/// A median, and where it lies with 95% confidence.
struct Estimate {
    median: f64,
    low: f64,
    high: f64,
}

impl Estimate {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "there are few samples"
    )]
    fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let count = samples.len();
        // How many samples lie below the median is binomial: half of them, and 1.96 deviations.
        let rank = (count as f64 / 2.0 - 0.98 * (count as f64).sqrt()).max(0.0) as usize;
        Self {
            median: samples[count / 2],
            low: samples[rank],
            high: samples[count - 1 - rank],
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high } = self;
        write!(f, "{median:.1} ({low:.1} to {high:.1})")
    }
}
