//! A plugin's words in the host's log: short lines, and not too many.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::contract::logging::Level;
use crate::error::one_line;
use crate::settings::Limits;

/// The log of all instances of one plugin.
pub(crate) struct PluginLog {
    plugin: String,
    line_bytes: usize,
    gate: Mutex<Gate>,
}

impl PluginLog {
    pub(crate) fn new(plugin: &str, limits: &Limits) -> Self {
        Self {
            plugin: plugin.to_owned(),
            line_bytes: limits.log_line_bytes,
            gate: Mutex::new(Gate::new(limits.log_lines_per_second)),
        }
    }

    /// Writes one line, if the plugin may still write one.
    pub(crate) fn write(&self, level: Level, message: &str) {
        let Some(dropped) = self.gate.lock().pass(Instant::now()) else {
            return;
        };
        let plugin = &self.plugin;
        if dropped > 0 {
            tracing::warn!(%plugin, dropped, "plugin logs too fast; lines were dropped");
        }
        let message = one_line(message, self.line_bytes);
        match level {
            Level::Debug => tracing::debug!(%plugin, "{message}"),
            Level::Info => tracing::info!(%plugin, "{message}"),
            Level::Warn => tracing::warn!(%plugin, "{message}"),
            Level::Error => tracing::error!(%plugin, "{message}"),
        }
    }
}

/// Lets so many lines through in a second, and counts the others.
struct Gate {
    lines_per_second: u32,
    second: Instant,
    lines: u32,
    dropped: u64,
}

impl Gate {
    fn new(lines_per_second: u32) -> Self {
        Self {
            lines_per_second,
            second: Instant::now(),
            lines: 0,
            dropped: 0,
        }
    }

    /// Whether a line may pass now; if so, how many were dropped that nobody was told of.
    fn pass(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.lines = 0;
        }
        if self.lines >= self.lines_per_second {
            self.dropped += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_rate_are_counted_and_told_in_the_next_second() {
        let mut gate = Gate::new(2);
        let start = gate.second;
        let passed: Vec<_> = (0..5).map(|_| gate.pass(start)).collect();
        assert_eq!(passed, [Some(0), Some(0), None, None, None]);
        assert_eq!(gate.pass(start + Duration::from_secs(1)), Some(3));
        assert_eq!(gate.pass(start + Duration::from_secs(1)), Some(0));
    }
}
