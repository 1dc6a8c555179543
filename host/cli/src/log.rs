//! The program's log, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::config::LogFormat;

/// Starts the log. `DEJA_LOG` chooses what is logged: a level for all of Deja, like `debug`, or a
/// filter in tracing's own language.
pub(crate) fn start(format: LogFormat) {
    let wanted = std::env::var("DEJA_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = match wanted.parse::<LevelFilter>() {
        Ok(level) => format!("warn,deja={level}"),
        Err(_) => wanted,
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(stderr)
        .with_target(false);
    match format {
        LogFormat::Human => log.with_ansi(stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
