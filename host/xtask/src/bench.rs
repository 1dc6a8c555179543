//! Benchmarks, each of which compares in one run.

use anyhow::Result;
use clap::ValueEnum;

use crate::wasm::Choice;
use crate::{plugins, setup, shell, test};

/// What is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Bench {
    /// The engine beside Python's `mlx_lm`, on the same weights
    Engine,
    /// Calls into the policies
    Policies,
    /// Whole answers: from the model, and from the cache
    Answers,
}

/// Sets up, builds, and runs the benchmarks; all when none is named.
pub(crate) fn run(choice: Choice, benches: &[Bench]) -> Result<()> {
    let all = Bench::value_variants();
    let benches = if benches.is_empty() { all } else { benches };
    setup::run(choice, true)?;
    plugins::build(choice)?;
    for bench in benches {
        let name = bench.name();
        println!("\n=== {name}");
        let arguments = ["--workspace", "--exclude", "xtask", "--bench", name];
        shell::pass_through(&mut test::with_product("bench", &arguments)?)?;
    }
    Ok(())
}

impl Bench {
    fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Policies => "policies",
            Self::Answers => "answers",
        }
    }
}
