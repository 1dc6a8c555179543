//! What is loaded and how it fares, for `/health`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use deja_cache::{PolicyError, PolicyFailure};
use parking_lot::Mutex;
use serde::Serialize;

use crate::breaker::{BreakerLimits, BreakerState, Breakers, Size};
use crate::contract::plugin::Descriptor;
use crate::error::one_line;
use crate::settings::PluginKind;
use crate::source::{Artifact, Source};

/// Bytes that are kept of a component's name, and of its version.
const LONGEST_NAME: usize = 100;

/// Bytes that are kept of an error's message.
const LONGEST_MESSAGE: usize = 1000;

/// What a caller is told whose call does not take place.
const LEFT_ALONE: &str = "it failed too often and is left alone for a while";

/// One loaded plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginStatus {
    /// What it decides.
    pub kind: PluginKind,
    /// The name that it is configured by.
    pub name: String,
    /// The name that the component gives itself.
    pub component: String,
    /// The component's version.
    pub version: String,
    /// `built-in`, or the path of its file.
    pub source: String,
    /// BLAKE3 of the component, in hexadecimal.
    pub blake3: String,
    /// When it was loaded, in milliseconds since the Unix epoch.
    pub loaded_at_ms: u64,
    /// Calls since it was loaded.
    pub calls: u64,
    /// Microseconds that they took.
    pub busy_us: u64,
    /// Calls since it was loaded that failed, or whose answers were of no use.
    pub failures: u64,
    /// What was wrong with the last of them.
    pub last_error: Option<String>,
    /// Whether it is asked at present.
    pub breaker: BreakerState,
    /// Why the newest file of this name was not loaded.
    pub rejected: Option<String>,
    /// `open` where the host does not check what this keyer's edits leave of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<&'static str>,
}

/// What is known of a loaded plugin, and the count of its calls, from whatever thread they come.
pub(crate) struct About {
    pub(crate) kind: PluginKind,
    /// The name that it is configured by.
    pub(crate) name: String,
    component: String,
    version: String,
    source: Source,
    pub(crate) hash: blake3::Hash,
    loaded_at_ms: u64,
    calls: AtomicU64,
    busy_ns: AtomicU64,
    failures: AtomicU64,
    last_error: Mutex<Option<String>>,
    breakers: Breakers,
}

impl About {
    pub(crate) fn new(
        kind: PluginKind,
        name: &str,
        descriptor: &Descriptor,
        artifact: &Artifact,
        mut limits: BreakerLimits,
    ) -> Self {
        if kind != PluginKind::Keyer {
            limits.failures = 1;
        }
        Self {
            kind,
            name: name.to_owned(),
            component: one_line(&descriptor.name, LONGEST_NAME),
            version: one_line(&descriptor.version, LONGEST_NAME),
            source: artifact.source.clone(),
            hash: artifact.hash,
            loaded_at_ms: deja_cache::now_ms(),
            calls: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last_error: Mutex::new(None),
            breakers: Breakers::new(limits),
        }
    }

    /// The same plugin, of which nobody has called anything yet.
    pub(crate) fn anew(&self) -> Self {
        Self {
            kind: self.kind,
            name: self.name.clone(),
            component: self.component.clone(),
            version: self.version.clone(),
            source: self.source.clone(),
            hash: self.hash,
            loaded_at_ms: deja_cache::now_ms(),
            calls: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last_error: Mutex::new(None),
            breakers: Breakers::new(self.breakers.limits()),
        }
    }

    /// The name and version that the component gives itself, and its hash.
    pub(crate) fn identity(&self) -> String {
        format!("{}@{} {}", self.component, self.version, self.hash)
    }

    /// Lets a call begin, unless the plugin is left alone. Counts it, and the time until the guard
    /// is dropped. The size of the request is only asked for where not all was well before.
    pub(crate) fn begin_call(
        &self,
        size: impl FnOnce() -> Size,
    ) -> Result<Counted<'_>, PolicyError> {
        let started = Instant::now();
        if !self.breakers.are_calm() && !self.breakers.of(size()).admits(started) {
            return Err(self.error(LEFT_ALONE.to_owned(), PolicyFailure::LeftAlone));
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(Counted {
            about: self,
            started,
        })
    }

    /// Forgets the calls of the self-test.
    pub(crate) fn forget_calls(&self) {
        self.calls.store(0, Ordering::Relaxed);
        self.busy_ns.store(0, Ordering::Relaxed);
    }

    /// Takes note that the plugin answered, be it to no use.
    pub(crate) fn succeeded(&self, size: impl FnOnce() -> Size) {
        if !self.breakers.are_calm() {
            self.breakers.of(size()).succeeded(Instant::now);
        }
    }

    /// Counts a call that broke off, and says it to the caller.
    pub(crate) fn failed(&self, message: &str, size: Size) -> PolicyError {
        let message = self.count_failure(message);
        if let Some(pause) = self.breakers.of(size).failed(Instant::now()) {
            let (kind, plugin) = (self.kind, &self.name);
            tracing::warn!(%kind, %plugin, ?pause, error = message, "plugin is left alone");
        }
        self.error(message, PolicyFailure::Broken)
    }

    /// Counts an answer that came and is of no use, and says it to the caller.
    pub(crate) fn useless(&self, message: &str) -> PolicyError {
        let message = self.count_failure(message);
        self.error(message, PolicyFailure::Useless)
    }

    fn count_failure(&self, message: &str) -> String {
        let message = one_line(message, LONGEST_MESSAGE);
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock() = Some(message.clone());
        message
    }

    fn error(&self, message: String, failure: PolicyFailure) -> PolicyError {
        PolicyError {
            plugin: self.name.clone(),
            message,
            failure,
        }
    }

    /// The state of things now.
    pub(crate) fn status(&self, rejected: Option<String>) -> PluginStatus {
        PluginStatus {
            kind: self.kind,
            name: self.name.clone(),
            component: self.component.clone(),
            version: self.version.clone(),
            source: self.source.to_string(),
            blake3: self.hash.to_string(),
            loaded_at_ms: self.loaded_at_ms,
            calls: self.calls.load(Ordering::Relaxed),
            busy_us: self.busy_ns.load(Ordering::Relaxed) / 1000,
            failures: self.failures.load(Ordering::Relaxed),
            last_error: self.last_error.lock().clone(),
            breaker: self.breakers.state(),
            rejected,
            floor: None,
        }
    }
}

/// A call under way.
pub(crate) struct Counted<'a> {
    about: &'a About,
    started: Instant,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let took = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.about.busy_ns.fetch_add(took, Ordering::Relaxed);
    }
}
