//! The engine's speed: beside that of Python's `mlx_lm`, with several requests at once, and with a
//! prompt that it knows. The same weights in the same run, in turns; and what the machine's memory
//! would allow.
//!
//! `DEJA_HOME` and `DEJA_PYTHON` tell where the model and a Python with `mlx_lm` are.

#![expect(clippy::print_stdout, reason = "a benchmark reports")]

mod memory;
mod python;
mod served;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use deja_engine::{LanguageModel, Step};
use deja_wire::Sampling;
use python::Python;
use serde::{Deserialize, Serialize};

const ROUNDS: usize = 5;

/// What both do in each round.
#[derive(Serialize)]
struct Task {
    prompt: Vec<u32>,
    length: u32,
}

/// Seconds that a task took.
#[derive(Clone, Copy, Deserialize)]
struct Times {
    /// From the prompt to the first token.
    first: f64,
    /// From the first token to the last.
    rest: f64,
}

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(served::WORKER) {
        return deja_engine::run_worker();
    }
    let model = variable("DEJA_HOME").join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    compare_with_mlx_lm(&model);
    served::measure(&model);
    ExitCode::SUCCESS
}

fn compare_with_mlx_lm(model_path: &Path) {
    let task = Task {
        prompt: (0..512).map(|index| 1000 + index * 37 % 40_000).collect(),
        length: 128,
    };
    let folder = tempfile::tempdir().expect("makes a folder");
    let mut python = Python::start(model_path, folder.path());
    let model = LanguageModel::load(model_path, None).expect("loads");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first round is not counted.
    for round in 0..=ROUNDS {
        let times = [run(&model, &task), python.run(&task)];
        if round > 0 {
            ours.push(times[0]);
            theirs.push(times[1]);
        }
    }
    report(
        "prefill",
        f64::from(u32::try_from(task.prompt.len()).unwrap_or(0)),
        &ours,
        &theirs,
        |times| times.first,
    );
    report(
        "decode",
        f64::from(task.length - 1),
        &ours,
        &theirs,
        |times| times.rest,
    );
    bound(
        folder.path(),
        f64::from(task.length - 1) / median(parts(&ours, |times| times.rest)),
    );
}

/// Prints how fast this machine could decode if reading the weights were all there is to do.
fn bound(folder: &Path, decoded: f64) {
    let (rate, weights) = (memory::read_rate(), memory::weights(folder));
    let bound = rate / weights;
    println!(
        "{:8} {:.1} GB/s read {:.2} GB of weights {bound:.1} times a second: deja comes to {:.0} %",
        "memory",
        rate / 1e9,
        weights / 1e9,
        100.0 * decoded / bound
    );
}

fn variable(name: &str) -> PathBuf {
    let value = env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: see `cargo xtask`"));
    value.into()
}

/// Runs the task with the engine's own code, in this process, as `mlx_lm` runs in its own.
fn run(model: &LanguageModel, task: &Task) -> Times {
    let greedy = Sampling::greedy();
    let start = Instant::now();
    let mut first = None;
    let mut tokens = model
        .tokens(task.prompt.clone(), &greedy, Some(task.length))
        .expect("starts");
    loop {
        match tokens.step().expect("computes") {
            Step::Prefilled => {}
            Step::Token(_) => {
                first.get_or_insert_with(Instant::now);
            }
            Step::Exhausted => break,
        }
    }
    let first = first.expect("has a token");
    Times {
        first: (first - start).as_secs_f64(),
        rest: first.elapsed().as_secs_f64(),
    }
}

/// Prints the medians, in tokens per second.
fn report(name: &str, tokens: f64, ours: &[Times], theirs: &[Times], part: fn(&Times) -> f64) {
    let speed = |times: &[Times]| tokens / median(parts(times, part));
    let (ours, theirs) = (speed(ours), speed(theirs));
    println!(
        "{name:8} deja {ours:7.1} tok/s   mlx_lm {theirs:7.1} tok/s   {:.2} ×",
        ours / theirs
    );
}

fn parts(times: &[Times], part: fn(&Times) -> f64) -> Vec<f64> {
    times.iter().map(part).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
