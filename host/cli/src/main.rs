//! The binary `deja`.

#![forbid(unsafe_code)]

mod config;
mod reload;
mod serve;

use std::{
    io::{IsTerminal, stderr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use config::ConfigError;

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
    /// Runs a model for a server; servers start it themselves.
    #[command(hide = true)]
    Worker,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr();
    match arguments.command {
        Command::Serve { config } => {
            serve::serve(config).map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
        }
        Command::Worker => deja_engine::run_worker(),
    }
}

/// `DEJA_LOG` chooses what is logged: a level for all of Deja, like `debug`, or a filter in
/// tracing's own language.
fn log_to_stderr() {
    let wanted = std::env::var("DEJA_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = match wanted.parse::<LevelFilter>() {
        Ok(level) => format!("warn,deja={level}"),
        Err(_) => wanted,
    };
    let filter = EnvFilter::new(filter);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .init();
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
