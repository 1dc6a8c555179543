//! The program's log, on standard error.

mod plain;

use std::{
    cell::RefCell,
    fmt,
    io::{self, BufWriter, IsTerminal, Stderr, Write, stderr},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
};

use plain::Plain;

use crate::config::{LogFormat, LogSettings};

/// Bytes that are written to standard error at once, at most. A longer line is written alone.
const PIECE: usize = 64 * 1024;

/// How long lines are collected after a write. A line that comes later is written at once.
const PAUSE: Duration = Duration::from_millis(5);

/// A log that a thread of its own writes. Its drop writes the lines that still wait, unless
/// standard error takes none for about a second.
pub(crate) struct Log {
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Log {
    /// Starts the log of a server: the threads that serve never wait for standard error. Where it
    /// takes lines too slowly they are dropped, and counted.
    pub(crate) fn start(settings: LogSettings) -> Self {
        let (lines, writer) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(settings.max_waiting_lines)
            .thread_name("log")
            .finish(Pieces(BufWriter::with_capacity(PIECE, stderr())));
        let dropped = lines.error_counter();
        init(settings.format, lines);
        Self {
            dropped,
            _writer: writer,
        }
    }

    /// Counts the lines that were dropped.
    pub(crate) fn dropped(&self) -> ErrorCounter {
        self.dropped.clone()
    }
}

/// Starts a log whose every line is written before the program goes on: what a program that may be
/// killed at any time has logged stands there.
pub(crate) fn start_unbuffered(format: LogFormat) {
    init(format, stderr);
}

/// Sets up the log for the whole program. `DEJA_LOG` chooses what is logged: a level for all of
/// Deja, like `debug`, or a filter in tracing's own language.
fn init(format: LogFormat, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let wanted = std::env::var("DEJA_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = match wanted.parse::<LevelFilter>() {
        Ok(level) => format!("warn,deja={level}"),
        Err(_) => wanted,
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(writer)
        .with_timer(Clock)
        .with_target(false);
    match format {
        LogFormat::Human if stderr().is_terminal() => log.init(),
        LogFormat::Human => log.event_format(Plain).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Writes whole lines in large pieces. It is flushed whenever no line waits, and then rests a
/// little: a thread that rests need not be woken for each line.
struct Pieces(BufWriter<Stderr>);

impl Write for Pieces {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "there is nothing to wait for: it rests so that it is not woken for each line"
    )]
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        thread::sleep(PAUSE);
        Ok(())
    }
}

/// Writes the time in UTC as RFC 3339 has it, with microseconds.
struct Clock;

thread_local! {
    /// A second since 1970, and its text: each thread writes most lines in the same one.
    static SECOND: RefCell<(u64, String)> = RefCell::default();
}

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        SECOND.with_borrow_mut(|(second, text)| {
            if text.is_empty() || *second != since.as_secs() {
                *second = since.as_secs();
                *text = humantime::format_rfc3339_seconds(now).to_string();
                text.pop();
            }
            writer.write_str(text)
        })?;
        write!(writer, ".{:06}Z", since.subsec_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_time_with_microseconds() {
        let before = SystemTime::now();
        for _ in 0..2 {
            let mut text = String::new();
            let written = Clock.format_time(&mut Writer::new(&mut text));
            written.expect("memory takes it");
            assert_eq!(text.len(), "2026-01-01T00:00:00.000000Z".len(), "{text}");
            let time = humantime::parse_rfc3339(&text).expect("it is a time");
            let late = time.duration_since(before - Duration::from_micros(1));
            assert!(late.is_ok(), "{text}");
        }
    }
}
