//! The lines of a log that no terminal shows.

use std::fmt::{self, Debug, Write};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer, time::FormatTime,
    },
    registry::{LookupSpan, Scope},
};

use super::Clock;

/// Writes the lines of tracing's own format without colours, and at less cost: strings and numbers
/// go straight into the line.
pub(super) struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        Clock.format_time(&mut line)?;
        line.write_str(level(*event.metadata().level()))?;
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            write!(line, " {}", span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                write!(line, "{{{fields}}}")?;
            }
            line.write_char(':')?;
        }
        let mut fields = Fields {
            line: &mut line,
            written: Ok(()),
        };
        event.record(&mut fields);
        fields.written?;
        line.write_char('\n')
    }
}

/// Returns a level's name, in a column of six.
fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => " ERROR",
        Level::WARN => "  WARN",
        Level::INFO => "  INFO",
        Level::DEBUG => " DEBUG",
        Level::TRACE => " TRACE",
    }
}

/// Appends the fields of an event to its line.
struct Fields<'a, 'w> {
    line: &'a mut Writer<'w>,
    written: fmt::Result,
}

impl Fields<'_, '_> {
    fn append(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let name = field.name();
        // Fields that say where an event of the crate `log` stands are no part of its text.
        if self.written.is_err() || name.starts_with("log.") {
            return;
        }
        self.written = self.line.write_char(' ').and_then(|()| {
            if name != "message" {
                self.line.write_str(name)?;
                self.line.write_char('=')?;
            }
            write(self.line)
        });
    }
}

impl Visit for Fields<'_, '_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        let mut digits = itoa::Buffer::new();
        self.append(field, |line| line.write_str(digits.format(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let is_simple = value
            .bytes()
            .all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'));
        if field.name() == "message" || !is_simple {
            self.record_debug(field, &value);
            return;
        }
        self.append(field, |line| {
            line.write_char('"')?;
            line.write_str(value)?;
            line.write_char('"')
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.append(field, |line| write!(Escaping(line), "{value:?}"));
    }
}

/// Writes text whose control characters, but for new lines and tabs, are escaped: what a client or
/// an upstream has sent cannot steer the terminal that shows the log.
struct Escaping<'a, 'w>(&'a mut Writer<'w>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_unsafe =
            |character: char| character.is_control() && !matches!(character, '\n' | '\t');
        for piece in text.split_inclusive(is_unsafe) {
            let rest = piece.trim_end_matches(is_unsafe);
            self.0.write_str(rest)?;
            write!(self.0, "{}", piece[rest.len()..].escape_unicode())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use parking_lot::Mutex;
    use tracing::{info, info_span, warn};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// Logs some events, and returns the lines without their times.
    fn lines(plain: bool, events: fn()) -> Vec<String> {
        let lines = Lines::default();
        let log = tracing_subscriber::fmt().with_writer(lines.clone());
        let log = log.with_target(false).with_timer(Clock).with_ansi(false);
        if plain {
            tracing::subscriber::with_default(log.event_format(Plain).finish(), events);
        } else {
            tracing::subscriber::with_default(log.finish(), events);
        }
        let text = String::from_utf8(lines.0.lock().clone()).expect("a log is text");
        let line = |line: &str| line["2026-01-01T00:00:00.000000Z".len()..].to_owned();
        text.lines().map(line).collect()
    }

    #[test]
    fn lines_are_those_of_tracing() {
        let events = || {
            info!(
                endpoint = "chat",
                status = 200u16,
                key = None::<u64>,
                tokens = 7u64,
                "answered"
            );
            warn!(error = "it said \"no\" \\", latency = ?std::time::Duration::from_micros(12), "failed");
            let span = info_span!("fetch", backend = "local");
            span.in_scope(|| info!(is_late = true, share = 0.5, "done {}", 1));
        };
        assert_eq!(lines(true, events), lines(false, events));
        assert_eq!(lines(true, events).len(), 3);
    }

    #[test]
    fn control_characters_are_escaped() {
        let text = lines(
            true,
            || warn!(error = %"red \u{1b}[31m", said = "\u{1b}]0;", "a \u{7} bell"),
        );
        assert_eq!(
            text,
            [r#"  WARN a \u{7} bell error=red \u{1b}[31m said="\u{1b}]0;""#]
        );
    }
}
