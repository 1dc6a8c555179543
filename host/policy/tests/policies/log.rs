//! The log, to be waited for.

use std::fmt::{self, Write as _};
use std::sync::{Condvar, LazyLock, Mutex};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use crate::support::PATIENCE;

/// What was logged by any test since the first call; each looks for the lines about its own folder.
pub(crate) fn log() -> &'static Log {
    static LOG: LazyLock<Log> = LazyLock::new(|| {
        let subscriber = Registry::default().with(Recorder);
        tracing::subscriber::set_global_default(subscriber).expect("is the only one");
        Log {
            lines: Mutex::default(),
            grown: Condvar::new(),
        }
    });
    &LOG
}

pub(crate) struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    /// Waits for so many lines that contain all of these texts.
    pub(crate) fn wait_for(&self, count: usize, texts: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lines.lock().expect("no test panics here");
        while matching(&lines, texts) < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{texts:?} not in {lines:#?}");
            (lines, _) = self
                .grown
                .wait_timeout(lines, left)
                .expect("no test panics here");
        }
    }

    /// Lines so far that contain all of these texts.
    pub(crate) fn count(&self, texts: &[&str]) -> usize {
        matching(&self.lines.lock().expect("no test panics here"), texts)
    }
}

fn matching(lines: &[String], texts: &[&str]) -> usize {
    lines
        .iter()
        .filter(|line| texts.iter().all(|text| line.contains(text)))
        .count()
}

struct Recorder;

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        log()
            .lines
            .lock()
            .expect("no test panics here")
            .push(line.0);
        log().grown.notify_all();
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}
