//! Benchmarks, each of which compares in one run.

use std::ffi::OsString;

use anyhow::Result;
use clap::ValueEnum;

use crate::wasm::Choice;
use crate::{plugins, programs, python, setup, shell, test};

/// What is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Bench {
    /// The engine beside Python's `mlx_lm`, on the same weights
    Engine,
    /// Calls into the policies, beside the same code compiled natively
    Policies,
    /// Whole answers: from the model, and from the cache
    Answers,
    /// A trace of 10,000 files of 50 KB, read and analysed
    Trace,
    /// Replays beside libcachesim, over a trace of keys: a made one, or that of `-- PATH`
    Replay,
    /// The server: hits beside nginx and hyper alone, with and without a log, misses beside the
    /// upstream alone, memory, and reload
    Serve,
}

/// Sets up, builds, and runs the benchmarks, all when none is named; `arguments` go to each.
pub(crate) fn run(choice: Choice, benches: &[Bench], arguments: &[OsString]) -> Result<()> {
    let all = Bench::value_variants();
    let benches = if benches.is_empty() { all } else { benches };
    setup::run(choice, true)?;
    for bench in benches {
        programs::ensure(bench.programs())?;
        bench.ensure_packages()?;
    }
    plugins::build(choice)?;
    for bench in benches {
        let name = bench.name();
        println!("\n=== {name}");
        let which = ["--workspace", "--exclude", "xtask", "--bench", name];
        let mut cargo = test::with_product("bench", &which)?;
        cargo.envs(programs::variables(bench.programs()));
        shell::pass_through(cargo.arg("--").args(arguments))?;
    }
    Ok(())
}

impl Bench {
    fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Policies => "policies",
            Self::Answers => "answers",
            Self::Trace => "trace",
            Self::Replay => "replay",
            Self::Serve => "serve",
        }
    }

    /// Installs the Python packages that it alone compares with.
    fn ensure_packages(self) -> Result<()> {
        if !matches!(self, Self::Replay) {
            return Ok(());
        }
        let venv = python::Venv::ensure()?;
        let product = venv.site_packages().join("libcachesim");
        venv.install("simulator", "replays are compared with it", &product)
    }

    /// What it runs that neither this repository nor the set-up brings.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Engine | Self::Policies | Self::Answers | Self::Trace | Self::Replay => &[],
            Self::Serve => &["nginx", "wrk"],
        }
    }
}
