//! The binary `deja`.

#![forbid(unsafe_code)]

mod backends;
mod bench;
mod config;
mod explain;
mod heaps;
mod hub;
mod log;
mod plugin;
mod reload;
mod replay;
mod serve;
mod trace;
mod watch;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use config::{ConfigError, LogFormat};

/// The exit code of a start that failed for its settings.
const BAD_SETTINGS: u8 = 2;

/// Remembers what language models answer.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answers requests, from memory where it can.
    Serve {
        /// The configuration; without it `deja.toml` if there is one, else the defaults.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Tells what becomes of a request, and why: its key, the edits, what comes nearest.
    Explain(explain::Arguments),
    /// Measures what the cache of a server does.
    Bench(Box<bench::Arguments>),
    /// Shows what a running server does.
    Watch(watch::Arguments),
    /// Writes, builds, checks, tries out and lists plugins.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Looks at recorded traffic.
    #[command(subcommand)]
    Trace(trace::Command),
    /// Tells what other keyers, eviction policies and sizes would have done with recorded traffic.
    Replay(replay::Arguments),
    /// Runs a model for a server; servers start it themselves.
    #[command(hide = true)]
    Worker,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        Command::Serve { config } => {
            heaps::limit();
            serve::serve(config)
        }
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Plugin(command) => plugin::run(&command),
        Command::Trace(command) => trace::run(&command),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Worker => {
            log::start_unbuffered(LogFormat::Human);
            return deja_engine::run_worker();
        }
    };
    ended.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}

/// Prints the error and its causes: the one place where errors are printed.
#[allow(clippy::print_stderr, reason = "this is the edge")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("deja: {error:#}");
    match error.downcast_ref::<ConfigError>() {
        Some(_) => BAD_SETTINGS.into(),
        None => ExitCode::FAILURE,
    }
}
