//! `cargo xtask`: from a clean clone to a running server, and to its tests.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command-line tool speaks to the person who runs it"
)]

mod bench;
#[cfg(target_os = "linux")]
mod bindings;
mod blas;
mod cargo;
mod debian;
mod deny;
mod fuzz;
mod mlx;
mod model;
mod paths;
mod plugins;
mod programs;
mod python;
mod report;
mod serve;
mod setup;
mod shell;
mod soak;
mod stamp;
mod test;
mod wasm;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Sets Deja up, builds it, runs it and tests it.
///
/// What is fetched or made goes to `.deja/`, `plugins/dist/` and cargo's build folders, which git
/// ignores. Every command may be broken off and run again.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Options {
    /// Which toolchain compiles the plugins
    #[arg(
        long,
        global = true,
        value_name = "WHICH",
        env = "DEJA_WASM_TOOLCHAIN",
        default_value = "auto"
    )]
    wasm_toolchain: wasm::Choice,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Get all that a build takes: MLX, the default model, the plugins' toolchain
    ///
    /// Fetches Python packages at pinned versions and digests, builds MLX's C interface (on Linux),
    /// and adds the target wasm32-unknown-unknown. What only the system's package manager has is
    /// installed when this runs as root on Debian, and named with the command to run otherwise.
    Setup {
        /// Get what the tests compare with as well: Python's `mlx-lm` and `openai`
        #[arg(long)]
        reference: bool,
    },
    /// Build the plugins in `plugins/` and leave their components in `plugins/dist/`
    Plugins,
    /// Set up, build, and start `deja serve`
    Serve {
        /// Passed on to `deja serve`, such as `--config FILE`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Set up, build, and run every check until one fails
    Test {
        /// The steps to run; all when none is named
        steps: Vec<test::Step>,

        /// Passed on to the `cargo test` of the host, such as `-- --test e2e`
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Set up, build, and measure
    ///
    /// `serve` compares with nginx, and has wrk put load on both: they are installed when this runs
    /// as root on Debian, and named with the command to run otherwise.
    Bench {
        /// What to measure; everything when nothing is named
        benches: Vec<bench::Bench>,

        /// Passed on to each, such as `-- hits`
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Set up, build, and put hours of mixed traffic on the server, whose every answer is checked
    Soak {
        /// Passed on, such as `--time 1h`, `--rate 50` and `--seed 7`; `--help` shows all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Look for inputs that break what `tests/fuzz` promises
    ///
    /// Builds with the nightly toolchain, and installs `cargo-fuzz` in `.deja/` where it is missing.
    /// New inputs are kept in `tests/fuzz/target/corpus/`, and those that break a target are left in
    /// `tests/fuzz/artifacts/`; both are ignored by git. Fails at the first target that breaks.
    Fuzz {
        /// What to fuzz; every target in turn when none is named
        targets: Vec<fuzz::Target>,

        /// How long each target runs, such as `30s`
        #[arg(long, default_value = "10min", value_parser = humantime::parse_duration)]
        time: std::time::Duration,

        /// Passed on to each target's libFuzzer, such as `-- -max_len=256`
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Check the licences and sources of all that is depended on, and what is known against it
    ///
    /// `.cargo/deny.toml` says what is allowed. `test` checks the same but for advisories, whose
    /// database is at github.com.
    Deny,
    /// Write Rust's view of mlx-c; `setup` calls this
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Bindings {
        header: std::path::PathBuf,
        mlx_c: std::path::PathBuf,
        bindings: std::path::PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", report::explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    let choice = options.wasm_toolchain;
    match options.command {
        Command::Setup { reference } => setup::run(choice, reference),
        Command::Plugins => plugins::build(choice).map(|components| plugins::list(&components)),
        Command::Serve { arguments } => serve::run(choice, &arguments),
        Command::Bench { benches, arguments } => bench::run(choice, &benches, &arguments),
        Command::Soak { arguments } => soak::run(choice, &arguments),
        Command::Fuzz {
            targets,
            time,
            arguments,
        } => fuzz::run(choice, &targets, time, &arguments),
        Command::Deny => deny::run(),
        Command::Test { steps, arguments } => test::run(choice, &steps, &arguments),
        #[cfg(target_os = "linux")]
        Command::Bindings {
            header,
            mlx_c,
            bindings,
        } => bindings::write(&header, &mlx_c, &bindings),
    }
}
