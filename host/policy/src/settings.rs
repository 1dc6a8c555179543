//! What the plugin host is told: which plugins, from where, within which limits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use deja_cache::{Capacity, Floor};
use serde::Serialize;
use serde_json::Value;

use crate::breaker::BreakerLimits;

/// The plugins to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSettings {
    /// The folder whose `<name>.wasm` wins over the built-in plugin of that name. It need not
    /// exist yet.
    pub dir: Option<PathBuf>,
    /// A folder of the host's own for compiled code, so that a start need not wait for it. It need
    /// not exist yet.
    pub cache_dir: Option<PathBuf>,
    /// The keyers, in the order in which they see a request.
    pub keyers: Vec<PluginChoice>,
    /// The eviction policy.
    pub eviction: PluginChoice,
    /// The stats component.
    pub stats: PluginChoice,
    /// What the cache may hold, for the eviction policy.
    pub capacity: Capacity,
    /// What each plugin may take.
    pub limits: Limits,
}

/// One plugin, and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginChoice {
    /// The name of its file, without `.wasm`.
    pub name: String,
    /// The object that its `configure` gets; null counts as an empty one.
    pub config: Value,
    /// Whether the host checks what a keyer's edits leave of a request.
    pub floor: Floor,
}

impl PluginChoice {
    /// A plugin without settings.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            config: Value::Null,
            floor: Floor::Held,
        }
    }
}

/// What a plugin may take. Whatever takes more is stopped, and counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time for one call. It runs by the wall clock, so it leaves room for a busy machine: a call
    /// takes microseconds.
    pub deadline: Duration,
    /// Time for starting an instance: guests with a language runtime in them take longer.
    pub setup_deadline: Duration,
    /// Bytes of memory of one instance.
    pub memory_bytes: usize,
    /// Elements of one instance's tables.
    pub table_elements: usize,
    /// Bytes that one call may hand to the host, what it logs included.
    pub result_bytes: usize,
    /// Bytes of a component's file.
    pub component_bytes: u64,
    /// Calls after which a keyer's instance is replaced by a fresh one.
    pub calls_per_instance: u64,
    /// Bytes by which a keyer's instance may grow before it is replaced after its call.
    pub retire_memory_bytes: usize,
    /// Instances of one keyer that are kept for the next call.
    pub idle_instances: usize,
    /// When a plugin that fails is left alone.
    pub breaker: BreakerLimits,
    /// Lines that one plugin may log in a second; more are counted, not kept.
    pub log_lines_per_second: u32,
    /// Bytes of one logged line; the rest is cut off.
    pub log_line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(250),
            setup_deadline: Duration::from_secs(5),
            memory_bytes: 64 << 20,
            table_elements: 100_000,
            result_bytes: 16 << 20,
            component_bytes: 64 << 20,
            calls_per_instance: 100_000,
            retire_memory_bytes: 16 << 20,
            idle_instances: 16,
            breaker: BreakerLimits::default(),
            log_lines_per_second: 20,
            log_line_bytes: 1024,
        }
    }
}

/// What a plugin decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginKind {
    /// What counts as the same question.
    Keyer,
    /// What leaves when memory is full.
    Eviction,
    /// What is reported.
    Stats,
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyer => "keyer",
            Self::Eviction => "eviction",
            Self::Stats => "stats",
        })
    }
}
